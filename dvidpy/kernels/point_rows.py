"""Rows of points: into columns, and columns into the order of labels, with what is known of each label's points."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel

Places = NDArray[np.int64]
"""(n,) numbers of rows, or of runs of rows."""
TILE = 1024
"""Rows that are turned into columns together: they stay in the nearest cache."""
Columns = NDArray[Any]
"""(D, N) coordinates."""


class Gathered(NamedTuple):
    """Points in their new order, parts of one label and block after one another."""

    labels: NDArray[np.uint64]
    """(N,)."""
    blocks: NDArray[np.int32]
    """(N,)."""
    columns: Columns
    low: NDArray[Any]
    """(D, parts) lowest coordinates of each part."""
    high: NDArray[Any]
    distinct: NDArray[np.bool_]
    """(parts,) whether the points are in order, by the first axis or by the last: then none is there twice."""


def split_rows(rows: NDArray[np.int64], out: NDArray[np.int32]) -> bool:
    """(N, D) rows, contiguous -> (D, N) columns; False where a number has more than 32 bits, and `out` is no good."""
    return bool(_split_rows(rows, out))


def split_rows_plain(rows: NDArray[np.int64], out: NDArray[np.int32]) -> bool:
    """The plain twin."""
    out[:] = rows.T.astype(np.int32)
    return bool((rows == out.T).all())


@kernel("boolean(Array(int64, 2, 'C', readonly=True), Array(int32, 2, 'A'))")
def _split_rows(rows: Any, out: Any) -> Any:
    fits = True
    for first in range(0, rows.shape[0], TILE):
        past = min(first + TILE, rows.shape[0])
        for axis in range(rows.shape[1]):
            column = out[axis]
            for row in range(first, past):
                number = rows[row, axis]
                short = np.int32(number)
                fits &= np.int64(short) == number
                column[row] = short
    return fits


def gather_rows(
    columns: NDArray[np.int32],
    labels: NDArray[np.uint64],
    blocks: NDArray[np.int32],
    firsts: Places,
    counts: Places,
    heads: Places,
) -> Gathered:
    """Runs of rows, one after another; `heads` are the runs that begin a part, whose label and block all its runs have.

    Columns of 32 bits; the plain twin takes any.
    """
    total, parts, width = int(counts.sum()), len(heads), len(columns)
    found = Gathered(
        np.empty(total, np.uint64),
        np.empty(total, np.int32),
        np.empty((width, total), np.int32),
        np.empty((width, parts), np.int32),
        np.empty((width, parts), np.int32),
        np.empty(parts, np.bool_),
    )
    larger = np.empty(total, np.uint8)
    _gather_rows(columns, labels, blocks, firsts, counts, heads, larger, *found)
    return found


def gather_rows_plain(
    columns: Columns,
    labels: NDArray[np.uint64],
    blocks: NDArray[np.int32],
    firsts: Places,
    counts: Places,
    heads: Places,
) -> Gathered:
    """The plain twin, for columns of any type."""
    ends = np.cumsum(counts)
    places = np.repeat(firsts - (ends - counts), counts) + np.arange(counts.sum())
    taken = [column.take(places) for column in columns]
    starts = (ends - counts)[heads]
    low = np.stack([np.minimum.reduceat(column, starts) for column in taken])
    high = np.stack([np.maximum.reduceat(column, starts) for column in taken])
    distinct = _in_order(taken, starts) | _in_order(taken[::-1], starts)
    return Gathered(labels.repeat(counts), blocks.repeat(counts), np.stack(taken), low, high, distinct)


def _in_order(columns: list[NDArray[Any]], starts: Places) -> NDArray[np.bool_]:
    larger = np.ones(len(columns[0]), np.bool_)
    larger[1:] = False
    for column in reversed(columns):
        after, before = column[1:], column[:-1]
        larger[1:] = (after > before) | ((after == before) & larger[1:])
    larger[starts] = True
    found: NDArray[np.bool_] = np.logical_and.reduceat(larger, starts)
    return found


@kernel(
    "void(Array(int32, 2, 'A'), Array(uint64, 1, 'C', readonly=True), Array(int32, 1, 'C', readonly=True), "
    "Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), "
    "Array(uint8, 1, 'C'), Array(uint64, 1, 'C'), Array(int32, 1, 'C'), Array(int32, 2, 'C'), "
    "Array(int32, 2, 'C'), Array(int32, 2, 'C'), Array(bool_, 1, 'C'))"
)
def _gather_rows(
    columns: Any,
    labels: Any,
    blocks: Any,
    firsts: Any,
    counts: Any,
    heads: Any,
    larger: Any,
    out_labels: Any,
    out_blocks: Any,
    out: Any,
    low: Any,
    high: Any,
    distinct: Any,
) -> None:
    width = columns.shape[0]
    end = 0
    for part in range(heads.size):
        past = heads[part + 1] if part + 1 < heads.size else firsts.size
        begin = end
        for run in range(heads[part], past):
            out_labels[end : end + counts[run]] = labels[run]
            out_blocks[end : end + counts[run]] = blocks[run]
            end += counts[run]
        for axis in range(width):
            at = begin
            for run in range(heads[part], past):
                source = columns[axis, firsts[run] : firsts[run] + counts[run]]
                target = out[axis, at : at + counts[run]]
                for row in range(counts[run]):
                    target[row] = source[row]
                at += counts[run]
            least, most = np.int32(2147483647), np.int32(-2147483648)
            for number in out[axis, begin:end]:
                least = min(least, number)
                most = max(most, number)
            low[axis, part], high[axis, part] = least, most
        found = end - begin == 1
        for backward in range(2):  # each row larger than the one before it, looked at axis by axis, the last first
            if not found:
                above = larger[begin : end - 1]
                above[:] = 0
                for step in range(width):
                    axis = step if backward else width - 1 - step
                    before, after = out[axis, begin : end - 1], out[axis, begin + 1 : end]
                    for row in range(above.size):
                        here = np.uint8(after[row] > before[row])
                        above[row] = here | (np.uint8(after[row] == before[row]) & above[row])
                found = True
                for row in range(above.size):
                    found &= above[row] == 1
        distinct[part] = found
