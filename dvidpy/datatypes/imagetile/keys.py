"""Place of tiles in the store.

| type key | value |
|---|---|
| 01 axis:u8 scale:u8 z:u32 y:u32 x:u32 | a tile: its picture, or of an instance kept as lz4 its pixels (`tiles`) |

The axis is the one that the plane has one voxel of: 0 z (xy), 1 y (xz), 2 x (yz). Along it the number is that of a
voxel at full resolution, along the others it counts tiles; sign bits are turned, so that negative ones come first.
"""

from __future__ import annotations

from typing import NamedTuple

from dvidpy.datatypes.voxels.grid import index_key
from dvidpy.datatypes.voxels.planes import Plane, parse_shape
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx, parse_point

TILE = b"\x01"
"""Class byte of tiles."""
LENGTH = 15
"""Bytes of a key."""
MOST_SCALES = 256
NAMES = ("xy", "xz", "yz")
"""Planes by their axis."""


class Tile(NamedTuple):
    """Where a tile is."""

    plane: Plane
    scale: int
    at: Zyx

    def key(self) -> bytes:
        """Its type key."""
        return TILE + bytes((self.plane.through, self.scale)) + index_key(self.at)

    def __str__(self) -> str:
        z, y, x = self.at
        return f"{NAMES[self.plane.through]}/{self.scale}/{x}_{y}_{z}"


def parse_plane(text: str) -> Plane:
    """xy, xz, yz or their axes; BadRequest for others, volumes too."""
    plane = parse_shape(text)
    if plane is None:
        raise BadRequest("tiles are of planes: xy, xz or yz")
    return plane


def parse_tile(dims: str, scale: str, at: str) -> Tile:
    """As in a path; BadRequest where it makes no sense."""
    if not (scale.isascii() and scale.isdecimal() and len(scale) <= 3 and int(scale) < MOST_SCALES):
        raise BadRequest(f"{scale[:40]!r} is no scale from 0 to {MOST_SCALES - 1}")
    return Tile(parse_plane(dims), int(scale), parse_point(at))
