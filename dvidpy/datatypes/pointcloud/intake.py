"""Points as requests send them: Arrow, Parquet, JSON, or plain numbers -> rows of the type of the instance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.exchange import Call
from dvidpy.datatypes.labels.numbers import parse_number
from dvidpy.datatypes.pointcloud.edits import Rows, rows_of
from dvidpy.datatypes.pointcloud.forms import ARROW, BINARY, JSON, PARQUET, form_named, form_of_type
from dvidpy.datatypes.pointcloud.instance import Labels, checked_block
from dvidpy.datatypes.pointcloud.packing import Kind, Points
from dvidpy.errors import BadRequest, TooLarge

_decode = msgspec.json.Decoder(dict[str, list[list[int | float]]]).decode
MAGIC = ((b"PAR1", PARQUET), (b"ARROW1", ARROW), (b"\xff\xff\xff\xff", ARROW))


def read_rows(kind: Kind, call: Call, body: bytes, block: str | None, form: str | None) -> list[Rows]:
    """The points of a body, block by block; BadRequest for what makes no sense, TooLarge for too many."""
    name = form_named(form) if form else _form_of(call, body)
    if name == JSON:
        labels, points = _from_json(kind, body)
    elif name == BINARY:
        labels, points = _from_binary(kind, body)
    else:
        return _from_table(kind, _table(name, body, call.limit), block)
    return rows_of(labels, _needed(block), points)


def _form_of(call: Call, body: bytes) -> str:
    said = form_of_type(call.headers.get(b"content-type", b"").decode("latin-1"))
    if said is not None:
        return said
    found = next((name for magic, name in MAGIC if body.startswith(magic)), None)
    if found is None and body.lstrip()[:1] != b"{":
        raise BadRequest("say what the body is: ?format=arrow, parquet, json or binary")
    return found or JSON


def _needed(block: str | None) -> str:
    if block is None:
        raise BadRequest("say which block the points belong to: ?block=NAME")
    return checked_block(block)


# ---------------------------------------------------------------------- JSON and plain numbers
def _from_json(kind: Kind, body: bytes) -> tuple[Labels, Points]:
    try:
        given = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f'expected {{"label": [[x, y, z], …], …}}: {error}') from None
    labels = np.array([parse_number(label) for label in given], np.uint64).repeat([len(one) for one in given.values()])
    rows = [row for some in given.values() for row in some]
    return labels, _from_lists(kind, rows)


def _from_lists(kind: Kind, rows: list[list[int | float]]) -> Points:
    if any(len(row) != kind.dimensions for row in rows):
        raise BadRequest(f"points of this instance have {kind.dimensions} coordinates")
    if not rows:
        return kind.nothing
    found = np.array(rows)
    if found.dtype.kind == "f" and found.tolist() != rows:  # whole numbers that floats do not hold
        found = np.array(rows, object)
    if found.dtype.kind == "O":
        raise BadRequest(f"points do not fit into {kind.dtype.name}")
    return exact(kind, found)


def _from_binary(kind: Kind, body: bytes) -> tuple[Labels, Points]:
    if len(body) % kind.row.itemsize:
        raise BadRequest(f"the body has {len(body)} bytes: a point takes {kind.row.itemsize}, its label u64 first")
    rows = np.frombuffer(body, kind.row)
    return rows["label"].astype(np.uint64), exact(kind, rows["point"])


# ---------------------------------------------------------------------- tables
def _table(form: str, body: bytes, limit: int) -> Any:
    import pyarrow as pa

    try:
        table = _read_parquet(body, limit) if form == PARQUET else pa.Table.from_batches(*_read_arrow(body, limit))
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, NotImplementedError) as error:
        raise BadRequest(f"the body is no {form} table: {str(error)[:200]}") from None
    return table


def _read_parquet(body: bytes, limit: int) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(body))
    size = sum(file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups))
    if max(size, 8 * file.metadata.num_rows) > limit:
        raise TooLarge(f"the table unpacks to more than {limit} bytes")
    return file.read(use_threads=False)


def _read_arrow(body: bytes, limit: int) -> tuple[list[Any], Any]:
    import pyarrow as pa

    source = pa.BufferReader(body)
    if body.startswith(b"ARROW1"):
        file = pa.ipc.open_file(source)
        found: Iterator[Any] = (file.get_batch(number) for number in range(file.num_record_batches))
        return _within(found, limit), file.schema
    stream = pa.ipc.open_stream(source)
    return _within(iter(stream), limit), stream.schema


def _within(batches: Iterator[Any], limit: int) -> list[Any]:
    taken, size = [], 0
    for batch in batches:
        batch.validate(full=True)
        size += batch.nbytes
        if size > limit:
            raise TooLarge(f"the table unpacks to more than {limit} bytes")
        taken.append(batch)
    return taken


def _from_table(kind: Kind, table: Any, block: str | None) -> list[Rows]:
    names = ["label", *kind.columns]
    if block is None and "block_id" in table.column_names:
        names.append("block_id")
    missing = [name for name in names if table.column_names.count(name) != 1]
    if missing:
        raise BadRequest(f"the table needs the columns {', '.join(names)}; wrong is {missing[0]}")
    labels = _numbers(table, "label")
    if labels.dtype.kind == "f" or (labels.dtype.kind == "i" and labels.size and int(labels.min()) < 0):
        raise BadRequest("labels are whole numbers, 0 or more")
    points = np.empty((len(table), kind.dimensions), kind.dtype)
    for axis, name in enumerate(kind.columns):
        points[:, axis] = exact(kind, _numbers(table, name))
    return rows_of(labels.astype(np.uint64), _blocks(table) if "block_id" in names else _needed(block), points)


def _numbers(table: Any, name: str) -> NDArray[Any]:
    import pyarrow as pa

    column = table.column(name)
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise BadRequest(f"the column {name} has to be numbers, none of them null")
    found: NDArray[Any] = column.to_numpy()
    return found


def _blocks(table: Any) -> list[str]:
    import pyarrow as pa

    column = table.column("block_id")
    try:
        names = column.cast(pa.string()).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise BadRequest(f"the column block_id has to be texts: {str(error)[:200]}") from None
    if column.null_count or None in names:
        raise BadRequest("the column block_id has to be texts, none of them null")
    for name in set(names):
        checked_block(name)
    return [str(name) for name in names]


# ---------------------------------------------------------------------- numbers
def exact(kind: Kind, given: NDArray[Any]) -> Points:
    """The same numbers in the type of the instance; BadRequest where it does not hold one, or one is not finite."""
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise BadRequest("coordinates are finite numbers")
    with np.errstate(all="ignore"):
        found = given.astype(kind.dtype)
        same = (found.astype(given.dtype) == given) & ((found < 0) == (given < 0))
        if given.dtype.kind == "f" and kind.dtype.kind != "f":
            same &= np.abs(given.astype(np.float64)) < 2.0**64
    if not same.all():
        raise BadRequest(f"{given[~same].flat[0]} does not fit into {kind.dtype.name}, the type of these points")
    return found
