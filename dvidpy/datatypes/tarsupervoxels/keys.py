"""Place of the files of supervoxels in the store. All versions share them: they stand in the root version.

| type key | value |
|---|---|
| 01 supervoxel:u64 extension, escaped | the file |

The extension belongs to the key: files of another one show again when the setting is changed back, as in the reference.
"""

from __future__ import annotations

from dvidpy.storage.keys import escape

FILE = b"\x01"
"""Class byte of files."""
PAST = b"\x02"
"""Behind all of them."""


def file_key(supervoxel: int, extension: str) -> bytes:
    """Type key of a supervoxel's file."""
    return FILE + supervoxel.to_bytes(8, "big") + escape(extension.encode())
