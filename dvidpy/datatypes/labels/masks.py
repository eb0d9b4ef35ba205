"""Which voxels of a block are inside a body, a bit a voxel: the step before every format of sparse volumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.index import among
from dvidpy.datatypes.labels.several import Several, together
from dvidpy.geometry import Zyx
from dvidpy.kernels import label_masks, label_runs
from dvidpy.kernels.label_blocks import SIDE, Bytes, Labels
from dvidpy.kernels.label_masks import ALL, NOTHING, Bits
from dvidpy.kernels.label_runs import Runs


class Mask(NamedTuple):
    """Voxels of a block."""

    size: Zyx
    flags: Bytes
    """Of each sub-block: 0 nothing inside, 1 everything, 2 some."""
    bits: Bits
    """(n, 64): a row of 8 voxels a byte, lowest bit first."""

    @property
    def grid(self) -> Zyx:
        """Sub-blocks along each axis."""
        depth, height, width = self.size
        return depth // SIDE, height // SIDE, width // SIDE

    @property
    def is_empty(self) -> bool:
        """Nothing is inside."""
        return bool((self.flags == NOTHING).all())

    @property
    def is_full(self) -> bool:
        """Everything is inside."""
        return bool((self.flags == ALL).all())

    @property
    def voxels(self) -> int:
        """How many are inside."""
        return int(np.bitwise_count(self.bits).sum(dtype=np.int64))


def mask_of(block: LabelBlock, wanted: Labels) -> Mask | None:
    """Voxels whose label is among `wanted`, which ascend; none where the head of the block names no such label.

    A body is the set of its supervoxels, so no mapping is needed.
    """
    if not among(block.labels, wanted).any():
        return None
    found = masks_of(together([((0, 0, 0), block)]), wanted)
    return Mask(block.size, found.flags[0], found.bits[0])


class Masks(NamedTuple):
    """Voxels of some blocks."""

    size: Zyx
    """Of a block."""
    places: list[Zyx]
    """Index of each block in the grid."""
    flags: Bytes
    """(n, cubes), as in a `Mask`."""
    bits: Bits
    """(n, cubes, 64)"""

    def each(self) -> Iterator[tuple[Zyx, Mask]]:
        """(place, mask) of each."""
        for place, flags, bits in zip(self.places, self.flags, self.bits, strict=True):
            yield place, Mask(self.size, flags, bits)


def masks_of(some: Several, wanted: Labels) -> Masks:
    """The same of several blocks."""
    found = label_masks.mask(some.ends, some.labels, some.counts, some.indices, some.values, wanted, some.cubes)
    return Masks(some.size, some.places, *found)


def full_mask(size: Zyx) -> Mask:
    """All voxels of a block."""
    cubes = size[0] * size[1] * size[2] // SIDE**3
    return Mask(size, np.full(cubes, ALL, np.uint8), np.full((cubes, SIDE * SIDE), 255, np.uint8))


def mask_of_runs(runs: Runs, start: Zyx, size: Zyx) -> Mask:
    """Voxels of runs that lie in the block whose first voxel is `start`; the others are left away."""
    grid = tuple(side // SIDE for side in size)
    bits = np.zeros((grid[0] * grid[1] * grid[2], SIDE * SIDE), np.uint8)
    label_runs.stamp(runs, np.array([grid, start], np.int64), bits)
    flags = np.where((bits == 255).all(axis=1), ALL, bits.any(axis=1) * np.uint8(2)).astype(np.uint8)
    return Mask(size, flags, bits)
