"""The compressed label block, which the reference stores and sends. See docs/internals/label-formats.md.

Its first bytes name its labels, so that much is known and changed without looking at a voxel.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels import label_blocks, label_reads, label_voxels
from dvidpy.kernels.label_blocks import SIDE, Bytes, Labels

_HEAD = struct.Struct("<4I")
LARGEST_SIDE = 1024
"""Voxels along one side of a block."""
_FIRST = np.array([1], np.int64)
_NONE = np.empty(0, np.uint16), np.empty(0, np.uint32), np.empty(0, np.uint8)


class LabelBlock(NamedTuple):
    """A block whose layout is sound: no count, index or size of it leads out of its arrays."""

    size: Zyx
    """Voxels."""
    labels: Labels
    """The labels its indices point to. One may stand there twice, or be that of no voxel."""
    counts: NDArray[np.uint16]
    """Entries of each sub-block; none at all in a solid block."""
    indices: NDArray[np.uint32]
    values: Bytes

    @property
    def is_solid(self) -> bool:
        """All voxels have one label, as far as its labels tell."""
        if not self.counts.size:
            return True
        # A sub-block without entries has label 0.
        return bool((self.labels == self.labels[0]).all() and (self.labels[0] == 0 or self.counts.all()))

    @property
    def volume(self) -> int:
        """Number of voxels."""
        depth, height, width = self.size
        return depth * height * width

    def with_labels(self, labels: Labels) -> LabelBlock:
        """Its labels replaced one by one, its voxels not looked at."""
        return self._replace(labels=np.ascontiguousarray(labels, np.uint64))

    def encode(self) -> bytes:
        """As stored and sent."""
        return b"".join((self.head(), *(part.tobytes() for part in self[2:])))

    def head(self) -> bytes:
        """The beginning of that: size and labels."""
        depth, height, width = self.size
        return _HEAD.pack(width // SIDE, height // SIDE, depth // SIDE, self.labels.size) + self.labels.tobytes()

    def behind(self) -> bytes:
        """The rest, which names no label."""
        return b"".join(part.tobytes() for part in self[2:])


def parse(data: bytes | memoryview, size: Zyx) -> LabelBlock:
    """Bytes -> block, without a copy where they lie well; BadRequest for what is no block of `size` voxels.

    Costs some microseconds. Codes are not looked at: `count` refuses those beyond their entries.
    """
    labels = labels_of(data, size)
    at = _HEAD.size + labels.nbytes
    if labels.size == 1:
        if len(data) != at:
            raise BadRequest(f"a solid label block has {at} bytes, not {len(data)}")
        return LabelBlock(size, labels, *_NONE)
    cubes = (size[0] // SIDE) * (size[1] // SIDE) * (size[2] // SIDE)
    if len(data) < at + 2 * cubes:
        raise BadRequest(f"a label block of {len(data)} bytes ends before the counts of its {cubes} sub-blocks")
    counts = _array(data, at, cubes, "<u2")
    entries, packed = label_blocks.layout(counts)
    if entries < 0 or len(data) != at + 2 * cubes + 4 * entries + packed:
        raise BadRequest(f"the sub-blocks of a label block do not fit its {len(data)} bytes")
    indices = _array(data, at + 2 * cubes, entries, "<u4")
    if indices.max(initial=0) >= labels.size:
        raise BadRequest(f"an index of a label block lies beyond its {labels.size} labels")
    return LabelBlock(size, labels, counts, indices, _array(data, at + 2 * cubes + 4 * entries, packed, "u1"))


def labels_of(data: bytes | memoryview, size: Zyx) -> Labels:
    """The labels that stand at the head of a block; BadRequest where it is not of that size or ends before."""
    if len(data) < _HEAD.size:
        raise BadRequest(f"a label block of {len(data)} bytes has no head")
    gx, gy, gz, number = _HEAD.unpack_from(data)
    if (gz * SIDE, gy * SIDE, gx * SIDE) != size:
        raise BadRequest(f"a label block of {[gx * SIDE, gy * SIDE, gz * SIDE]} voxels, not {[*size[::-1]]}")
    if not number or len(data) < _HEAD.size + 8 * number:
        raise BadRequest(f"a label block of {len(data)} bytes cannot hold {number} labels")
    return _array(data, _HEAD.size, number, "<u8")


def solid(label: int, size: Zyx) -> LabelBlock:
    """A block of one label."""
    return LabelBlock(size, np.array([label], np.uint64), *_NONE)


def from_volume(volume: Labels) -> LabelBlock:
    """(z, y, x) labels, with any strides, sides multiples of 8 -> block."""
    size, volume = demand_block_size(volume.shape), np.require(volume, np.uint64, "A")
    first = volume[0, 0, 0]
    if volume[-1, -1, -1] == first and (volume == first).all():
        return solid(int(first), size)
    return LabelBlock(size, *label_blocks.encode(volume))


def demand_block_size(size: tuple[int, ...]) -> Zyx:
    """A size of blocks in voxels; BadRequest where it is none that label blocks can have."""
    if len(size) != 3 or any(side <= 0 or side % SIDE or side > LARGEST_SIDE for side in size):
        raise BadRequest(f"sides of label blocks are multiples of {SIDE} up to {LARGEST_SIDE}, not {[*size[::-1]]}")
    depth, height, width = size
    return depth, height, width


def to_volume(block: LabelBlock) -> Labels:
    """All its voxels, (z, y, x)."""
    out = np.empty(block.size, np.uint64)
    paste(block, (0, 0, 0), out, (0, 0, 0))
    return out


def paste(block: LabelBlock, at: Zyx, out: Labels, start: Zyx) -> None:
    """Write what a block and an array have in common.

    Args:
        block: the block; `with_labels` shows bodies for supervoxels.
        at: place of its first voxel (z, y, x).
        out: (z, y, x) array with any strides.
        start: place of the array's first voxel.
    """
    frame = np.array([[side // SIDE for side in block.size], start], np.int64)
    ends = np.array([[part.size for part in block[1:]]], np.int64)
    label_voxels.unpack(ends, *block[1:], np.array([at], np.int64), frame, out)


def count(block: LabelBlock) -> tuple[Labels, NDArray[np.int64]]:
    """(labels ascending, voxels of each), label 0 too; BadRequest where a code lies beyond its entries.

    Every untrusted block goes through here once.
    """
    if not block.counts.size:
        return block.labels, np.array([block.volume], np.int64)
    voxels = label_reads.count(block.counts, block.indices, block.values, block.labels.size)
    empty = np.count_nonzero(block.counts == 0) * SIDE**3
    labels, place = np.unique(np.append(block.labels, np.uint64(0)), return_inverse=True)
    sums = np.zeros(labels.size, np.int64)
    np.add.at(sums, place, np.append(voxels, empty))
    return labels[sums > 0], sums[sums > 0]


def label_at(block: LabelBlock, point: Zyx) -> int:
    """Label of one voxel, which lies inside the block; `point` counts from its first voxel."""
    if not block.counts.size:
        return int(block.labels[0])
    grid = np.array([side // SIDE for side in block.size], np.int64)
    ends = np.array([[part.size for part in block[1:]]], np.int64)
    return int(label_reads.pick(ends, *block[1:], grid, _FIRST, np.array([point], np.int64))[0])


class Group(NamedTuple):
    """The points of one block."""

    block: Zyx
    """Index of the block in the grid."""
    places: NDArray[np.int64]
    """Which of all points they are."""
    points: NDArray[np.int64]
    """(n, 3) z, y, x, from the block's first voxel."""


