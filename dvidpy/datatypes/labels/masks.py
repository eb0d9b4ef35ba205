"""Which voxels of a block are inside a body, a bit a voxel: the step before every format of sparse volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.index import among
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
    flags, bits = _masks([block], wanted)
    return Mask(block.size, flags[0], bits[0])


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


def masks_of(blocks: Sequence[tuple[Zyx, LabelBlock]], wanted: Labels) -> Masks:
    """The same of some blocks of one size, one at least, at their places."""
    places = [place for place, _ in blocks]
    return Masks(blocks[0][1].size, places, *_masks([block for _, block in blocks], wanted))


def _masks(blocks: Sequence[LabelBlock], wanted: Labels) -> tuple[Bytes, Bits]:
    cubes = blocks[0].volume // SIDE**3
    labels, counts, indices, values = parts = [*zip(*(block[1:] for block in blocks), strict=True)]
    ends = np.ascontiguousarray(np.cumsum([[part.size for part in some] for some in parts], axis=1, dtype=np.int64).T)
    return label_masks.mask(ends, _joined(labels), _joined(counts), _joined(indices), _joined(values), wanted, cubes)


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


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
