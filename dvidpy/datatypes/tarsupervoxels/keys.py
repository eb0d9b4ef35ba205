"""Place of the files of supervoxels in the store. All versions share them: they stand in the root version.

| type key | value |
|---|---|
| 01 supervoxel:u64 extension, escaped | the file |

The extension belongs to the key: files of another one show again when the setting is changed back, as in the reference.
"""

from __future__ import annotations

from collections.abc import Iterator

from dvidpy.storage.keys import escape, unescape
from dvidpy.versioning.duties import Kept

FILE = b"\x01"
"""Class byte of files."""
PAST = b"\x02"
"""Behind all of them."""


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with where a file is kept."""
    supervoxel, extension = kept.typekey[1:9], unescape(kept.typekey[9:]).decode(errors="replace")
    if kept.typekey != file_key(int.from_bytes(supervoxel, "big"), extension) or not any(supervoxel):
        yield "this is no key of a supervoxel's file"
    if kept.version != kept.instance.root_version:
        yield "files belong to the root version"


def file_key(supervoxel: int, extension: str) -> bytes:
    """Type key of a supervoxel's file."""
    return FILE + supervoxel.to_bytes(8, "big") + escape(extension.encode())
