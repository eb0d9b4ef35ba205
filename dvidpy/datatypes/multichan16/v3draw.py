"""V3D Raw files, of the program Vaa3D: a head of 43 bytes, then one channel after the other, each x fastest.

| bytes | head |
|---|---|
| 24 | `raw_image_stack_by_hpeng` |
| 1 | L for little-endian, B for big-endian numbers |
| 2 | bytes of a voxel: 1, 2 or 4 |
| 4 times 4 | width, height, depth, number of channels |

As the reference reads them.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from dvidpy.datatypes.multichan16.keys import MOST_CHANNELS
from dvidpy.datatypes.voxels.kinds import UINT8, UINT16, Kind
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, Box

MAGIC = b"raw_image_stack_by_hpeng"
HEAD = 43
"""Bytes of the head."""
_KINDS = {1: UINT8, 2: UINT16}


class V3DRaw(NamedTuple):
    """What the head of a file says."""

    kind: Kind
    box: Box
    """Its voxels, from 0, 0, 0."""
    channels: int
    big_endian: bool

    @property
    def size(self) -> int:
        """Bytes of voxels, behind the head."""
        return self.channels * self.box.volume * self.kind.itemsize


def head_of(file: V3DRaw) -> bytes:
    """The head that says this."""
    order, mark = (b"B", ">") if file.big_endian else (b"L", "<")
    return MAGIC + order + struct.pack(f"{mark}H4I", file.kind.itemsize, *reversed(file.box.size), file.channels)


def parse_head(head: bytes) -> V3DRaw:
    """The head of a file; BadRequest where it is none, or of voxels that are not kept here."""
    if len(head) < HEAD or not head.startswith(MAGIC):
        raise BadRequest("this is no V3D Raw file")
    order = head[len(MAGIC) : len(MAGIC) + 1]
    if order not in (b"L", b"B"):
        raise BadRequest("a V3D Raw file says L or B of the order of its bytes")
    itemsize, width, height, depth, channels = struct.unpack_from("<H4I" if order == b"L" else ">H4I", head, 25)
    if itemsize not in _KINDS:
        raise BadRequest(f"voxels of {itemsize} bytes: there are channels of 1 and 2")
    if min(width, height, depth) < 1 or max(width, height, depth) > HIGHEST:
        raise BadRequest(f"a volume of {width} x {height} x {depth} voxels makes no sense")
    if not 1 <= channels <= MOST_CHANNELS:
        raise BadRequest(f"{channels} channels: there are from 1 to {MOST_CHANNELS}")
    return V3DRaw(_KINDS[itemsize], Box((0, 0, 0), (depth, height, width)), channels, order == b"B")
