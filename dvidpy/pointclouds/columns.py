"""Points as numpy knows them, (N, D), and as data files keep them: one column a coordinate, in the points' own type."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dvidpy.kernels.point_rows import split_rows

Points = npt.NDArray[Any]
"""(N, D), any integer or float type."""


def checked(points: Points) -> Points:
    """The points in the machine's byte order; ValueError unless (N, D) of integers or floats of at most 64 bits."""
    if not isinstance(points, np.ndarray) or points.ndim != 2 or points.shape[1] == 0:
        raise ValueError("points must be a numpy array of shape (N, D)")
    if points.dtype.kind not in "iuf" or points.dtype.itemsize > 8:
        raise ValueError(f"points are integers or floats of at most 64 bits, not {points.dtype}")
    return points.astype(points.dtype.newbyteorder("="), copy=False)


def checked_label(label: Any) -> int:
    """A label as an int; ValueError unless it is an unsigned number of 64 bits."""
    if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= int(label) < 1 << 64:
        raise ValueError(f"a label is an unsigned number of 64 bits, not {label!r}")
    return int(label)


def checked_labels(given: Any, points: Points) -> npt.NDArray[Any]:
    """Labels of points, one for each, of any integer type; ValueError."""
    labels: npt.NDArray[Any] = np.asarray(given)
    if labels.shape != points.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError("labels must be integers, one for each point")
    if labels.dtype.kind == "i" and len(labels) and labels.min() < 0:
        raise ValueError("labels must not be negative")
    return labels


def _exact_bits(dtype: np.dtype[Any]) -> tuple[int, bool]:
    """(bits of the integers that a type holds exactly, whether negative ones are among them)."""
    if dtype.kind == "f":
        return int(np.finfo(dtype).nmant) + 1, True
    return (int(np.iinfo(dtype).bits) - 1, True) if dtype.kind == "i" else (int(np.iinfo(dtype).bits), False)


def common_type(one: np.dtype[Any], other: np.dtype[Any]) -> np.dtype[Any]:
    """The smallest type that holds the values of both exactly; ValueError where there is none."""
    found = np.result_type(one, other)
    bits, signed = _exact_bits(found)
    for dtype in (one, other):
        needed, negative = _exact_bits(dtype)
        if dtype.kind != "f" and (needed > bits or negative > signed):
            raise ValueError(f"no type holds both {one} and {other} exactly")
    return found


