"""Place of an imageblk instance's values in the store.

| type key | value |
|---|---|
| 01 z:u32 y:u32 x:u32 | voxels of one block, x fastest, little-endian; of an instance kept as JPEG the picture |
| 02 | extents (JSON, `voxels.extents`) |

The first byte is the class: 01 blocks, 02 extents. The numbers of a block are big-endian with their sign bit turned,
so that blocks stand in the order z, y, x, negative ones first.
"""

from __future__ import annotations

from dvidpy.datatypes.voxels.grid import index_key
from dvidpy.geometry import Zyx

BLOCK = b"\x01"
"""Class byte of blocks."""
EXTENTS = b"\x02"
"""Class byte, and whole key, of the extents."""


def block_key(index: Zyx) -> bytes:
    """Type key of the block (z, y, x)."""
    return BLOCK + index_key(index)
