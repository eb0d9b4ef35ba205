"""What a label block tells without its voxels being written out: counts and single voxels."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.errors import BadRequest
from dvidpy.kernels.jit import helper, kernel
from dvidpy.kernels.label_blocks import SIDE, Bytes, Labels, codes_plain

Counts = NDArray[np.uint16]
Indices = NDArray[np.uint32]

_ONE, _BYTE = np.uint64(1), np.uint64(8)
_LOW = np.uint64(0x5555555555555555)
"""The lower bit of each pair."""
_PAIRS, _NIBBLES, _BYTES = np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


def count(counts: Counts, indices: Indices, values: Bytes, labels: int) -> NDArray[np.int64]:
    """Voxels of each of so many labels; BadRequest where a code lies beyond its entries."""
    voxels = np.zeros(labels, np.int64)
    if not _count(counts, indices, values, voxels):
        raise BadRequest("a voxel of a label block points beyond the labels of its sub-block")
    return voxels


def pick(
    ends: NDArray[np.int64],
    labels: Labels,
    counts: Counts,
    indices: Indices,
    values: Bytes,
    grid: NDArray[np.int64],
    cuts: NDArray[np.int64],
    points: NDArray[np.int64],
) -> Labels:
    """Labels of voxels z, y, x inside blocks of `grid` (z, y, x) sub-blocks.

    Args:
        ends: (n, 4) for each block the ends of what it has of the four arrays (`label_voxels`).
        labels: the labels that its indices point to.
        counts: entries of each sub-block.
        indices: of the entries.
        values: codes of the voxels.
        grid: sub-blocks of a block along each axis.
        cuts: (n,) for each block the end of its points in those of all.
        points: (m, 3), from the first voxel of their block.
    """
    out = np.empty(len(points), np.uint64)
    _pick(ends, labels, counts, indices, values, grid, cuts, np.ascontiguousarray(points), out)
    return out


@helper
def ones(word: Any) -> Any:
    """How many bits of a word of 64 are set; the compiler makes one instruction of it."""
    word = word - ((word >> np.uint64(1)) & _LOW)
    word = (word & _PAIRS) + ((word >> np.uint64(2)) & _PAIRS)
    word = (word + (word >> np.uint64(4))) & _NIBBLES
    return np.int64((word * _BYTES) >> np.uint64(56))


@kernel(
    "boolean(Array(uint16, 1, 'C', readonly=True), Array(uint32, 1, 'C', readonly=True),"
    "Array(uint8, 1, 'C', readonly=True), int64[::1])"
)
def _count(counts: Any, indices: Any, values: Any, voxels: Any) -> Any:
    """Codes of one or two bits are counted by the bits of whole words. Rows of others are counted in turn in two
    tables, so that a count need not wait for the one before it.
    """
    tallies, entry, at = np.zeros((2, 512), np.int64), 0, 0
    for cube in range(counts.size):
        number = np.int64(counts[cube])
        if number == 0:
            continue
        bits, left = np.uint64(0), number - 1
        while left > 0:
            bits += _ONE
            left >>= 1
        size, mask = np.int64(bits), (_ONE << bits) - _ONE
        if size == 0:
            voxels[indices[entry]] += 512
            entry += 1
            continue
        if size <= 2:
            low, high, both = 0, 0, 0
            for start in range(at, at + 64 * size, 8):
                word = np.uint64(0)
                for i in range(8):
                    word = (word << _BYTE) | np.uint64(values[start + i])
                if size == 1:
                    low += ones(word)
                else:
                    low += ones(word & _LOW)
                    high += ones((word >> _ONE) & _LOW)
                    both += ones(word & (word >> _ONE) & _LOW)
            at += 64 * size
            tallies[0, 0], tallies[0, 1] = 512 - low - high + both, low - both
            tallies[0, 2], tallies[0, 3] = high - both, both
        for _ in range(64 if size > 2 else 0):
            if size == 9:
                for x in range(8):
                    pair = (np.int64(values[at + x]) << 8) | np.int64(values[at + x + 1])
                    tallies[x & 1, (pair >> (7 - x)) & 511] += 1
            else:
                word = np.uint64(0)
                for i in range(size):
                    word = (word << _BYTE) | np.uint64(values[at + i])
                for x in range(8):
                    tallies[x & 1, word & mask] += 1
                    word >>= bits
            at += size
        for i in range(1 << size):
            found = tallies[0, i] + tallies[1, i]
            tallies[0, i], tallies[1, i] = 0, 0
            if i < number:
                voxels[indices[entry + i]] += found
            elif found:
                return False
        entry += number
    return True


def count_plain(counts: Counts, indices: Indices, values: Bytes, voxels: NDArray[np.int64]) -> bool:
    """The plain twin. Sub-blocks without an entry have label 0, of no label's count."""
    codes = codes_plain(counts, values)
    ends = np.cumsum(counts.astype(np.int64))
    for cube, (end, number) in enumerate(zip(ends, counts.astype(np.int64), strict=True)):
        if codes[cube].max() >= max(number, 1):
            return False
        if number:
            np.add.at(voxels, indices[end - number : end], np.bincount(codes[cube], minlength=number))
    return True


