"""An image as other formats show it: its scales, its voxels by chunks (`views.volumes`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.imageblk.block_streams import is_kept_as_jpeg
from dvidpy.datatypes.imageblk.blocks import payload
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.keys import block_key
from dvidpy.datatypes.imageblk.volumes import read_box
from dvidpy.datatypes.views.volumes import Level, in_nanometers
from dvidpy.datatypes.voxels.kinds import UINT8
from dvidpy.datatypes.voxels.pictures import block_to_jpeg
from dvidpy.geometry import Box

RAW, JPEG = "raw", "jpeg"


def encodings_of(data: ImageBlk) -> tuple[str, ...]:
    """Encodings of its chunks: JPEG comes first only where that is how it is kept."""
    if data.kind is not UINT8:
        return (RAW,)
    return (JPEG, RAW) if is_kept_as_jpeg(data) else (RAW, JPEG)


def level_of(data: ImageBlk) -> Level:
    """An instance as one scale."""
    resolution = in_nanometers(data.voxel_size, data.instance.settings["VoxelUnits"])
    return Level(data, data.block, data.extents(), resolution)


def voxels_of(data: ImageBlk, box: Box) -> NDArray[Any]:
    """(z, y, x) voxels of a box, or (channel, z, y, x)."""
    found = read_box(data, box)
    return np.moveaxis(data.kind.values(found), -1, 0) if data.kind.interleaved else found


def chunk_of(data: ImageBlk, box: Box, encoding: str) -> bytes:
    """A chunk. As JPEG it is one picture, its z slices below each other; of a whole block the stored one."""
    if encoding == RAW:
        return voxels_of(data, box).tobytes()
    blocks = box.blocks(data.block)
    if is_kept_as_jpeg(data) and box == blocks.voxels(data.block) and blocks.volume == 1:
        only = data.view.find(block_key(blocks.start))
        if only is not None:
            return bytes(payload(data, only))
    return block_to_jpeg(read_box(data, box))
