"""Boxes of voxels out of an instance's blocks, and pictures of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.exchange import PIECE
from dvidpy.datatypes.imageblk.blocks import blank, demand_answerable, keys_in, unpack, walk
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.keys import block_key
from dvidpy.datatypes.voxels import oblique
from dvidpy.datatypes.voxels.cutting import paste
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.datatypes.voxels.kinds import UINT8, Voxels
from dvidpy.datatypes.voxels.masks import Mask, find_mask
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, parse_integer
from dvidpy.versioning.store import View

SMALL = 1 << 12
"""Bytes of a block below which it costs more to make it 0 than to begin with zeros."""
THIN, LONG = 2, 1 << 14
"""A block of so many bytes, of which a box has less than one part in so many, is read in part where it can be."""


class Masking(NamedTuple):
    """A region of interest, and what becomes of voxels outside it."""

    mask: Mask
    attenuation: int
    """They are divided by 2 to this power; 0: they become background."""


def read_masking(data: ImageBlk, roi: str, attenuation: str) -> Masking | None:
    """What the options roi and attenuation say; BadRequest where they make no sense."""
    if not roi:
        return None
    power = parse_integer(attenuation) if attenuation else 0
    if attenuation and not 1 <= power <= 7:
        raise BadRequest("Attenuation should be from 1 to 7 (divides by 2^n)")
    return Masking(find_mask(data, roi), power)


def layers(data: ImageBlk, box: Box, masking: Masking | None = None) -> Iterator[Voxels]:
    """The voxels of a box in layers (z, y, x) of whole blocks, one below the other; 0 where none were written."""
    block = data.block
    blocks = box.blocks(block)
    found = _masked(data, blocks, masking) if masking else _plain(data, box, blocks)
    pending = next(found, None)
    small = data.block_bytes < SMALL
    for first, last in _layer_bounds(data, box, blocks):
        layer = box.layer(first * block[0], last * block[0])
        out = (np.zeros if small else np.empty)(layer.size, data.kind.dtype)
        blocks_here = layer.blocks(block)
        missing = np.ones(blocks_here.size, bool)
        while pending is not None and pending.place[0] < last:
            index, from_z, voxels = pending
            paste(out, layer.start, voxels, (index[0] * block[0] + from_z, index[1] * block[1], index[2] * block[2]))
            missing[index[0] - first, index[1] - blocks.start[1], index[2] - blocks.start[2]] = False
            pending = next(found, None)
        if not small:
            _clear(out, layer, np.argwhere(missing) + blocks_here.start, block)
        yield out


def _clear(out: Voxels, layer: Box, missing: NDArray[np.intp], block: Zyx) -> None:
    """Make voxels 0 in the blocks (n, 3) that were not pasted into a layer: less to do than beginning with zeros."""
    if len(missing) == layer.blocks(block).volume:
        out[...] = 0
        return
    nothing = np.zeros(block, out.dtype) if len(missing) else out
    for z, y, x in missing.tolist():
        paste(out, layer.start, nothing, (z * block[0], y * block[1], x * block[2]))


def _layer_bounds(data: ImageBlk, box: Box, blocks: Box) -> Iterator[tuple[int, int]]:
    """First and last z of the blocks of each layer: as many as fill an answer's piece."""
    bytes_each = data.block[0] * box.size[1] * box.size[2] * data.kind.itemsize
    step = max(1, PIECE // bytes_each)
    first, end = blocks.start[0], blocks.stop[0]
    return ((z, min(z + step, end)) for z in range(first, end, step))


class _Piece(NamedTuple):
    """A block that was written, or all that is wanted of it."""

    place: Zyx
    """Index of the block in the grid."""
    from_z: int
    """First of its slices that are there."""
    voxels: Voxels


def _plain(data: ImageBlk, box: Box, blocks: Box) -> Iterator[_Piece]:
    """What is wanted of the blocks that were written, in their order and from one moment."""
    depth = data.block[0]
    frozen = data.view.frozen()
    for z in range(blocks.start[0], blocks.stop[0]):
        low, high = max(box.start[0] - z * depth, 0), min(box.stop[0] - z * depth, depth)
        if THIN * (high - low) < depth and data.block_bytes >= LONG:
            yield from _thin(data, blocks.layer(z, z + 1), (low, high), frozen)
        else:
            yield from (
                _Piece(index, 0, unpack(data, found)) for index, found in walk(data, blocks.layer(z, z + 1), frozen)
            )


def _thin(data: ImageBlk, blocks: Box, slices: tuple[int, int], frozen: View) -> Iterator[_Piece]:
    """Some slices of blocks; a block that is packed can only be read whole."""
    (low, high), (depth, *area) = slices, data.block
    each = data.block_bytes // depth
    for key in keys_in(frozen, blocks):
        part = frozen.part(key, low * each, high * each)
        if part is not None and len(part) == (high - low) * each:
            yield _Piece(index_of(key), low, np.frombuffer(part, data.kind.dtype).reshape(high - low, *area))
        elif (found := frozen.find(key)) is not None:
            yield _Piece(index_of(key), 0, unpack(data, found))


def _masked(data: ImageBlk, blocks: Box, masking: Masking) -> Iterator[_Piece]:
    """The blocks that were written, as a mask leaves them."""
    inside = masking.mask.inside(blocks, data.block)
    z, y, x = blocks.start
    for index, found in walk(data, blocks):
        voxels = unpack(data, found)
        kept = inside[index[0] - z, index[1] - y, index[2] - x]
        yield _Piece(index, 0, voxels if kept else _dimmed(data, voxels, masking))


def _dimmed(data: ImageBlk, voxels: Voxels, masking: Masking) -> Voxels:
    """A block outside the mask. Only 8-bit voxels are dimmed or show the background."""
    if data.kind is not UINT8:
        return np.zeros_like(voxels)
    return voxels >> np.uint8(masking.attenuation) if masking.attenuation else blank(data)


def read_box(data: ImageBlk, box: Box, masking: Masking | None = None) -> Voxels:
    """(z, y, x) voxels of a box."""
    demand_answerable(data, box.volume, box.blocks(data.block).volume)
    found = list(layers(data, box, masking))
    return found[0] if len(found) == 1 else np.concatenate(found)


def read_oblique(data: ImageBlk, corners: tuple[str, str, str], resolution: str) -> Voxels:
    """(height, width) voxels of a plane of any direction; BadRequest where its corners make no sense."""
    top_left, top_right, bottom_left = map(oblique.parse_corner, corners)
    step = oblique.parse_resolution(resolution)
    plane = oblique.make_oblique(top_left, top_right, bottom_left, step, data.voxel_size)
    demand_answerable(data, plane.width * plane.height, 0)
    frozen = data.view.frozen()
    background = blank(data)

    def read(index: Zyx) -> Voxels:
        found = frozen.find(block_key(index))
        return background if found is None else unpack(data, found)

    return oblique.sample(plane, data.kind, data.block, read)
