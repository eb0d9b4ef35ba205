"""A volume coming in: cut into blocks, indexed, halved for all coarser scales, stored as one edit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dvidpy.datatypes.labelled.blocks import MOST_BLOCKS, pack, spread
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import NewBlock, store_blocks
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels import packing
from dvidpy.datatypes.voxels.masks import Mask, find_mask
from dvidpy.datatypes.voxels.volume import describe
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, to_wire
from dvidpy.kernels.label_blocks import Labels


def store_volume(data: LabelMap, box: Box, body: bytes, compression: str, roi: str) -> None:
    """Write the voxels of a box, little-endian, all or nothing; blocks outside a region of interest stay.

    BadRequest where the box is not made of whole blocks, or the body does not hold its voxels.
    """
    if not box.is_aligned(data.block):
        raise BadRequest(f"the volume {describe(box)} is not made of whole blocks of {to_wire(data.block)} voxels")
    size = box.volume * 8
    if box.blocks(data.block).volume > MOST_BLOCKS or (data.call is not None and size > data.call.limit):
        raise BadRequest(f"{size} bytes of voxels are more than the server takes")
    mask = find_mask(data, roi) if roi else None
    volume = np.frombuffer(packing.unpack(body, compression, size), "<u8").reshape(box.size)
    parts = list(_cut(data, box, volume, mask))
    store_blocks(data, spread(data, lambda one: _new_block(data, *one), parts), downres=True)


def _cut(data: LabelMap, box: Box, volume: Labels, mask: Mask | None) -> Iterator[tuple[Zyx, Labels]]:
    """(index, voxels) of each block inside the mask."""
    (depth, height, width), blocks = data.block, box.blocks(data.block)
    inside = None if mask is None else mask.inside(blocks, data.block)
    for z, y, x in Box((0, 0, 0), blocks.size).points():
        if inside is None or inside[z, y, x]:
            part = volume[z * depth : (z + 1) * depth, y * height : (y + 1) * height, x * width : (x + 1) * width]
            yield (blocks.start[0] + z, blocks.start[1] + y, blocks.start[2] + x), part


def _new_block(data: LabelMap, index: Zyx, voxels: Labels) -> NewBlock:
    block = codec.from_volume(voxels)
    return NewBlock(index, block, pack(data, block), codec.count(block))
