"""Many blocks in one answer: int32 x, y, z and number of bytes, little-endian, then the bytes; again and again."""

from __future__ import annotations

import struct

import numpy as np

from dvidpy.datatypes.voxels.kinds import Voxels
from dvidpy.geometry import Zyx

_HEAD = struct.Struct("<4i")
HEAD = _HEAD.size
"""Bytes before those of a block."""


def block_head(index: Zyx, size: int) -> bytes:
    """What stands before the bytes of a block."""
    z, y, x = index
    return _HEAD.pack(x, y, z, size)


def view_of(voxels: Voxels) -> memoryview:
    """The bytes of a C-contiguous array, not copied."""
    return voxels.reshape(-1).view(np.uint8).data