def schema(dtype: np.dtype[Any], dimensions: int) -> pa.Schema:
    """Columns of a data file."""
    number = pa.from_numpy_dtype(dtype)
    data = pa.struct([pa.field(f"c{axis}", number, nullable=False) for axis in range(dimensions)])
    return pa.schema(
        [
            pa.field("label", pa.uint64(), nullable=False),
            pa.field("block_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
            pa.field("data", data, nullable=False),
        ]
    )


def table(labels: npt.NDArray[np.uint64], blocks: Any, columns: list[npt.NDArray[Any]]) -> pa.Table:
    """Rows of a data file, of a column of labels, an Arrow array of blocks, and the coordinates."""
    wanted = schema(columns[0].dtype, len(columns))
    data = pa.StructArray.from_arrays([pa.array(column) for column in columns], fields=list(wanted.field("data").type))
    return pa.table([pa.array(labels), blocks, data], schema=wanted)


NARROW = np.dtype(np.int32)
"""How integers are kept that fit into it, whatever their type: half the bytes to sort, pack and read."""


def kept_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """How points of a type are kept, as long as their numbers fit."""
    return NARROW if dtype.kind in "iu" else dtype


def put_rows(points: Points, out: npt.NDArray[Any]) -> bool:
    """Points (N, D) -> columns (D, N), which are of their type or `NARROW`; False where they do not fit into that."""
    if out.dtype != NARROW or points.dtype == NARROW:
        out[:] = points.T
        return True
    if points.dtype == np.uint64 and len(points) and points.max() > np.iinfo(NARROW).max:
        return False
    return split_rows(np.ascontiguousarray(points, np.int64), out)


def narrowed(columns: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Columns as `NARROW` where their numbers fit, else as they are."""
    if columns.dtype.kind not in "iu" or columns.dtype == NARROW or not columns.size:
        return columns
    limits = np.iinfo(NARROW)
    fits = int(columns.min()) >= limits.min and int(columns.max()) <= limits.max
    return columns.astype(NARROW) if fits else columns


def together(parts: list[npt.NDArray[Any]], dtype: np.dtype[Any], axis: int = 0) -> npt.NDArray[Any]:
    """Parts of points as one array: of `NARROW` where all are, which takes half the memory, else of the points' type.

    That holds them all, also as an unsigned type what was kept as `NARROW`, which numpy would not dare.
    """
    narrow = all(part.dtype == NARROW for part in parts)
    return np.concatenate(parts, axis, dtype=NARROW if narrow else dtype, casting="unsafe")


def points_of(data: pa.ChunkedArray) -> Points:
    """(N, D) of the column of coordinates."""
    kind = data.type
    points = np.empty((len(data), kind.num_fields), kind.field(0).type.to_pandas_dtype())
    start = 0
    for chunk in data.chunks:
        for axis in range(kind.num_fields):
            points[start : start + len(chunk), axis] = chunk.field(axis).to_numpy(zero_copy_only=False)
        start += len(chunk)
    return points


def arrow_of(points: Points) -> pa.Table:
    """Columns c0, c1, … of points."""
    return pa.table({f"c{axis}": np.ascontiguousarray(points[:, axis]) for axis in range(points.shape[1])})


# ---------------------------------------------------------------------- order
def is_increasing(columns: list[npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
    """(N - 1,): whether each row is larger than the one before it, by the first column, then the second, …"""
    larger = columns[-1][1:] > columns[-1][:-1]
    for column in reversed(columns[:-1]):
        larger = (column[1:] > column[:-1]) | ((column[1:] == column[:-1]) & larger)
    return larger


def sorted_unique(points: Points) -> Points:
    """The points in order, by the first column, then the second, …, each of them once."""
    columns = [np.ascontiguousarray(points[:, axis]) for axis in range(points.shape[1])]
    if len(points) < 2 or bool(is_increasing(columns).all()):
        return points
    packed = _packed(columns) if points.dtype.kind in "iu" else None
    del columns
    if packed is not None:
        keys, lows, spans = packed
        keys.sort()  # many times as fast as sorting rows
        first = np.ones(len(keys), bool)
        np.not_equal(keys[1:], keys[:-1], out=first[1:])
        return _unpacked(keys[first], lows, spans, points.dtype)
    points = points[np.lexsort(points.T[::-1])]
    keep = np.ones(len(points), bool)
    keep[1:] = (points[1:] != points[:-1]).any(1)
    return points[keep]


def _packed(columns: list[npt.NDArray[Any]]) -> tuple[npt.NDArray[np.uint64], list[int], list[int]] | None:
    """(a number for each row, in the order of rows; lowest value and number of values of each column).

    None where 64 bits are too few.
    """
    lows = [int(column.min()) for column in columns]
    spans = [int(column.max()) - low + 1 for column, low in zip(columns, lows, strict=True)]
    product = 1
    for span in spans:
        product *= span
    if product > 1 << 64 or max(spans) >= 1 << 64:
        return None
    keys = np.zeros(len(columns[0]), np.uint64)
    for column, low, span in zip(columns, lows, spans, strict=True):
        keys *= np.uint64(span)
        keys += column.astype(np.uint64) - np.uint64(low % (1 << 64))
    return keys, lows, spans


def _unpacked(keys: npt.NDArray[np.uint64], lows: list[int], spans: list[int], dtype: np.dtype[Any]) -> Points:
    points = np.empty((len(keys), len(lows)), dtype)
    for axis in reversed(range(len(lows))):
        keys, rest = np.divmod(keys, np.uint64(spans[axis]))
        points[:, axis] = (rest + np.uint64(lows[axis] % (1 << 64))).astype(dtype)
    return points


def inside(points: Points, box: Box) -> npt.NDArray[np.bool_]:
    """(N,): whether a point lies in a box."""
    low, high = box
    found = np.ones(len(points), bool)
    for axis, (first, end) in enumerate(zip(low, high, strict=True)):
        found &= (points[:, axis] >= first) & (points[:, axis] < end)
    return found


Box = tuple[tuple[Any, ...], tuple[Any, ...]]
"""(first, end) in the first columns of points; the end lies outside."""


def checked_box(box: Any, dimensions: int) -> Box:
    """A box as two tuples of numbers; ValueError."""
    try:
        low, high = (
            tuple(number.item() if isinstance(number, np.generic) else number for number in one) for one in box
        )
    except (TypeError, ValueError):
        raise ValueError(f"a box is (first, end), two lists of coordinates, not {box!r}") from None
    if not 1 <= len(low) == len(high) <= dimensions or not all(isinstance(n, int | float) for n in (*low, *high)):
        raise ValueError(f"a box has as many numbers in first and end, at most {dimensions}: {box!r}")
    return low, high
