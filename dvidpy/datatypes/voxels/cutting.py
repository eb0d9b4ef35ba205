"""Volumes to blocks and back.

Slices of numpy arrays do the copying. Measured: a 256^3 volume of bytes from 125 blocks of 64^3 takes 6.6 ms so,
17.6 ms in a numba kernel that copies rows, 25 ms in one that copies bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.voxels.kinds import Voxels
from dvidpy.geometry import Box, Zyx


def paste(out: Voxels, start: Zyx, block: Voxels, at: Zyx) -> None:
    """Copy what a block and an array have in common; both (z, y, x), with the places of their first voxels."""
    targets, sources = [], []
    for low, size, place, side in zip(start, out.shape, at, block.shape, strict=True):
        first, last = max(low, place), min(low + size, place + side)
        if first >= last:
            return
        targets.append(slice(first - low, last - low))
        sources.append(slice(first - place, last - place))
    out[tuple(targets)] = block[tuple(sources)]


def clear(out: Voxels, box: Box, missing: NDArray[np.intp], block: Zyx) -> None:
    """Make the voxels of a box 0 in the blocks (n, 3) that are missing: less to do than beginning with zeros."""
    if len(missing) == box.blocks(block).volume:
        out[...] = 0
        return
    nothing = np.zeros(block, out.dtype) if len(missing) else out
    for z, y, x in missing.tolist():
        paste(out, box.start, nothing, (z * block[0], y * block[1], x * block[2]))


def cut(volume: Voxels, start: Zyx, block: Zyx) -> Iterator[tuple[Zyx, Voxels]]:
    """(index, C-contiguous copy) of every block of an aligned volume that begins at `start`."""
    depth, height, width = block
    for z, y, x in Box((0, 0, 0), volume.shape).blocks(block).points():
        piece = volume[z * depth : (z + 1) * depth, y * height : (y + 1) * height, x * width : (x + 1) * width]
        index = (start[0] // depth + z, start[1] // height + y, start[2] // width + x)
        yield index, np.ascontiguousarray(piece)
