"""A region: spans of blocks along x, sorted, in columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import orjson
from numpy.typing import NDArray

from dvidpy.datatypes.roi.keys import REGION
from dvidpy.datatypes.voxels.masks import Inside
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, box_between
from dvidpy.kernels import painting, rows
from dvidpy.kernels.jit import kernels_of
from dvidpy.kernels.painting import paint_boxes
from dvidpy.kernels.rows import parse_rows
from dvidpy.versioning.duties import Kept

Columns = NDArray[np.int32]
"""(4, n): z, y, first x, last x of each span, in numbers of blocks."""
Numbers = NDArray[np.int64]
_BIAS = 1 << 31
_KERNELS = kernels_of(painting, rows)
_LOW = (1 << 32) - 1
SHOWN = 1 << 15
"""Spans of a piece of JSON."""
MANY, PAINTED = 2000, 1 << 20
"""Blocks that are looked for in a picture of a region, and blocks of such a picture, at most."""


class Region:
    """Spans [z, y, x0, x1], both ends included, ascending and each once; in older stores they may overlap."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    # ------------------------------------------------------------------ forms
    def encode(self) -> bytes:
        """As stored."""
        return self.columns.astype("<i4", copy=False).tobytes()

    def as_json(self) -> Iterator[bytes]:
        """A JSON list of [z, y, x0, x1], in pieces."""
        if len(self) <= SHOWN:
            yield _rows_as_json(self.columns)
            return
        for first in range(0, len(self), SHOWN):
            yield (b"," if first else b"[") + _rows_as_json(self.columns[:, first : first + SHOWN])[1:-1]
        yield b"]"

    # ------------------------------------------------------------------ questions
    @cached_property
    def _rows(self) -> Numbers:
        """(z, y) of each span as one number that ascends."""
        z, y = self.columns[:2].astype(np.int64)
        found: Numbers = (z << 32) | (y + _BIAS)
        return found

    @cached_property
    def _row_numbers(self) -> tuple[Numbers, Numbers]:
        """(all different rows, which of them each span is in)."""
        begins = np.ones(len(self), np.bool_)
        begins[1:] = self._rows[1:] != self._rows[:-1]
        return self._rows[begins], np.cumsum(begins) - 1

    @cached_property
    def _ends(self) -> tuple[Numbers, Numbers]:
        """(first x, farthest x so far) of each span, behind the number of its row: both ascend."""
        first, last = self.columns[2:].astype(np.int64) + _BIAS
        row = self._row_numbers[1] << 32
        return row | first, np.maximum.accumulate(row | last)

    def holds(self, blocks: Columns) -> NDArray[np.bool_]:
        """Which of the (n, 3) blocks z, y, x are inside."""
        if not len(self):
            return np.zeros(len(blocks), np.bool_)
        bounds = self.bounds()
        if len(blocks) >= MANY and bounds.volume <= PAINTED:
            return self._painted(blocks, bounds)
        z, y, x = blocks.T.astype(np.int64)
        rows, wanted = self._row_numbers[0], (z << 32) | (y + _BIAS)
        row = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
        first, farthest = self._ends
        target = row << 32 | (x + _BIAS)
        last_before = np.searchsorted(first, target, side="right") - 1
        found: NDArray[np.bool_] = (rows[row] == wanted) & (last_before >= 0) & (farthest[last_before] >= target)
        return found

    def bounds(self) -> Box:
        """The smallest box of blocks that has it; it is not empty."""
        low, high = self.columns[:3].min(axis=1).tolist(), self.columns[[0, 1, 3]].max(axis=1).tolist()
        return box_between(low, [end + 1 for end in high])

    def _painted(self, blocks: Columns, bounds: Box) -> NDArray[np.bool_]:
        """As `holds`, by a picture of the whole region: to look into it is quicker than to search rows and spans."""
        picture = np.zeros(bounds.size, np.bool_)
        starts = self.columns[:3] - np.array(bounds.start, np.int64)[:, None]
        stops = self.columns[[0, 1, 3]] - np.array(bounds.start, np.int64)[:, None] + 1
        paint_boxes(starts, stops, picture)
        inside, flat = np.ones(len(blocks), np.bool_), np.zeros(len(blocks), np.int64)
        for numbers, low, size in zip(blocks.T, *bounds, strict=True):
            apart = numbers.astype(np.int64) - low
            inside &= apart.view(np.uint64) < size  # what is below 0 is far above it so
            flat = flat * size + apart
        found: NDArray[np.bool_] = picture.reshape(-1)[np.where(inside, flat, 0)] & inside
        return found

    def touched(self, blocks: Box, own: Zyx, block: Zyx) -> Inside:
        """Which blocks of a box it touches; they have the size `block` in voxels, its own ones the size `own`."""
        out = np.zeros(blocks.size, np.bool_)
        low = blocks.start[0] * block[0] // own[0]
        high = (blocks.stop[0] * block[0] - 1) // own[0]
        first, last = np.searchsorted(self.columns[0], (max(low, -_BIAS), min(high, _BIAS - 1) + 1))
        z, y, x, xx = self.columns[:, first:last].astype(np.int64)
        bounds = zip((z, y, x), (z, y, xx), own, block, blocks.start, blocks.size, strict=True)
        starts, stops = np.empty((3, len(z)), np.int64), np.empty((3, len(z)), np.int64)
        for axis, (begin, end, mine, theirs, at, size) in enumerate(bounds):
            starts[axis] = np.clip(begin * mine // theirs - at, 0, size)
            stops[axis] = np.clip(((end + 1) * mine - 1) // theirs + 1 - at, 0, size)
        seen = (starts < stops).all(axis=0)
        paint_boxes(np.ascontiguousarray(starts[:, seen]), np.ascontiguousarray(stops[:, seen]), out)
        return out

    def without_overlaps(self) -> Columns:
        """The same blocks in spans that do not overlap; those that only touch stay apart."""
        if not len(self):
            return self.columns
        first, farthest = self._ends
        begins = np.concatenate([[True], first[1:] > farthest[:-1]])
        ends = np.concatenate([begins[1:], [True]])
        joined = self.columns[:, begins]
        joined[3] = (farthest[ends] & _LOW) - _BIAS
        return joined


def _rows_as_json(columns: Columns) -> bytes:
    return orjson.dumps(np.ascontiguousarray(columns.T), option=orjson.OPT_SERIALIZE_NUMPY)


EMPTY = Region(np.zeros((4, 0), np.int32))


def decode(stored: bytes) -> Region:
    """Of its stored form."""
    return Region(np.frombuffer(stored, "<i4").reshape(4, -1))


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with a stored region."""
    stored = kept.read()
    if kept.typekey != REGION or len(stored) % 16:  # four numbers of four bytes
        yield "this is no region"
        return
    columns = decode(stored).columns
    if (columns[3] < columns[2]).any() or not np.array_equal(_sorted(columns), columns):
        yield "its spans run backwards or are not in order"


def parse_spans(body: bytes) -> Region:
    """A JSON list of [z, y, x0, x1] in any order; BadRequest for anything else, spans that run backwards or overlap.

    One that comes twice is taken once, as in the reference.
    """
    try:
        columns = np.ascontiguousarray(_rows(body, 4).T)
    except ValueError as error:
        raise BadRequest(f"a region is a JSON list of spans [z, y, x0, x1]: {error}") from None
    backwards = np.flatnonzero(columns[3] < columns[2])
    if len(backwards):
        raise BadRequest(f"the span {columns[:, backwards[0]].tolist()} runs backwards")
    columns = _sorted(columns)
    overlaps = np.flatnonzero((columns[:2, 1:] == columns[:2, :-1]).all(axis=0) & (columns[2, 1:] <= columns[3, :-1]))
    if len(overlaps):
        one, other = columns[:, overlaps[0]].tolist(), columns[:, overlaps[0] + 1].tolist()
        raise BadRequest(f"the spans {one} and {other} overlap")
    return Region(columns)


def _rows(body: bytes, width: int) -> NDArray[np.int32]:
    """Null, as Go writes an empty list, has none."""
    for kernel in _KERNELS:
        kernel.ready()  # together: to load one later would bring the compiler into memory again
    return parse_rows(b"[]" if body.strip() == b"null" else body, width)


def _sorted(columns: Columns) -> Columns:
    """Ascending, each span once."""
    z, y, x, xx = columns.astype(np.int64)
    rows, ends = (z << 32) | (y + _BIAS), (x << 32) | (xx + _BIAS)
    if not _ascends(rows, ends).all():
        order = np.lexsort((ends, rows))
        once = np.concatenate([np.ones(min(1, len(order)), np.bool_), _ascends(rows[order], ends[order])])
        columns = np.ascontiguousarray(columns[:, order[once]])
    return columns


def _ascends(rows: Numbers, ends: Numbers) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (rows[1:] > rows[:-1]) | ((rows[1:] == rows[:-1]) & (ends[1:] > ends[:-1]))
    return found


def parse_points(body: bytes) -> Columns:
    """A JSON list of voxels [x, y, z] -> (n, 3) z, y, x; BadRequest for anything else."""
    try:
        return _rows(body, 3)[:, ::-1]
    except ValueError as error:
        raise BadRequest(f"points are a JSON list of voxels [x, y, z]: {error}") from None
