"""Scales of an imagetile instance: the size of their pixels and of their tiles, and the extents in tiles."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

from dvidpy.datatypes.imagetile.keys import MOST_SCALES
from dvidpy.datatypes.settings import read_json
from dvidpy.datatypes.voxels.extents import Extents
from dvidpy.datatypes.voxels.planes import Plane
from dvidpy.datatypes.voxels.settings import read_voxel_size
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, LOWEST, Box, Zyx, from_wire, to_wire

DEFAULT_TILE = [512, 512, 512]
LONGEST_SIDE = 1 << 13
"""Pixels of a tile along each axis: none has more than 2^26."""
CLOSE = 0.001
"""How far from a whole number a magnification may be: resolutions are rounded."""
WORDS = 'expected {"Levels": {"0": {"Resolution": [x, y, z], "TileSize": [x, y, z]}, …}}'


class Level(NamedTuple):
    """One scale; lists are x, y, z."""

    resolution: list[float]
    """Size of a pixel, in the units of the source."""
    tile: list[int]
    """Pixels of a tile."""

    def cell(self, plane: Plane, magnification: Zyx = (1, 1, 1)) -> Zyx:
        """What a tile of a plane covers: so many times its pixels, and one voxel through the plane."""
        sides = [side * times for side, times in zip(from_wire(self.tile), magnification, strict=True)]
        sides[plane.through] = 1
        return sides[0], sides[1], sides[2]

    def shown(self) -> dict[str, Any]:
        """In the reference's words."""
        return {"Resolution": self.resolution, "TileSize": self.tile}


Levels = list[Level]


def show_levels(levels: Levels) -> dict[str, Any]:
    """By the text of their number, as kept and as shown."""
    return {str(scale): level.shown() for scale, level in enumerate(levels)}


def load_levels(kept: dict[str, Any]) -> Levels:
    """The reverse of `show_levels`."""
    return [Level(kept[str(scale)]["Resolution"], kept[str(scale)]["TileSize"]) for scale in range(len(kept))]


# ---------------------------------------------------------------------- reading
def parse_metadata(body: bytes) -> dict[str, Any]:
    """MinTileCoord, MaxTileCoord and Levels of a body, as kept; BadRequest where they make no sense."""
    given = read_json(body)
    if not isinstance(given, dict):
        raise BadRequest(WORDS)
    lower = {key.lower(): value for key, value in given.items()}
    low, high = (
        _three_numbers(key, lower.get(key.lower(), [0, 0, 0]), LOWEST, HIGHEST)
        for key in ("MinTileCoord", "MaxTileCoord")
    )
    return {"MinTileCoord": low, "MaxTileCoord": high, "Levels": show_levels(parse_levels(lower.get("levels")))}


def parse_levels(given: Any) -> Levels:
    """{"0": {"Resolution": …, "TileSize": …}, …}; BadRequest unless each is a whole multiple of the one before."""
    if not isinstance(given, dict) or not given:
        raise BadRequest(WORDS)
    if given.keys() != set(map(str, range(len(given)))) or len(given) > MOST_SCALES:
        raise BadRequest(f"levels must be numbered from 0 without gaps, {MOST_SCALES} at most")
    levels = [_level(given[str(scale)]) for scale in range(len(given))]
    magnifications(levels)
    return levels


def _level(given: Any) -> Level:
    if not isinstance(given, dict):
        raise BadRequest(WORDS)
    lower = {key.lower(): value for key, value in given.items()}
    tile = _three_numbers("TileSize", lower.get("tilesize"), 1, LONGEST_SIDE)
    return Level(read_voxel_size(lower.get("resolution")), tile)


def _three_numbers(key: str, given: Any, low: int, high: int) -> list[int]:
    if isinstance(given, list) and len(given) == 3:
        found = [number for number in given if type(number) is int and low <= number <= high]
        if len(found) == 3:
            return found
    raise BadRequest(f"{key} must be three whole numbers from {low} to {high}")


# ---------------------------------------------------------------------- magnifications
def magnifications(levels: Levels) -> list[Zyx]:
    """Of each level over the one before it (z, y, x), 1 of the first; BadRequest where one is no whole number."""
    found: list[Zyx] = [(1, 1, 1)]
    for scale, (fine, coarse) in enumerate(pairwise(levels)):
        times = [b / a for a, b in zip(fine.resolution, coarse.resolution, strict=True)]
        if not all(0.5 <= t <= HIGHEST and abs(t - round(t)) <= CLOSE * t and round(t) for t in times):
            raise BadRequest(f"the resolution of level {scale + 1} is no whole multiple of that of level {scale}")
        found.append(from_wire([round(t) for t in times]))
    if any(math.prod(along) > HIGHEST for along in zip(*found, strict=True)):
        raise BadRequest("the coarsest level is beyond the 32-bit coordinates")
    return found


def total_magnification(levels: Levels, scale: int) -> Zyx:
    """Voxels of full resolution in a pixel of a level, along z, y, x."""
    z, y, x = (math.prod(along) for along in zip(*magnifications(levels)[: scale + 1], strict=True))
    return z, y, x


# ---------------------------------------------------------------------- from a source
def default_levels(extents: Box, voxel_size: list[float]) -> Levels:
    """Tiles of 512 pixels, each level twice as coarse, until one tile covers the extents."""
    tiles = max(extents.blocks(from_wire(DEFAULT_TILE)).size)
    scales = 1 + math.ceil(math.log2(tiles))
    return [Level([side * 2**scale for side in voxel_size], DEFAULT_TILE) for scale in range(scales)]


def box_of(extents: Extents) -> Box | None:
    """The voxels between both points; None where there are none."""
    if extents.MinPoint is None or extents.MaxPoint is None:
        return None
    low, high = from_wire(extents.MinPoint), from_wire(extents.MaxPoint)
    return Box(low, (high[0] - low[0] + 1, high[1] - low[1] + 1, high[2] - low[2] + 1))


def metadata_of(levels: Levels, extents: Box) -> dict[str, Any]:
    """What `parse_metadata` gives, of these levels over these voxels."""
    tiles = extents.blocks(from_wire(levels[0].tile))
    high = [end - 1 for end in to_wire(tiles.stop)]
    return {"MinTileCoord": to_wire(tiles.start), "MaxTileCoord": high, "Levels": show_levels(levels)}
