"""Boxes of voxels out of blocks that stand in files as they are: only what is wanted of them is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.exchange import PIECE
from dvidpy.datatypes.imageblk.blocks import keys_in, unpack
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.voxels.cutting import clear, paste
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.datatypes.voxels.kinds import Voxels
from dvidpy.datatypes.voxels.streams import view_of
from dvidpy.geometry import Box, Zyx
from dvidpy.storage.codecs import LZ4, NONE
from dvidpy.storage.file_parts import FilePart
from dvidpy.storage.long_values import LONG
from dvidpy.versioning.store import View

SLAB = 2 * PIECE
"""Bytes of voxels that are made together, at most, unless a plane has more: they stay in a near cache. Made by two
threads at once, they take no less time: to wake one costs as much."""


def may_be(data: ImageBlk) -> bool:
    """Whether blocks of an instance may stand in files as they are."""
    return data.block_bytes >= LONG and data.instance.codec.packing in (NONE, LZ4)


Part = tuple[Zyx, FilePart]
"""First voxel of a block, and where its voxels are."""


class _Layer(NamedTuple):
    """The blocks of a layer."""

    parts: list[Part]
    others: list[tuple[Zyx, bytes]]
    """First voxel and type key of a block that is packed, or not in a file."""
    missing: NDArray[np.intp]
    """(n, 3) indices of those that were never written."""


def slabs(data: ImageBlk, layer: Box, frozen: View) -> Iterator[Voxels]:
    """The voxels of a layer of whole blocks, slab by slab, 0 where none were written; all from one moment."""
    found = _look_up(data, frozen, layer.blocks(data.block))
    depth, height, width = layer.size
    most = depth if found.others else max(1, SLAB // (height * width * data.kind.itemsize))
    room = np.empty(data.block, data.kind.dtype)
    for z in range(layer.start[0], layer.stop[0], most):
        slab = layer.layer(z, z + most)
        out = np.empty(slab.size, data.kind.dtype)
        clear(out, slab, found.missing, data.block)
        for first, key in found.others:
            if (value := frozen.find(key)) is not None:
                paste(out, slab.start, unpack(data, value), first)
        for first, voxels in _read(found.parts, slab, room):
            paste(out, slab.start, voxels, first)
        yield out


def _look_up(data: ImageBlk, frozen: View, blocks: Box) -> _Layer:
    parts: list[Part] = []
    others: list[tuple[Zyx, bytes]] = []
    missing = np.ones(blocks.size, bool)
    (depth, height, width), size = data.block, data.block_bytes
    for key in keys_in(frozen, blocks):
        z, y, x = index_of(key)
        first = (z * depth, y * height, x * width)
        part = frozen.file_part(key, NONE)
        if part is not None and part.size == size:
            parts.append((first, part))
        else:
            others.append((first, key))
        missing[z - blocks.start[0], y - blocks.start[1], x - blocks.start[2]] = False
    return _Layer(parts, others, np.argwhere(missing) + blocks.start)


def _read(parts: Iterable[Part], slab: Box, room: Voxels) -> Iterator[tuple[Zyx, Voxels]]:
    """First voxel and planes of blocks that a slab has, one after the other in the same room."""
    depth, plane, whole = len(room), room.nbytes // len(room), view_of(room)
    start, stop = slab.start[0], slab.stop[0]
    for (z, y, x), part in parts:
        low, high = max(start - z, 0), min(stop - z, depth)
        if low < high:
            part.file.read_into(whole[: (high - low) * plane], part.offset + low * plane)
            yield (z + low, y, x), room[: high - low]