def group_by_block(points: NDArray[np.int64], size: Zyx) -> list[Group]:
    """(n, 3) voxels z, y, x of 32 bits -> those of each block, blocks in the order of z, y, x."""
    if not len(points):
        return []
    blocks, inside = _divided(points, size)
    order, begins = _order(blocks)
    blocks, inside = blocks[order], inside[order]
    cuts = [0, *(begins + 1).tolist(), len(points)]
    return [
        Group((z, y, x), order[first:last], inside[first:last])
        for (z, y, x), (first, last) in zip(blocks[cuts[:-1]].tolist(), pairwise(cuts), strict=True)
    ]


def _order(blocks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(order of (n, 3) indices by z, y, x; places in that order behind which another one comes)."""
    columns = np.ascontiguousarray(blocks.T)
    low = columns.min(axis=1)
    _, rows, across = sides = (columns.max(axis=1) - low + 1).tolist()
    if prod(sides) > np.iinfo(np.int64).max:
        order = np.lexsort(columns[::-1])
        ordered = blocks[order]
        return order, np.flatnonzero((ordered[1:] != ordered[:-1]).any(axis=1))
    z, y, x = columns - low[:, None]
    numbers = (z * rows + y) * across + x  # one says all three
    # Numbers of 16 bits are sorted by their digits.
    order = np.argsort(numbers.astype(np.uint16) if prod(sides) <= 1 << 16 else numbers, kind="stable")
    ordered = numbers[order]
    return order, np.flatnonzero(ordered[1:] != ordered[:-1])


def _divided(points: NDArray[np.int64], size: Zyx) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(blocks, places inside of them); by bits where the sides are powers of two, which is ten times as quick."""
    sides = np.array(size, np.int64)
    if (sides & (sides - 1)).any():
        return np.divmod(points, sides)
    return points >> np.array([side.bit_length() - 1 for side in size]), points & (sides - 1)


def box_of(block: Zyx, size: Zyx) -> Box:
    """Voxels of the block at that index of the grid."""
    return Box(block, (1, 1, 1)).voxels(size)


def _array(data: bytes | memoryview, at: int, count: int, dtype: str) -> NDArray[Any]:
    """Part of the bytes as an array; copied where it does not lie as a processor wants it."""
    found = np.frombuffer(data, dtype, count, at)
    return found if found.flags.aligned else found.copy()
