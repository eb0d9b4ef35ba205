"""Place of channels in the store.

| type key | value |
|---|---|
| 01 channel:u8 z:u32 y:u32 x:u32 | voxels of one block of a channel, x fastest, little-endian; channel 0 is the composite, red, green, blue, alpha |
| 02 | extents (JSON, `voxels.extents`) |
| 03 | the channels: JSON list of {"DataType": "uint8" or "uint16", "Label": text} |

The numbers of a block have their sign bit turned.
"""  # noqa: E501  # a row of a table

from __future__ import annotations

from dvidpy.datatypes.voxels.grid import index_key
from dvidpy.geometry import Zyx

BLOCK = b"\x01"
"""Class byte of blocks."""
EXTENTS = b"\x02"
"""Class byte, and whole key, of the extents."""
CHANNELS = b"\x03"
"""Class byte, and whole key, of the list of channels."""
BLOCK_KEY = 14
"""Bytes of a block's key."""
COMPOSITE = 0
MOST_CHANNELS = 255


def channel_key(channel: int) -> bytes:
    """Beginning of the keys of a channel's blocks."""
    return BLOCK + bytes((channel,))


def block_key(channel: int, index: Zyx) -> bytes:
    """Type key of a block."""
    return channel_key(channel) + index_key(index)
