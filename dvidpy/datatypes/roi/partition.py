"""Subvolumes that cover a region, some batch of blocks wide: those of equal size, and those fitted to it.

Both go layer by layer along z, in a layer row by row along y, in a row from block to block along x.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson

from dvidpy.datatypes.roi.instance import Roi
from dvidpy.datatypes.roi.region import Columns
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, box_between, to_wire

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


Divide = Callable[[Partition, Layer, int], None]


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
        begin, end = _centred(here[2], here[3], batch)
        found.total += -(-(end - begin) // batch) * batch**3
        cells = (here[2:].astype(np.int64) - begin) // batch
        found.demand_few(int((cells[1] - cells[0] + 1).max()))
        for cell, active in _active_cells(here, begin, batch):
            x = begin + cell * batch
            found.add(Subvolume(box_between((layer.z, start, x), (layer.z + batch, stop, x + batch)), active))


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


def _active_cells(spans: Columns, begin: int, batch: int) -> Iterator[tuple[int, int]]:
    """(number of a subvolume along x, blocks of the region in it), where there are any."""
    active: dict[int, int] = {}
    first, last = (spans[2:].astype(np.int64) - begin).tolist()
    for x, xx in zip(first, last, strict=True):
        for cell in range(x // batch, xx // batch + 1):
            active[cell] = active.get(cell, 0) + min(xx, (cell + 1) * batch - 1) - max(x, cell * batch) + 1
    return iter(sorted(active.items()))


# ---------------------------------------------------------------------- fitted ones
def fitted(spans: Columns, batch: int) -> Partition:
    """Subvolumes of some batch blocks a side, without layers, rows and ends that are empty."""
    found = Partition()
    for layer in _fitted_layers(spans, batch):
        for start, stop in _widened(int(layer.spans[1].min()), int(layer.spans[1].max()), batch, layer.spans[1]):
            here = layer.spans[:, (layer.spans[1] >= start) & (layer.spans[1] < stop)]
            for x, xx in _stretches(here, batch):
                box = box_between((layer.z, start, x), (layer.z + layer.depth, stop, xx))
                found.add(Subvolume(box, _active(here, x, xx)))
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


def _widened(low: int, high: int, batch: int, used: Any) -> Iterator[tuple[int, int]]:
    """Rows from low to high, batch wide, the first ones a block wider while any are left over; only those used."""
    left = (high - low + 1) % batch
    places = np.unique(used).astype(np.int64)
    while low <= high:
        next_used = int(places[np.searchsorted(places, low)])
        width = batch + (left > 0)
        if next_used >= low + width:
            low = next_used  # nothing here: go on where something is
            continue
        left -= left > 0
        yield low, low + width
        low += width


def _stretches(spans: Columns, batch: int) -> Iterator[tuple[int, int]]:
    """(x, x behind the last) of the subvolumes of a row; one that has a hole ends there, joined to the one before."""
    runs = _runs(spans)
    low, high = int(runs[0][0]), int(runs[1][-1])
    left = (high - low) % batch
    waiting: tuple[int, int] | None = None
    while low < high:
        run = int(np.searchsorted(runs[1], low, side="right"))
        low = max(low, int(runs[0][run]))
        width = batch + (left > 0)
        left -= left > 0
        hole = _largest_hole(runs, low, low + width)
        joined = waiting is not None and hole is not None and waiting[1] == low
        here = (waiting[0] if waiting is not None and joined else low, low + width if hole is None else hole[0])
        if waiting is not None and not joined:
            yield waiting
        waiting = here
        low = low + width if hole is None else hole[1]
    if waiting is not None:
        yield waiting


def _runs(spans: Columns) -> tuple[Any, Any]:
    """(first x, x behind the last) of the stretches that any span covers, ascending and apart."""
    order = np.argsort(spans[2], kind="stable")
    first = spans[2, order].astype(np.int64)
    stop = np.maximum.accumulate(spans[3, order].astype(np.int64) + 1)
    apart = first[1:] > stop[:-1]
    return first[np.concatenate([[True], apart])], stop[np.concatenate([apart, [True]])]


def _largest_hole(runs: tuple[Any, Any], low: int, stop: int) -> tuple[int, int] | None:
    """The longest stretch of low <= x < stop that nothing covers, the first of equal ones; `low` is covered."""
    first = int(np.searchsorted(runs[1], low, side="right"))
    last = int(np.searchsorted(runs[0], stop))
    begins = np.minimum(runs[1][first:last], stop)
    ends = np.append(runs[0][first + 1 : last], stop)
    best = int(np.argmax(ends - begins))
    return (int(begins[best]), int(ends[best])) if ends[best] > begins[best] else None


def _active(spans: Columns, start: int, stop: int) -> int:
    """Blocks of spans with start <= x < stop."""
    first, last = np.maximum(spans[2].astype(np.int64), start), np.minimum(spans[3].astype(np.int64) + 1, stop)
    return int(np.maximum(last - first, 0).sum())


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
