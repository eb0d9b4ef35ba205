"""Rows of JSON as tables. Whole numbers never become floats: labels have up to 64 bits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def arrow_of(rows: Sequence[Mapping[str, Any]], first: Iterable[str] = ()) -> Any:
    """A pyarrow table of all fields, those of `first` in front, each in the narrowest type that holds it exactly.

    Whole numbers are int64, or uint64 where one is beyond that or the field is `bodyid` or `body`. What has no common
    type stays as the text of its JSON.
    """
    import pyarrow as pa

    names = dict.fromkeys([*first, *(name for row in rows for name in row)])
    return pa.table({name: _column(name, [row.get(name) for row in rows]) for name in names})


def pandas_of(table: Any) -> Any:
    """A pandas frame of a pyarrow table; whole numbers and truths with gaps stay what they are, with <NA>."""
    import pandas as pd
    import pyarrow as pa

    gaps = {name for name in table.column_names if table.column(name).null_count}
    kinds = {pa.uint64(): pd.UInt64Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    plain = table.drop_columns(list(gaps)).to_pandas()
    gapped = table.select([name for name in table.column_names if name in gaps]).to_pandas(types_mapper=kinds.get)
    return pd.concat([plain, gapped], axis=1)[table.column_names]


def _column(name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    there = [value for value in values if value is not None]
    if there and all(isinstance(value, int) and not isinstance(value, bool) for value in there):
        unsigned = name in ("bodyid", "body") or max(there) >= 1 << 63
        if min(there) >= 0 or not unsigned:
            return pa.array(values, pa.uint64() if unsigned else pa.int64())
    try:
        if all(not isinstance(value, Mapping) for value in there) and not _mixed(there):
            return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        pass
    return pa.array([None if value is None else json.dumps(value, ensure_ascii=False) for value in values], pa.string())


def _mixed(values: list[Any]) -> bool:
    """Whole numbers beside others, which Arrow would make floats of them."""
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    whole = [isinstance(one, int) and not isinstance(one, bool) for one in flat]
    return any(whole) and (
        not all(whole) and any(abs(one) > 1 << 53 for one, is_whole in zip(flat, whole, strict=True) if is_whole)
    )
