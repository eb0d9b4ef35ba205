"""Boxes of voxels out of an instance's blocks, and pictures of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.exchange import PIECE
from dvidpy.datatypes.imageblk import from_files
from dvidpy.datatypes.imageblk.blocks import blank, demand_answerable, unpack, walk
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.keys import block_key
from dvidpy.datatypes.voxels import oblique
from dvidpy.datatypes.voxels.cutting import clear, paste
from dvidpy.datatypes.voxels.kinds import UINT8, Voxels
from dvidpy.datatypes.voxels.masks import Mask, find_mask
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, parse_integer

SMALL = 1 << 12
"""Bytes of a block below which it costs more to make it 0 than to begin with zeros."""


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
    """The voxels of a box in layers (z, y, x), one below the other; 0 where none were written."""
    block = data.block
    blocks = box.blocks(block)
    bounds = _layer_bounds(data, box, blocks)
    these = (box.layer(first * block[0], last * block[0]) for first, last in bounds)
    if masking is None and from_files.may_be(data):
        frozen = data.view.frozen()
        return chain.from_iterable(from_files.slabs(data, layer, frozen) for layer in these)
    return _whole(data, these, _masked(data, blocks, masking) if masking else _plain(data, blocks))


def _whole(data: ImageBlk, these: Iterable[Box], found: Iterator[tuple[Zyx, Voxels]]) -> Iterator[Voxels]:
    """Layers of whole blocks out of blocks in their order."""
    block = data.block
    pending = next(found, None)
    small = data.block_bytes < SMALL
    for layer in these:
        out = (np.zeros if small else np.empty)(layer.size, data.kind.dtype)
        blocks = layer.blocks(block)
        missing = np.ones(blocks.size, bool)
        while pending is not None and pending[0][0] < blocks.stop[0]:
            index, voxels = pending
            paste(out, layer.start, voxels, (index[0] * block[0], index[1] * block[1], index[2] * block[2]))
            missing[tuple(np.subtract(index, blocks.start))] = False
            pending = next(found, None)
        if not small:
            clear(out, layer, np.argwhere(missing) + blocks.start, block)
        yield out


def _layer_bounds(data: ImageBlk, box: Box, blocks: Box) -> Iterator[tuple[int, int]]:
    """First and last z of the blocks of each layer: as many as fill an answer's piece."""
    bytes_each = data.block[0] * box.size[1] * box.size[2] * data.kind.itemsize
    step = max(1, PIECE // bytes_each)
    first, end = blocks.start[0], blocks.stop[0]
    return ((z, min(z + step, end)) for z in range(first, end, step))


def _plain(data: ImageBlk, blocks: Box) -> Iterator[tuple[Zyx, Voxels]]:
    """The blocks that were written, in their order and from one moment."""
    return ((index, unpack(data, found)) for index, found in walk(data, blocks))


def _masked(data: ImageBlk, blocks: Box, masking: Masking) -> Iterator[tuple[Zyx, Voxels]]:
    """The same, as a mask leaves them."""
    inside = masking.mask.inside(blocks, data.block)
    z, y, x = blocks.start
    for index, found in walk(data, blocks):
        voxels = unpack(data, found)
        yield index, voxels if inside[index[0] - z, index[1] - y, index[2] - x] else _dimmed(data, voxels, masking)


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
