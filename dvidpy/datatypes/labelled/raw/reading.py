"""Boxes of voxels out of the blocks of one scale, all from one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from dvidpy.datatypes.exchange import PIECE
from dvidpy.datatypes.labelled.blocks import load, share_some, spread, walk
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.state import Bodies
from dvidpy.datatypes.labels import several
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.several import Several, together
from dvidpy.datatypes.voxels.masks import Mask, find_mask
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import SIDE, Labels
from dvidpy.versioning.found import Found

T = TypeVar("T")
SHARE = 1 << 17
"""Voxels that are written by one call, about: a block of 64^3 by itself, planes of many together."""
HELD = 256
"""Blocks of a layer that are held while it is sent in slabs; a layer of more is one slab."""


class Reading(NamedTuple):
    """What a request reads: one moment, one scale."""

    data: LabelMap
    """On an unchanging view."""
    bodies: Bodies | None
    """None: supervoxels as they are."""
    scale: int = 0
    mask: Mask | None = None

    def relabelled(self, block: LabelBlock) -> LabelBlock:
        """A block as it is shown: its voxels are not looked at."""
        if self.bodies is None:
            return block
        labels = self.bodies.apply(block.labels)
        return block if labels is block.labels else block.with_labels(labels)

    def shown(self, found: Found) -> LabelBlock:
        """A stored block as it is shown."""
        return self.relabelled(load(self.data, found))

    def several(self, found: Sequence[tuple[Zyx, Found]]) -> Several:
        """Stored blocks as they are shown, one at least."""
        blocks = together([(place, load(self.data, value)) for place, value in found])
        return blocks if self.bodies is None else blocks.with_labels(self.bodies.apply(blocks.labels))

    def found(self, blocks: Box) -> Iterator[tuple[Zyx, Found]]:
        """(index, value) of those blocks of a box that were written, and are inside the mask."""
        found = walk(self.data, self.scale, blocks)
        if self.mask is None:
            return found
        depth, height, width = (side << self.scale for side in self.data.block)
        inside = self.mask.inside(blocks, (depth, height, width))
        z, y, x = blocks.start
        return (one for one in found if inside[one[0][0] - z, one[0][1] - y, one[0][2] - x])


def begin(data: LabelMap, *, scale: int = 0, supervoxels: bool = False, roi: str = "") -> Reading:
    """A reading of the present moment; BadRequest where `roi` names no region of interest."""
    scale = data.shown_scale(scale)
    mask = find_mask(data, roi) if roi else None
    return data.steady(lambda still, bodies: Reading(still, None if supervoxels else bodies, scale, mask))


def read_box(reading: Reading, box: Box) -> Labels:
    """(z, y, x) labels of a box; 0 where none were written. Its size is answerable."""
    blocks = box.blocks(reading.data.block)
    found = reading.found(blocks)
    if blocks.volume <= HELD:
        found = iter(some := [*found])
        out = _empty(box.size, whole=len(some) == blocks.volume)
    else:
        out = _empty(box.size, whole=False)

    def paste(some: list[tuple[Zyx, Found]]) -> None:
        several.paste(reading.several(some), out, box.start)

    each = max(1, -(-SHARE * blocks.volume // max(1, box.volume)))
    share_some(reading.data, paste, found, each)
    return out


def _empty(size: Zyx, *, whole: bool) -> Labels:
    """Room for labels, where they do not come for all voxels filled with 0."""
    return np.empty(size, np.uint64) if whole else np.zeros(size, np.uint64)


def layers(reading: Reading, box: Box) -> Iterator[Labels]:
    """The labels of a box in layers (z, y, x), one below the other: about as much as an answer's piece each."""
    for layer in _layers_of_blocks(reading, box):
        if _is_slab(reading, layer):
            yield read_box(reading, layer)
        else:
            yield from map(_Cut(reading, layer).slab, _slabs(layer))


def shared_layers(reading: Reading, box: Box, work: Callable[[Labels], T]) -> Iterator[T]:
    """What `work` makes of each of these layers, in their order; idle threads help."""
    for layer in _layers_of_blocks(reading, box):
        if _is_slab(reading, layer):
            yield work(read_box(reading, layer))
        else:
            yield from _shared(reading, layer, work)


def _layers_of_blocks(reading: Reading, box: Box) -> Iterator[Box]:
    depth = reading.data.block[0]
    blocks = box.blocks(reading.data.block)
    return (box.layer(first * depth, (first + 1) * depth) for first in range(blocks.start[0], blocks.stop[0]))


def _is_slab(reading: Reading, layer: Box) -> bool:
    """A layer of blocks is one slab."""
    return layer.volume * 8 <= PIECE or layer.blocks(reading.data.block).volume > HELD


def _slabs(layer: Box) -> list[Box]:
    """Slabs of whole sub-blocks: little memory is written, again and again."""
    depth, height, width = layer.size
    step = max(1, PIECE // (8 * SIDE * height * width)) * SIDE
    start = layer.start[0]
    return [layer.layer(low, low + step) for low in range(start - start % SIDE, start + depth, step)]


class _Cut:
    """A layer of blocks, held to be cut into slabs."""

    def __init__(self, reading: Reading, layer: Box) -> None:
        found = [*reading.found(layer.blocks(reading.data.block))]
        self._blocks = reading.several(found) if found else None
        self._whole = len(found) == layer.blocks(reading.data.block).volume

    def slab(self, box: Box) -> Labels:
        """Labels of a part of it, with all that lies beside."""
        out = _empty(box.size, whole=self._whole)
        if self._blocks is not None:
            several.paste(self._blocks, out, box.start)
        return out


def _shared(reading: Reading, layer: Box, work: Callable[[Labels], T]) -> Iterator[T]:
    cut = _Cut(reading, layer)
    return iter(spread(reading.data, lambda box: work(cut.slab(box)), _slabs(layer)))
