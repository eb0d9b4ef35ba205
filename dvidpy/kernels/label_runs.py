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
_ONE, _ALL, _TOP = np.uint64(1), np.uint64(2**64 - 1), np.uint64(58)
_SPREAD = np.uint64(0x03F79D71B4CB0A89)
"""A de Bruijn sequence: shifted by 0 to 63 places, its six highest bits are another number each time."""
_PLACES = np.zeros(64, np.int64)
_PLACES[[((int(_SPREAD) << place) % 2**64) >> 58 for place in range(64)]] = np.arange(64)


def trace(flags: Bytes, bits: Bits, boxes: Box, *, joined: bool) -> Runs:
    """Runs of some blocks, in the order of z, y, x for each block they end in. Those that touch the last voxels of a
    block go on in the next one, where that is the next along x.

    Args:
        flags: (n, cubes) of each sub-block whether it has any voxel, not 0.
        bits: (n, cubes, 64) masks of the sub-blocks.
        boxes: (n, 4, 3) z, y, x: sub-blocks along each axis, the same for all; place of the first voxel; the part
            low <= voxel < high of the block that counts.
        joined: false: runs end with their block.
    """
    return _trace(flags, bits, boxes, joined)  # type: ignore[no-any-return]


def stamp(runs: Runs, grid_start: Box, bits: Bits) -> None:
    """Set the voxels of runs in the masks of a block; what lies outside of it is left away.

    Args:
        runs: any order; they may overlap.
        grid_start: (2, 3) z, y, x: sub-blocks along each axis, place of the first voxel.
        bits: (n, 64) masks of its sub-blocks.
    """
    _stamp(runs, grid_start, bits)


@helper
def _rows(flags: Any, bits: Any, block: Any, along: Any, busy: Any, rows: Any) -> None:
    """`rows` (rows of sub-blocks, words along x, 64) is filled with the voxels of each row of a block, 64 a word, the
    lowest bit first; `busy` tells which rows of sub-blocks have any.
    """
    busy[:] = False
    rows[:] = 0
    for cube in range(flags.shape[1]):
        if flags[block, cube]:
            line, x = cube // along, cube % along
            busy[line] = True
            shift, word = np.uint64(8 * (x & 7)), x >> 3
            for row in range(64):
                rows[line, word, row] |= np.uint64(bits[block, cube, row]) << shift


@helper
def _lowest(word: Any) -> Any:
    """Place of the lowest bit that is set."""
    return _PLACES[((word & (~word + _ONE)) * _SPREAD) >> _TOP]


@helper
def _put(out: Any, done: Any, z: Any, y: Any, first: Any, length: Any) -> Any:
    out[done, 0], out[done, 1], out[done, 2], out[done, 3] = first, y, z, length
    return done + 1


@helper
def _trace_block(rows: Any, busy: Any, box: Any, open_runs: Any, out: Any, done: Any) -> Any:
    """A run begins or ends where a voxel differs from the one before: 64 are compared at once.

    `open_runs` (depth, height, 2) are first x and length of the run that each row of voxels goes on with, length 0 for
    none; they change to those that this block leaves.
    """
    low, high = box[2, 2], box[3, 2]
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
                        done = _put(out, done, box[1, 0] + z, box[1, 1] + y, first, x - begun)
                    else:
                        first, begun = box[1, 2] + x, x
                    is_open = not is_open
            open_runs[z, y, 0], open_runs[z, y, 1] = first, high - begun if is_open else 0
    return done


@helper
def _flush(open_runs: Any, z: Any, y: Any, out: Any, done: Any) -> Any:
    """Runs that are open end; `z` and `y` are those of the first row."""
    for down in range(open_runs.shape[0]):
        for across in range(open_runs.shape[1]):
            if open_runs[down, across, 1]:
                done = _put(out, done, z + down, y + across, open_runs[down, across, 0], open_runs[down, across, 1])
                open_runs[down, across, 1] = 0
    return done


@kernel(
    "int32[:, ::1](Array(uint8, 2, 'C', readonly=True), Array(uint8, 3, 'C', readonly=True),"
    "Array(int64, 3, 'C', readonly=True), boolean)"
)
def _trace(flags: Any, bits: Any, boxes: Any, joined: Any) -> Any:
    depth, height, along = 8 * boxes[0, 0, 0], 8 * boxes[0, 0, 1], boxes[0, 0, 2]
    busy = np.empty(depth * height >> 6, np.bool_)
    rows = np.empty((busy.size, (along + 7) >> 3, 64), np.uint64)
    open_runs = np.zeros((depth, height, 2), np.int64)
    most, done = depth * height * (4 * along + 2), 0  # a block's own, and those that are open
    out = np.empty((most, 4), np.int32)
    for block in range(boxes.shape[0]):
        if done + most > out.shape[0]:
            larger = np.empty((2 * out.shape[0] + most, 4), np.int32)
            larger[:done] = out[:done]
            out = larger
        start, before = boxes[block, 1], boxes[max(block - 1, 0), 1]
        follows = start[0] == before[0] and start[1] == before[1] and start[2] == before[2] + 8 * along
        if not (follows and joined):
            done = _flush(open_runs, before[0], before[1], out, done)
        _rows(flags, bits, block, along, busy, rows)
        done = _trace_block(rows, busy, boxes[block], open_runs, out, done)
    done = _flush(open_runs, boxes[-1, 1, 0], boxes[-1, 1, 1], out, done)
    return out[:done].copy()


def trace_plain(flags: Bytes, bits: Bits, boxes: Box, joined: bool) -> Runs:
    """The plain twin: open runs are those of the block before, by their row."""
    done, open_runs = [], dict[tuple[int, int], list[int]]()
    following = None
    for block, ((*grid,), start, low, high) in enumerate(boxes.tolist()):
        if not joined or following != start:
            done += [open_runs[row] for row in sorted(open_runs)]
            open_runs = {}
        following = [*start[:2], start[2] + SIDE * grid[2]]
        voxels = voxels_of(bits[block], tuple(grid))
        for z, y in np.ndindex(high[0] - low[0], high[1] - low[1]):
            row = start[0] + low[0] + z, start[1] + low[1] + y
            run = open_runs.pop(row, None)
            for x in range(low[2], high[2]):
                if voxels[low[0] + z, low[1] + y, x]:
                    run = [start[2] + x, row[1], row[0], 0] if run is None else run
                    run[3] += 1
                elif run is not None:
                    done.append(run)
                    run = None
            if run is not None:
                open_runs[row] = run
    done += [open_runs[row] for row in sorted(open_runs)]
    return np.array(done, np.int32).reshape(-1, 4)


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
