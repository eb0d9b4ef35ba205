"""Subvolumes that cover a region, some batch of blocks wide: those of equal size, and those fitted to it.

Both go layer by layer along z, in a layer row by row along y, in a row from block to block along x.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson

from dvidpy.datatypes.roi.instance import Roi
from dvidpy.datatypes.roi.region import Columns, Numbers
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, Box, Zyx, box_between, to_wire

MOST = 1 << 18
"""Subvolumes of an answer."""
LARGEST_BATCH = 1 << 16
"""Blocks along an axis of a subvolume."""
SHOWN = 1000
"""Subvolumes of a piece of JSON."""


class Subvolume(NamedTuple):
    """A box of blocks."""

    blocks: Box
    active: int
    """How many of them are in the region."""


class Layer(NamedTuple):
    """Blocks z <= … < z + depth, and spans that lie there."""

    z: int
    depth: int
    spans: Columns


class Partition:
    """Subvolumes in order; BadRequest when they become too many."""

    def __init__(self) -> None:
        self.subvolumes: list[Subvolume] = []
        self.total = 0
        """Blocks that were looked at, those of subvolumes without a block of the region included."""

    def add(self, subvolume: Subvolume) -> None:
        """One more."""
        self.demand_few(1)
        self.subvolumes.append(subvolume)

    def demand_few(self, more: int) -> None:
        """BadRequest where so many more are too many."""
        if len(self.subvolumes) + more > MOST:
            raise BadRequest(f"this makes more than {MOST} subvolumes; a larger batchsize makes fewer")


class Row:
    """What spans cover along x, whatever their y and z."""

    def __init__(self, spans: Columns) -> None:
        first, stop = spans[2].astype(np.int64), spans[3].astype(np.int64) + 1
        order = np.argsort(first, kind="stable")
        self._first, farthest = first[order], np.maximum.accumulate(stop[order])
        self._stop = np.sort(stop)
        self._firsts, self._stops = (np.concatenate([[0], np.cumsum(ends)]) for ends in (self._first, self._stop))
        apart = self._first[1:] > farthest[:-1]
        self.begins: Numbers = self._first[np.concatenate([[True], apart])]
        self.ends: Numbers = farthest[np.concatenate([apart, [True]])]
        """Stretches that any span covers: begins <= x < ends, ascending and apart."""

    def before(self, x: Numbers) -> Numbers:
        """How many blocks of the spans lie before each x."""
        begun, over = np.searchsorted(self._first, x), np.searchsorted(self._stop, x)
        found: Numbers = (begun * x - self._firsts[begun]) - (over * x - self._stops[over])
        return found


# ---------------------------------------------------------------------- equal ones
def equal(spans: Columns, batch: int) -> Partition:
    """Cubes of batch^3 blocks, each row of them centred over what it covers."""
    found = Partition()
    for layer in _centred_layers(spans, batch):
        _divide_equally(found, layer, batch)
    return found


def _centred_layers(spans: Columns, batch: int) -> Iterator[Layer]:
    """As recorded from the reference, the layer moves on by one only with each span behind it, however far that is."""
    if not spans.shape[1]:
        return
    z = spans[0].tolist()
    at = z[0] - (z[-1] - z[0] + 1) % batch // 2
    first = 0
    for number, here in enumerate(z):
        if here >= at + batch:
            yield Layer(at, batch, spans[:, first:number])
            at, first = at + batch, number
    yield Layer(at, batch, spans[:, first:])


def _divide_equally(found: Partition, layer: Layer, batch: int) -> None:
    for start, stop, here in _rows(layer.spans, _centred(layer.spans[1], layer.spans[1], batch), batch):
        row = Row(here)
        begin, end = _centred(row.begins, row.ends - 1, batch)
        found.total += -(-(end - begin) // batch) * batch**3
        places = begin + _cells(found, (row.begins - begin) // batch, (row.ends - 1 - begin) // batch) * batch
        active = row.before(places + batch) - row.before(places)
        for x, number in zip(places.tolist(), active.tolist(), strict=True):
            found.add(Subvolume(box_between((layer.z, start, x), (layer.z + batch, stop, x + batch)), number))


def _cells(found: Partition, first: Numbers, last: Numbers) -> Numbers:
    """Numbers of the subvolumes along x that any stretch lies in; BadRequest where they are too many."""
    found.demand_few(int((last - first).max()) + 1)
    first = np.maximum(first, np.concatenate([first[:1], last[:-1] + 1]))  # the first may be the last one's
    counts = np.maximum(last - first + 1, 0)
    found.demand_few(int(counts.sum()))
    return np.repeat(last + 1 - np.cumsum(counts), counts) + np.arange(counts.sum())


def _centred(first: Any, last: Any, batch: int) -> tuple[int, int]:
    """From where to where subvolumes stand that are centred over these blocks: start included, stop not."""
    low, high = int(first.min()), int(last.max()) + 1
    left = (high - low) % batch
    return low - left // 2, high + left - left // 2


def _rows(spans: Columns, bounds: tuple[int, int], batch: int) -> Iterator[tuple[int, int, Columns]]:
    """(first y, y behind the last, spans there) of each row that has any."""
    row = (spans[1].astype(np.int64) - bounds[0]) // batch
    order = np.argsort(row, kind="stable")
    numbers, begins = np.unique(row[order], return_index=True)
    for number, these in zip(numbers.tolist(), np.split(order, begins[1:]), strict=True):
        y = bounds[0] + number * batch
        yield y, y + batch, spans[:, these]


# ---------------------------------------------------------------------- fitted ones
def fitted(spans: Columns, batch: int) -> Partition:
    """Subvolumes of some batch blocks a side, without layers, rows and ends that are empty."""
    found = Partition()
    for layer in _fitted_layers(spans, batch):
        by_y = layer.spans[:, np.argsort(layer.spans[1], kind="stable")]
        for start, stop in _widened(by_y[1].astype(np.int64), batch):
            first, last = np.searchsorted(by_y[1], (start, min(stop, HIGHEST + 1)))
            row = Row(by_y[:, first:last])
            found.demand_few(int((row.ends - row.begins).sum()) // (batch + 1))
            places = np.array(list(_stretches(row, batch)), np.int64)
            active = row.before(places[:, 1]) - row.before(places[:, 0])
            for (x, xx), number in zip(places.tolist(), active.tolist(), strict=True):
                box = box_between((layer.z, start, x), (layer.z + layer.depth, stop, xx))
                found.add(Subvolume(box, number))
                found.total += box.volume
    return found


def _fitted_layers(spans: Columns, batch: int) -> Iterator[Layer]:
    """The first layer is batch deep; those after it take a block more while any are left over."""
    if not spans.shape[1]:
        return
    z = spans[0].astype(np.int64)
    start, end = int(z[0]), int(z[-1])
    left, depth = (end - start + 1) % batch, batch
    while start <= end:
        first, last = np.searchsorted(z, (start, start + depth))
        if first < last:
            yield Layer(start, depth, spans[:, first:last])
            start, depth = start + depth, batch + (left > 0)
            left -= left > 0
        else:
            start = int(z[first])  # a gap: the next layer begins with the next block


def _widened(used: Numbers, batch: int) -> Iterator[tuple[int, int]]:
    """Rows over these ascending y, batch wide, the first ones a block wider while any are left over; none is empty."""
    low, high = int(used[0]), int(used[-1])
    left = (high - low + 1) % batch
    while low <= high:
        width = batch + (left > 0)
        next_used = int(used[np.searchsorted(used, low)])
        if next_used >= low + width:
            low = next_used  # nothing here: go on where something is
            continue
        left -= left > 0
        yield low, low + width
        low += width


def _stretches(row: Row, batch: int) -> Iterator[tuple[int, int]]:
    """(x, x behind the last) of the subvolumes of a row; one that has a hole ends there, joined to the one before."""
    begins, ends = row.begins.tolist(), row.ends.tolist()
    low, high = begins[0], ends[-1]
    left = (high - low) % batch
    waiting: tuple[int, int] | None = None
    while low < high:
        here = bisect_right(ends, low)
        low = max(low, begins[here])
        stop = low + batch + (left > 0)
        left -= left > 0
        hole = _largest_hole(begins, ends, here, stop) if stop > ends[here] else None
        end, after = hole or (stop, stop)
        if waiting is not None and hole is not None and waiting[1] == low:
            waiting = waiting[0], end
        else:
            if waiting is not None:
                yield waiting
            waiting = low, end
        low = after
    if waiting is not None:
        yield waiting


def _largest_hole(begins: list[int], ends: list[int], here: int, stop: int) -> tuple[int, int]:
    """The longest hole before `stop`, behind the stretch `here`, which ends before it; the first of equal ones."""
    last = bisect_left(begins, stop)
    holes = zip((min(end, stop) for end in ends[here:last]), (*begins[here + 1 : last], stop), strict=True)
    return max(holes, key=lambda hole: hole[1] - hole[0])


# ---------------------------------------------------------------------- answers
def as_json(roi: Roi, found: Partition) -> Iterator[bytes]:
    """In the reference's words, in pieces."""
    head = {
        "NumTotalBlocks": found.total,
        "NumActiveBlocks": sum(subvolume.active for subvolume in found.subvolumes),
        "NumSubvolumes": len(found.subvolumes),
        "ROI": _extents(roi),
    }
    yield json.dumps(head).encode()[:-1] + b',"Subvolumes":['
    block = roi.block
    for first in range(0, len(found.subvolumes), SHOWN):
        some = [_shown(subvolume, block) for subvolume in found.subvolumes[first : first + SHOWN]]
        yield (b"," if first else b"") + orjson.dumps(some)[1:-1]
    yield b"]}"


def _extents(roi: Roi) -> dict[str, list[int]]:
    """Corners of the region, in blocks. As in the reference block 0 always counts along x and y."""
    low, high = roi.z_range()
    _, y, x, xx = roi.region.columns
    return {
        "MinChunk": [int(x.min(initial=0)), int(y.min(initial=0)), low],
        "MaxChunk": [int(xx.max(initial=0)), int(y.max(initial=0)), high],
    }


def _shown(subvolume: Subvolume, block: Zyx) -> dict[str, Any]:
    blocks, voxels = subvolume.blocks, subvolume.blocks.voxels(block)
    return {
        "MinPoint": to_wire(voxels.start),
        "MaxPoint": [at - 1 for at in to_wire(voxels.stop)],
        "MinChunk": to_wire(blocks.start),
        "MaxChunk": [at - 1 for at in to_wire(blocks.stop)],
        "TotalBlocks": blocks.volume,
        "ActiveBlocks": subvolume.active,
    }
