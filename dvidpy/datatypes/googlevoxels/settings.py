"""Settings of a googlevoxels instance at its creation, in the reference's words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dvidpy.datatypes.googlevoxels.brainmaps import demand_key, describe_volume
from dvidpy.datatypes.googlevoxels.geometry import parse_volume
from dvidpy.datatypes.settings import Given
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer

TILE_SIZE = 512
LONGEST_SIDE = 1 << 13
"""Pixels of a tile along each axis."""
LARGEST_KEY = 1 << 16
"""Bytes of a key file."""
_VOLUME = re.compile(r"[\w.:-]{1,200}\Z", re.ASCII)


def settings_of(given: Given) -> dict[str, Any]:
    """What the instance keeps: it asks Google for the volume. BadRequest for what makes no sense, BadGateway."""
    volume, path = given.need("volumeid"), given.need("jwtfile")
    if not _VOLUME.match(volume):
        raise BadRequest(f"{volume[:80]!r} is no volumeid")
    tile = parse_tile_size(given.text("tilesize") or str(TILE_SIZE))
    key = _read_key(path)
    demand_key(key)
    geometries = parse_volume(describe_volume(key, volume))
    return {"VolumeID": volume, "JWT": key, "TileSize": tile, "Scales": [one.shown() for one in geometries]}


def parse_tile_size(text: str) -> int:
    """Pixels of a tile's side; BadRequest where that makes no sense."""
    side = parse_integer(text)
    if not 1 <= side <= LONGEST_SIDE:
        raise BadRequest(f"a tile size of {side} is not from 1 to {LONGEST_SIDE}")
    return side


def _read_key(path: str) -> str:
    """The text of a key file on the server; BadRequest where there is none. Nothing of it is told."""
    try:
        file = Path(path)
        if not file.is_file() or file.stat().st_size > LARGEST_KEY:
            raise BadRequest(f"the jwtfile {path!r} is not there, or no key file")
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise BadRequest(f"the jwtfile {path!r} cannot be read") from None
