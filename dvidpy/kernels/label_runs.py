"""Runs of voxels along x, from masks of sub-blocks and back: int32 x, y, z of the first voxel, and the length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import helper, kernel
from dvidpy.kernels.label_blocks import SIDE, Bytes
from dvidpy.kernels.label_masks import Bits

Runs = NDArray[np.int32]
"""(n, 4): x, y, z, length."""
Box = NDArray[np.int64]
Open = NDArray[np.int64]
"""(depth, height, 2): first x and length of the run that each row of voxels may go on with; length 0 for none."""

_ONE, _ALL, _TOP = np.uint64(1), np.uint64(2**64 - 1), np.uint64(58)
_SPREAD = np.uint64(0x03F79D71B4CB0A89)
"""A de Bruijn sequence: shifted by 0 to 63 places, its six highest bits are another number each time."""
_PLACES = np.zeros(64, np.int64)
_PLACES[[((int(_SPREAD) << place) % 2**64) >> 58 for place in range(64)]] = np.arange(64)


def trace(flags: Bytes, bits: Bits, grid_start_low_high: Box, open_runs: Open) -> Runs:
    """Runs of a block that end in it, in the order of z, y, x; those that touch its last voxels stay open.

    Args:
        flags: of each sub-block whether it has any voxel, not 0.
        bits: (n, 64) masks of its sub-blocks.
        grid_start_low_high: (4, 3) z, y, x: sub-blocks along each axis, place of the first voxel, and the part
            low <= voxel < high of the block that counts.
        open_runs: runs left open by the block before along x, which changes to those this one leaves.
    """
    depth, height, width = (int(side) * SIDE for side in grid_start_low_high[0])
    out = np.empty((depth * height * (width // 2 + 2), 4), np.int32)
    return out[: _trace(flags, bits, grid_start_low_high, open_runs, out)].copy()


def flush(open_runs: Open, z: int, y: int) -> Runs:
    """The open runs of rows from that place on, in order; none is open any more."""
    rows = np.argwhere(open_runs[..., 1] > 0)
    found = open_runs[rows[:, 0], rows[:, 1]]
    open_runs[...] = 0
    return np.column_stack((found[:, 0], rows[:, 1] + y, rows[:, 0] + z, found[:, 1])).astype(np.int32)


def stamp(runs: Runs, grid_start: Box, bits: Bits) -> None:
    """Set the voxels of runs in the masks of a block; what lies outside of it is left away.

    Args:
        runs: any order; they may overlap.
        grid_start: (2, 3) z, y, x: sub-blocks along each axis, place of the first voxel.
        bits: (n, 64) masks of its sub-blocks.
    """
    _stamp(runs, grid_start, bits)


@helper
def _rows(flags: Any, bits: Any, box: Any, busy: Any) -> Any:
    """(rows of sub-blocks, words along x, 64) the voxels of each row, 64 a word, lowest bit first; `busy` tells which
    rows of sub-blocks have any.
    """
    along = box[0, 2]
    rows = np.zeros((busy.size, (along + 7) >> 3, 64), np.uint64)
    for cube in range(flags.size):
        if flags[cube]:
            line, x = cube // along, cube % along
            busy[line] = True
            shift, word = np.uint64(8 * (x & 7)), x >> 3
            for row in range(64):
                rows[line, word, row] |= np.uint64(bits[cube, row]) << shift
    return rows


@helper
def _lowest(word: Any) -> Any:
    """Place of the lowest bit that is set."""
    return _PLACES[((word & (~word + _ONE)) * _SPREAD) >> _TOP]


@kernel(
    "int64(Array(uint8, 1, 'C', readonly=True), Array(uint8, 2, 'C', readonly=True),"
    "Array(int64, 2, 'C', readonly=True), int64[:, :, ::1], int32[:, ::1])"
)
def _trace(flags: Any, bits: Any, box: Any, open_runs: Any, out: Any) -> Any:
    """A run begins or ends where a voxel differs from the one before: 64 are compared at once."""
    busy = np.zeros(box[0, 0] * box[0, 1], np.bool_)
    rows, done, low, high = _rows(flags, bits, box, busy), 0, box[2, 2], box[3, 2]
    for z in range(box[2, 0], box[3, 0]):
        for y in range(box[2, 1], box[3, 1]):
            first, length = open_runs[z, y, 0], open_runs[z, y, 1]
            line = (z >> 3) * box[0, 1] + (y >> 3)
            if length == 0 and not busy[line]:
                continue
            begun, is_open = low - length, length > 0
            for word in range(low >> 6, (high + 63) >> 6):
                here, counts = 64 * word, _ALL
                shift = np.uint64(max(low - here, 0))
                counts <<= shift
                if high - here < 64:
                    counts &= (_ONE << np.uint64(high - here)) - _ONE
                inside = rows[line, word, (z & 7) * 8 + (y & 7)] & counts
                edges = (inside ^ ((inside << _ONE) | (np.uint64(is_open) << shift))) & counts
                while edges:
                    x = here + _lowest(edges)
                    edges &= edges - _ONE
                    if is_open:
                        out[done, 0], out[done, 1] = first, box[1, 1] + y
                        out[done, 2], out[done, 3] = box[1, 0] + z, x - begun
                        done += 1
                    else:
                        first, begun = box[1, 2] + x, x
                    is_open = not is_open
            open_runs[z, y, 0], open_runs[z, y, 1] = first, high - begun if is_open else 0
    return done


def trace_plain(flags: Bytes, bits: Bits, box: Box, open_runs: Open, out: Runs) -> int:
    """The plain twin."""
    voxels, done = voxels_of(bits, tuple(box[0])), 0
    for z, y in np.ndindex(*(box[3] - box[2])[:2]):
        z, y = z + box[2, 0], y + box[2, 1]  # noqa: PLW2901
        first, length = open_runs[z, y]
        for x in range(box[2, 2], box[3, 2]):
            if voxels[z, y, x]:
                first, length = first if length else box[1, 2] + x, length + 1
            elif length:
                out[done] = first, box[1, 1] + y, box[1, 0] + z, length
                done, length = done + 1, 0
        open_runs[z, y] = first, length
    return done


def voxels_of(bits: Bits, grid: tuple[int, ...]) -> NDArray[np.bool_]:
    """Masks of sub-blocks -> (z, y, x) truths."""
    cubes = np.unpackbits(bits, axis=1, bitorder="little").reshape(*grid, SIDE, SIDE, SIDE)
    gz, gy, gx = grid
    return cubes.transpose(0, 3, 1, 4, 2, 5).reshape(gz * SIDE, gy * SIDE, gx * SIDE).astype(np.bool_)


def bits_of(voxels: NDArray[np.bool_]) -> Bits:
    """The reverse of `voxels_of`."""
    gz, gy, gx = (side // SIDE for side in voxels.shape)
    cubes = voxels.reshape(gz, SIDE, gy, SIDE, gx, SIDE).transpose(0, 2, 4, 1, 3, 5)
    return np.packbits(cubes.reshape(-1, SIDE**3), axis=1, bitorder="little")


@kernel("void(Array(int32, 2, 'C', readonly=True), Array(int64, 2, 'C', readonly=True), uint8[:, ::1])")
def _stamp(runs: Any, box: Any, bits: Any) -> None:
    for i in range(runs.shape[0]):
        z, y = np.int64(runs[i, 2]) - box[1, 0], np.int64(runs[i, 1]) - box[1, 1]
        if z < 0 or y < 0 or z >= 8 * box[0, 0] or y >= 8 * box[0, 1]:
            continue
        x = np.int64(runs[i, 0]) - box[1, 2]
        end = min(x + np.int64(runs[i, 3]), 8 * box[0, 2])
        x = max(x, 0)
        cube, row = ((z >> 3) * box[0, 1] + (y >> 3)) * box[0, 2], (z & 7) * 8 + (y & 7)
        while x < end:
            stop = min((x | 7) + 1, end)
            low, high = x & 7, ((stop - 1) & 7) + 1
            bits[cube + (x >> 3), row] |= np.uint8((255 << low) & (255 >> (8 - high)) & 255)
            x = stop


def stamp_plain(runs: Runs, box: Box, bits: Bits) -> None:
    """The plain twin."""
    grid = tuple(box[0])
    voxels = voxels_of(bits, grid)
    size = box[0] * SIDE
    for x, y, z, length in runs.astype(np.int64) - (*box[1, ::-1], 0):
        if 0 <= z < size[0] and 0 <= y < size[1]:
            voxels[z, y, max(x, 0) : max(min(x + length, size[2]), 0)] = True
    bits[...] = bits_of(voxels)
