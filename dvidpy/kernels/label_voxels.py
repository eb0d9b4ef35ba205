"""The voxels of label blocks written into a box, those of several blocks by one call.

The blocks' arrays stand one behind the other; a code beyond its entries, which no stored block has, reads as label 0
(`label_blocks`), or as the only label that those have.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from dvidpy.kernels.jit import helper, kernel
from dvidpy.kernels.label_blocks import CUBE, SIDE, Bytes, Labels, codes_plain

Ends = NDArray[np.int64]
"""(n, 4): for each block the ends of its labels, counts, indices and values in the arrays of all. A solid block has no
counts."""
Places = NDArray[np.int64]
"""(n, 3): z, y, x of the first voxel of each block."""

_ONE, _BYTE = np.uint64(1), np.uint64(8)


def unpack(
    ends: Ends,
    labels: Labels,
    counts: NDArray[np.uint16],
    indices: NDArray[np.uint32],
    values: Bytes,
    places: Places,
    grid_start: NDArray[np.int64],
    out: Labels,
) -> None:
    """Write what blocks and a (z, y, x) array with any strides have in common. The blocks' layouts were checked.

    `grid_start` is (2, 3) z, y, x: sub-blocks of a block along each axis, and the place of the array's first voxel.
    """
    deep, high, step = out.strides
    if step != out.itemsize or min(deep, high) < 0 or deep % step or high % step or not out.flags.aligned:
        packed = out.copy("C")
        unpack(ends, labels, counts, indices, values, places, grid_start, packed)
        out[...] = packed
        return
    # The memory that its rows span, as one line: stores that need no stride are a third quicker.
    depth, height, width = out.shape
    strides = deep // step, high // step, 1
    line = as_strided(out, (strides[0] * (depth - 1) + strides[1] * (height - 1) + width,), (step,))
    _unpack(ends, labels, counts, indices, values, places, np.vstack((grid_start, out.shape, strides)), line)


@helper
def _bits(count: Any) -> Any:
    """Bits of a code among that many entries."""
    bits = 0
    for power in range(9):
        bits += count > (1 << power)
    return bits


@helper
def _fill(out: Any, begin: Any, voxels: Any, label: Any) -> None:
    """Give a label to some voxels in a row, mostly eight: then it is one store."""
    if voxels == 8:
        for x in range(8):
            out[begin + x] = label
    else:
        for x in range(begin, begin + voxels):
            out[x] = label


@helper
def _unpack_block(
    counts: Any,
    indices: Any,
    values: Any,
    labels: Any,
    grid: Any,
    low: Any,
    high: Any,
    strides: Any,
    begin: Any,
    out: Any,
) -> None:
    """The part low <= voxel < high; its first voxel is `out[begin]`."""
    table, cube, first, at = np.zeros(512, np.uint64), 0, 0, 0
    for z0 in range(0, 8 * grid[0], 8):
        z1, z2 = max(z0, low[0]), min(z0 + 8, high[0])
        if z0 >= high[0]:
            break
        for y0 in range(0, 8 * grid[1], 8):
            y1, y2 = max(y0, low[1]), min(y0 + 8, high[1])
            if z1 >= z2 or y1 >= y2:
                for other in range(cube, cube + grid[2]):
                    first, at = first + np.int64(counts[other]), at + 64 * _bits(np.int64(counts[other]))
                cube += grid[2]
                continue
            for x0 in range(0, 8 * grid[2], 8):
                count = np.int64(counts[cube])
                size, entry, place = _bits(count), first, at
                cube, first, at = cube + 1, first + count, at + 64 * size
                x1, x2 = max(x0, low[2]), min(x0 + 8, high[2])
                if x1 >= x2:
                    continue
                table[0], others = 0, 0
                for i in range(count):
                    table[i] = labels[indices[entry + i]]
                    others += table[i] != table[0]
                for i in range(count, 1 << size):
                    table[i] = 0
                size *= others > 0  # all entries have one label, as those of one body: nothing is to be looked up
                left = begin + (z1 - low[0]) * strides[0] + (y1 - low[1]) * strides[1] + x1 - low[2]
                mask, bits = (1 << size) - 1, np.uint64(size)
                for z in range(z2 - z1):
                    for y in range(y2 - y1):
                        to, where = (
                            left + z * strides[0] + y * strides[1],
                            place + ((z1 - z0 + z) * 8 + y1 - y0 + y) * size,
                        )
                        if size == 0:
                            _fill(out, to, x2 - x1, table[0])
                            continue
                        if size == 9:
                            for x in range(x1 - x0, x2 - x0):
                                pair = (np.int64(values[where + x]) << 8) | np.int64(values[where + x + 1])
                                out[to + x - (x1 - x0)] = table[(pair >> (7 - x)) & 511]
                            continue
                        word = np.uint64(0)
                        for i in range(size):
                            word = (word << _BYTE) | np.uint64(values[where + i])
                        if x2 - x1 == 8:
                            for x in range(7, -1, -1):
                                out[to + x] = table[word & np.uint64(mask)]
                                word >>= bits
                        else:
                            for x in range(x1 - x0, x2 - x0):
                                code = np.int64((word >> (np.uint64(7 - x) * bits)) & np.uint64(mask))
                                out[to + x - (x1 - x0)] = table[code]


@kernel(
    "void(Array(int64, 2, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(uint16, 1, 'C', readonly=True), Array(uint32, 1, 'C', readonly=True), Array(uint8, 1, 'C', readonly=True),"
    "Array(int64, 2, 'C', readonly=True), Array(int64, 2, 'C', readonly=True), uint64[::1])"
)
def _unpack(ends: Any, labels: Any, counts: Any, indices: Any, values: Any, places: Any, frame: Any, out: Any) -> None:
    """`frame` (4, 3): sub-blocks along each axis, first voxel, size and strides of the array."""
    at, low, high = np.zeros(4, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    for block in range(ends.shape[0]):
        begin, common = 0, True
        for axis in range(3):
            offset = frame[1, axis] - places[block, axis]
            low[axis], high[axis] = max(offset, 0), min(offset + frame[2, axis], 8 * frame[0, axis])
            begin += (low[axis] - offset) * frame[3, axis]
            common = common and low[axis] < high[axis]
        if common and at[1] == ends[block, 1]:
            for z in range(high[0] - low[0]):
                for y in range(high[1] - low[1]):
                    left = begin + z * frame[3, 0] + y * frame[3, 1]
                    out[left : left + high[2] - low[2]] = labels[at[0]]
        elif common:
            _unpack_block(
                counts[at[1] : ends[block, 1]],
                indices[at[2] : ends[block, 2]],
                values[at[3] : ends[block, 3]],
                labels[at[0] : ends[block, 0]],
                frame[0],
                low,
                high,
                frame[3],
                begin,
                out,
            )
        at[:] = ends[block]


def unpack_plain(
    ends: Ends,
    labels: Labels,
    counts: NDArray[np.uint16],
    indices: NDArray[np.uint32],
    values: Bytes,
    places: Places,
    frame: NDArray[np.int64],
    out: Labels,
) -> None:
    """The plain twin: whole blocks, then their parts."""
    grid, start, size, strides = frame
    target = as_strided(out, size.tolist(), (8 * strides).tolist())
    for place, (begin, end) in zip(places, pairwise([[0] * 4, *ends.tolist()]), strict=True):
        own = labels[begin[0] : end[0]]
        whole = np.full(grid * SIDE, own[0])
        if end[1] > begin[1]:
            whole = voxels_plain(
                counts[begin[1] : end[1]], indices[begin[2] : end[2]], values[begin[3] : end[3]], own, grid
            )
        low, high = np.maximum(start - place, 0), np.minimum(start - place + size, grid * SIDE)
        if (low < high).all():
            part = whole[tuple(slice(*both) for both in zip(low, high, strict=True))]
            first = low + place - start
            target[tuple(slice(*both) for both in zip(first, first + part.shape, strict=True))] = part


def voxels_plain(
    counts: NDArray[np.uint16], indices: NDArray[np.uint32], values: Bytes, labels: Labels, grid: NDArray[np.int64]
) -> Labels:
    """(z, y, x) labels of a block of that many sub-blocks along each axis."""
    codes = codes_plain(counts, values)
    entries = np.zeros((counts.size, CUBE), np.uint64)
    ends = np.cumsum(counts.astype(np.int64))
    for cube, (end, count) in enumerate(zip(ends, counts.astype(np.int64), strict=True)):
        own = labels[indices[end - count : end]]
        entries[cube, :count] = own
        if count and (own == own[0]).all():
            entries[cube] = own[0]
    cubes = np.take_along_axis(entries, codes, 1).reshape(*grid, SIDE, SIDE, SIDE)
    return cubes.transpose(0, 3, 1, 4, 2, 5).reshape(grid * SIDE)
