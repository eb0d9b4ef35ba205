"""Which blocks a sparse volume is made of, from the index alone; and the voxels of those, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labelled.asked import find_part
from dvidpy.datatypes.labelled.blocks import load, spread
from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import block_key
from dvidpy.datatypes.labels.block_keys import blocks_of, keys_of
from dvidpy.datatypes.labels.masks import Mask, Masks, mask_of, masks_of
from dvidpy.datatypes.labels.runs import EVERYWHERE
from dvidpy.datatypes.labels.several import together
from dvidpy.errors import NotFound
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.versioning.found import Found

TOGETHER = 32
"""Blocks that are read together."""
FEWEST, MOST_SHARES = 8, 16
"""Blocks of a share of work, unless a row has more; shares that are dealt out at a time."""
ROOM = 4 << 20
"""Bytes that are made of them and held, about."""


class Region(NamedTuple):
    """A body, or a part of it, at a scale."""

    data: LabelMap
    """On a view that does not change: index and blocks agree."""
    scale: int
    supervoxels: Labels
    """Ascending."""
    blocks: NDArray[np.int64]
    """(n, 3) z, y, x of the scale's grid, in order, each once."""

    def masks(self) -> Iterator[tuple[Zyx, Mask]]:
        """(block, which of its voxels are inside) of the blocks that have any, in order."""
        for place, value in self._found():
            mask = mask_of(load(self.data, value), self.supervoxels)
            if mask is not None:
                yield place, mask

    def shared(self, work: Callable[[Masks], bytes]) -> Iterator[bytes]:
        """What `work` makes of masks of some blocks at a time, in order; idle threads help. No row along x is cut."""

        def make(some: list[tuple[Zyx, Found]]) -> bytes:
            return work(
                masks_of(together([(place, load(self.data, value)) for place, value in some]), self.supervoxels)
            )

        rows, shares = self._rows(), 2
        while some := [*islice(rows, shares)]:
            # What is stored in parts is read on this thread, which has the snapshot.
            here = any(found.manifest is not None for row in some for _, found in row)
            made = [*map(make, some)] if here else spread(self.data, make, some)
            shares = max(2, min(MOST_SHARES, ROOM // max(1, *map(len, made))))
            made.reverse()
            while made:  # none is held when the next ones are made
                yield made.pop()

    def _rows(self) -> Iterator[list[tuple[Zyx, Found]]]:
        row: list[tuple[Zyx, Found]] = []
        for one in self._found():
            if len(row) >= FEWEST and one[0][:2] != row[-1][0][:2]:
                yield row
                row = []
            row.append(one)
        if row:
            yield row

    def _found(self) -> Iterator[tuple[Zyx, Found]]:
        for first in range(0, len(self.blocks), TOGETHER):
            places: list[Zyx] = [(z, y, x) for z, y, x in self.blocks[first : first + TOGETHER].tolist()]
            values = self.data.view.find_many(block_key(self.scale, place) for place in places)
            for place, value in zip(places, values, strict=True):
                if value is not None:  # else an index came without its voxels
                    yield place, value


def find_region(data: LabelMap, label: int, scale: int, bounds: Box, *, supervoxel: bool) -> Region:
    """Blocks that a body, or a supervoxel, has within bounds; NotFound where it has none."""
    if supervoxel:
        still, body = find_part(data, label)
    else:
        still = data.still()
        body = still.find_body(label)
    region = None if body is None else region_of(still, body, scale, bounds)
    if region is None and body is not None and data.runs_alone:
        return Region(still, scale, body.sizes[0], body.blocks[:0])
    if region is None:
        raise NotFound(f"label {label} has no voxels there")
    return region


def region_of(data: LabelMap, body: Body, scale: int, bounds: Box) -> Region | None:
    """Blocks of a body within bounds, which are those of the scale; none where there are none."""
    blocks = body.blocks if not scale else blocks_of(np.unique(keys_of(body.blocks >> scale)))
    blocks = within(blocks, bounds, data.block)
    return Region(data, scale, body.sizes[0], blocks) if len(blocks) else None


def within(blocks: NDArray[np.int64], bounds: Box, block: Zyx) -> NDArray[np.int64]:
    """Those of some blocks that bounds of voxels touch."""
    if bounds == EVERYWHERE:
        return blocks
    if not bounds.volume:
        return blocks[:0]
    box = bounds.blocks(block)
    return blocks[np.all((blocks >= np.array(box.start)) & (blocks < np.array(box.stop)), axis=1)]