@helper
def _pick_block(
    counts: Any, indices: Any, values: Any, labels: Any, grid: Any, starts: Any, points: Any, out: Any
) -> None:
    first, at = 0, 0
    for cube in range(counts.size):
        bits, left = 0, np.int64(counts[cube]) - 1
        while left > 0:
            bits += 1
            left >>= 1
        starts[cube, 0], starts[cube, 1], starts[cube, 2] = first, at, bits
        first, at = first + np.int64(counts[cube]), at + 64 * bits
    for i in range(points.shape[0]):
        z, y, x = points[i, 0], points[i, 1], points[i, 2]
        cube = ((z >> 3) * grid[1] + (y >> 3)) * grid[2] + (x >> 3)
        number, bits, code = np.int64(counts[cube]), starts[cube, 2], 0
        if bits:
            where = (((z & 7) * 8 + (y & 7)) * 8 + (x & 7)) * bits
            byte = starts[cube, 1] + (where >> 3)
            pair = np.int64(values[byte]) << 8
            if (where & 7) + bits > 8:
                pair |= np.int64(values[byte + 1])
            code = (pair >> (16 - (where & 7) - bits)) & ((1 << bits) - 1)
        out[i] = labels[indices[starts[cube, 0] + code]] if code < number else np.uint64(0)


@kernel(
    "void(Array(int64, 2, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(uint16, 1, 'C', readonly=True), Array(uint32, 1, 'C', readonly=True), Array(uint8, 1, 'C', readonly=True),"
    "Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), Array(int64, 2, 'C', readonly=True),"
    "uint64[::1])"
)
def _pick(
    ends: Any, labels: Any, counts: Any, indices: Any, values: Any, grid: Any, cuts: Any, points: Any, out: Any
) -> None:
    starts = np.empty((grid[0] * grid[1] * grid[2], 3), np.int64)
    at, first = np.zeros(4, np.int64), 0
    for block in range(ends.shape[0]):
        own = labels[at[0] : ends[block, 0]]
        if at[1] == ends[block, 1]:
            out[first : cuts[block]] = own[0]
        else:
            _pick_block(
                counts[at[1] : ends[block, 1]],
                indices[at[2] : ends[block, 2]],
                values[at[3] : ends[block, 3]],
                own,
                grid,
                starts,
                points[first : cuts[block]],
                out[first : cuts[block]],
            )
        at[:] = ends[block]
        first = cuts[block]


def pick_plain(
    ends: NDArray[np.int64],
    labels: Labels,
    counts: Counts,
    indices: Indices,
    values: Bytes,
    grid: NDArray[np.int64],
    cuts: NDArray[np.int64],
    points: NDArray[np.int64],
    out: Labels,
) -> None:
    """The plain twin."""
    blocks = pairwise([[0] * 4, *ends.tolist()])
    for (first, last), (begin, end) in zip(pairwise([0, *cuts.tolist()]), blocks, strict=True):
        own, sizes = labels[begin[0] : end[0]], counts[begin[1] : end[1]]
        if not sizes.size:
            out[first:last] = own[0]
            continue
        entries, codes = indices[begin[2] : end[2]], codes_plain(sizes, values[begin[3] : end[3]])
        firsts = np.cumsum(sizes.astype(np.int64)) - sizes
        for i in range(first, last):
            cube = np.ravel_multi_index(tuple(points[i] // SIDE), tuple(grid))
            code = codes[cube, np.ravel_multi_index(tuple(points[i] % SIDE), (SIDE, SIDE, SIDE))]
            out[i] = own[entries[firsts[cube] + code]] if code < sizes[cube] else 0
