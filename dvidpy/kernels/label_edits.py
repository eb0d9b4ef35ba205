"""Label volumes changed voxel by voxel: labels chosen by a mask, and half the resolution by vote."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import helper, kernel
from dvidpy.kernels.label_blocks import Box, Bytes, Labels
from dvidpy.kernels.label_masks import Bits
from dvidpy.kernels.label_runs import voxels_of
from dvidpy.kernels.label_voxels import voxels_plain


def choose(places: Labels, bits: Bits, labels: Labels) -> NDArray[np.int64]:
    """Turn places among the labels of a block into labels, by a mask; (n, 2) voxels of each label outside and inside.

    Args:
        places: (z, y, x), C-contiguous, each below n; changed to labels.
        bits: masks of its sub-blocks.
        labels: (n, 2): the label that each place stands for outside the mask, and inside.
    """
    voxels = np.zeros(labels.shape, np.int64)
    _choose(places, bits, labels, voxels)
    return voxels


def vote(labels: Labels, out: Labels) -> None:
    """Half the resolution: of each 2 x 2 x 2 voxels the label with most votes; the smaller one of several.

    Label 0 has no vote; it is left where nobody has. `labels` is a (z, y, x) array, `out` one with half its sides;
    both may have any strides.
    """
    _vote(labels, out)


def vote_block(
    counts: NDArray[np.uint16], indices: NDArray[np.uint32], values: Bytes, labels: Labels, grid: Box, out: Labels
) -> None:
    """The same of a block as it is stored, of `grid` (z, y, x) sub-blocks, whose layout was checked.

    Sub-blocks go one by one through room that a processor has at hand; most have one label, or two.
    """
    _vote_block(counts, indices, values, labels, grid, out)


@kernel(
    "void(uint64[:, :, ::1], Array(uint8, 2, 'C', readonly=True), Array(uint64, 2, 'C', readonly=True), int64[:, ::1])"
)
def _choose(places: Any, bits: Any, labels: Any, voxels: Any) -> None:
    depth, height, width = places.shape
    for z in range(depth):
        for y in range(height):
            cube = ((z >> 3) * (height >> 3) + (y >> 3)) * (width >> 3)
            row = (z & 7) * 8 + (y & 7)
            for x in range(width):
                side = (bits[cube + (x >> 3), row] >> (x & 7)) & 1
                place = np.int64(places[z, y, x])
                places[z, y, x] = labels[place, side]
                voxels[place, side] += 1


def choose_plain(places: Labels, bits: Bits, labels: Labels, voxels: NDArray[np.int64]) -> None:
    """The plain twin."""
    depth, height, width = places.shape
    side = voxels_of(bits, (depth // 8, height // 8, width // 8)).astype(np.int64)
    np.add.at(voxels, (places, side), 1)
    places[...] = labels[places, side]


@kernel("void(Array(uint64, 3, 'A', readonly=True), uint64[:, :, :])")
def _vote(labels: Any, out: Any) -> None:
    depth, height, width = out.shape
    votes = np.empty(8, np.uint64)
    for z in range(depth):
        for y in range(height):
            one, two = labels[2 * z, 2 * y], labels[2 * z, 2 * y + 1]
            three, four = labels[2 * z + 1, 2 * y], labels[2 * z + 1, 2 * y + 1]
            for x in range(width):
                a, b, c, d = one[2 * x], one[2 * x + 1], two[2 * x], two[2 * x + 1]
                e, f, g, h = three[2 * x], three[2 * x + 1], four[2 * x], four[2 * x + 1]
                if ((a ^ b) | (a ^ c) | (a ^ d) | (a ^ e) | (a ^ f) | (a ^ g) | (a ^ h)) == 0:
                    out[z, y, x] = a
                    continue
                votes[0], votes[1], votes[2], votes[3] = a, b, c, d
                votes[4], votes[5], votes[6], votes[7] = e, f, g, h
                out[z, y, x] = _winner(votes)


@helper
def _winner(votes: Any) -> Any:
    """Of eight labels that with most votes."""
    best, most = np.uint64(0), 0
    for i in range(8):
        if votes[i] == 0 or (votes[i] == best and most):
            continue
        number = 0
        for j in range(8):
            number += votes[j] == votes[i]
        if number > most or (number == most and votes[i] < best):
            best, most = votes[i], number
        if most > 4:
            break
    return best


def vote_plain(labels: Labels, out: Labels) -> None:
    """The plain twin: the most votes, then the smallest label."""
    depth, height, width = out.shape
    eight = labels.reshape(depth, 2, height, 2, width, 2).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 8)
    votes = (eight[:, :, None] == eight[:, None, :]).sum(axis=2) * (eight != 0)
    top = votes == votes.max(axis=1, keepdims=True)
    best = np.where(top, eight, np.uint64(2**64 - 1)).min(axis=1)
    out[...] = np.where(votes.any(axis=1), best, np.uint64(0)).reshape(out.shape)


@kernel(
    "void(Array(uint16, 1, 'C', readonly=True), Array(uint32, 1, 'C', readonly=True),"
    "Array(uint8, 1, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(int64, 1, 'C', readonly=True), uint64[:, :, :])"
)
def _vote_block(counts: Any, indices: Any, values: Any, labels: Any, grid: Any, out: Any) -> None:
    table, cube, votes = np.zeros(512, np.uint64), np.empty(512, np.uint64), np.empty(8, np.uint64)
    first, at = 0, 0
    for number in range(counts.size):
        count, size = np.int64(counts[number]), 0
        while count > 1 << size:
            size += 1
        table[0] = 0
        for i in range(count):
            table[i] = labels[indices[first + i]]
        for i in range(count, 1 << size):
            table[i] = 0
        z0, y0, x0 = number // (grid[1] * grid[2]) * 4, number // grid[2] % grid[1] * 4, number % grid[2] * 4
        if size == 0:
            for z in range(z0, z0 + 4):
                for y in range(y0, y0 + 4):
                    for x in range(x0, x0 + 4):
                        out[z, y, x] = table[0]
        elif size == 1:
            # A bit a voxel: how many of each two are set, side by side, and so of all eight.
            needed = 1 if table[0] == 0 else 8 if table[1] == 0 else 4 if table[1] < table[0] else 5
            for z in range(4):
                for y in range(4):
                    row, sums = at + 16 * z + 2 * y, 0
                    for i in (row, row + 1, row + 8, row + 9):
                        byte = np.int64(values[i])
                        pairs = (byte & 0x55) + (byte >> 1 & 0x55)
                        sums += (pairs & 0x03) | (pairs & 0x0C) << 2 | (pairs & 0x30) << 4 | (pairs & 0xC0) << 6
                    for x in range(4):
                        out[z0 + z, y0 + y, x0 + x] = table[1 if (sums >> (12 - 4 * x) & 15) >= needed else 0]
        elif size == 2 and _all_differ(table):
            _vote_pairs(values, at, table, out[z0 : z0 + 4, y0 : y0 + 4, x0 : x0 + 4])
        else:
            _codes(values, at, size, table, cube)
            for z in range(4):
                for y in range(4):
                    for x in range(4):
                        i = 128 * z + 16 * y + 2 * x
                        a, b, c, d = cube[i], cube[i + 1], cube[i + 8], cube[i + 9]
                        e, f, g, h = cube[i + 64], cube[i + 65], cube[i + 72], cube[i + 73]
                        if ((a ^ b) | (a ^ c) | (a ^ d) | (a ^ e) | (a ^ f) | (a ^ g) | (a ^ h)) == 0:
                            out[z0 + z, y0 + y, x0 + x] = a
                            continue
                        votes[0], votes[1], votes[2], votes[3] = a, b, c, d
                        votes[4], votes[5], votes[6], votes[7] = e, f, g, h
                        out[z0 + z, y0 + y, x0 + x] = _winner(votes)
        first, at = first + count, at + 64 * size


@helper
def _all_differ(table: Any) -> Any:
    """Whether the first four labels are four."""
    return (
        table[0] not in (table[1], table[2], table[3]) and table[1] not in (table[2], table[3]) and table[2] != table[3]
    )


@helper
def _vote_pairs(values: Any, at: Any, table: Any, out: Any) -> None:
    """The votes of a sub-block whose codes have two bits: a row has two bytes, eight voxels are a nibble of four rows.

    Votes of a code, then how many labels are greater, then the code make a number: the greatest of four numbers wins.
    """
    marks, zero = np.zeros(4, np.int64), 4
    for code in range(4):
        for other in range(4):
            marks[code] += 4 * np.int64(table[code] < table[other])
        marks[code] += code
        zero = code if table[code] == 0 else zero
    kept = ~(255 << (8 * zero))
    for z in range(4):
        for y in range(4):
            row = at + 32 * z + 4 * y
            one = np.int64(values[row]) << 8 | np.int64(values[row + 1])
            two = np.int64(values[row + 2]) << 8 | np.int64(values[row + 3])
            three = np.int64(values[row + 16]) << 8 | np.int64(values[row + 17])
            four = np.int64(values[row + 18]) << 8 | np.int64(values[row + 19])
            mixed = (one ^ two) | (one ^ three) | (one ^ four) | ((one ^ (one >> 2)) & 0x3333)
            for x in range(4):
                shift = 12 - 4 * x
                if (mixed >> shift) & 15 == 0:
                    out[z, y, x] = table[(one >> shift) & 3]
                    continue
                votes = (1 << ((one >> shift & 12) << 1)) + (1 << ((one >> shift & 3) << 3))
                votes += (1 << ((two >> shift & 12) << 1)) + (1 << ((two >> shift & 3) << 3))
                votes += (1 << ((three >> shift & 12) << 1)) + (1 << ((three >> shift & 3) << 3))
                votes += (1 << ((four >> shift & 12) << 1)) + (1 << ((four >> shift & 3) << 3))
                votes &= kept
                low = max((votes & 255) << 4 | marks[0], (votes >> 8 & 255) << 4 | marks[1])
                high = max((votes >> 16 & 255) << 4 | marks[2], (votes >> 24 & 255) << 4 | marks[3])
                out[z, y, x] = table[max(low, high) & 3]


@helper
def _codes(values: Any, at: Any, size: Any, table: Any, out: Any) -> None:
    """Labels of the 512 voxels of a sub-block, whose codes of `size` bits begin at a byte."""
    bits, mask = np.uint64(size), (np.uint64(1) << np.uint64(size)) - np.uint64(1)
    for row in range(0, 512, 8):
        where = at + row // 8 * size
        if size == 9:
            for x in range(8):
                pair = (np.int64(values[where + x]) << 8) | np.int64(values[where + x + 1])
                out[row + x] = table[(pair >> (7 - x)) & 511]
            continue
        word = np.uint64(0)
        for i in range(where, where + size):
            word = (word << np.uint64(8)) | np.uint64(values[i])
        for x in range(row + 7, row - 1, -1):
            out[x] = table[word & mask]
            word >>= bits


def vote_block_plain(
    counts: NDArray[np.uint16], indices: NDArray[np.uint32], values: Bytes, labels: Labels, grid: Box, out: Labels
) -> None:
    """The plain twin: all voxels, then the votes."""
    vote_plain(voxels_plain(counts, indices, values, labels, grid), out)
