"""Settings of an instance at its creation, in the reference's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.voxels.kinds import Kind
from dvidpy.datatypes.voxels.pictures import LONGEST_JPEG
from dvidpy.datatypes.voxels.settings import read_block_size, volume_settings
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer
from dvidpy.storage.codecs import JPEG, Codec, parse_codec

LEVELS = "Pyramid"
"""Setting: how many lower resolutions are kept."""
MOST_LEVELS = 16


def settings_of(kind: Kind) -> Callable[[Given], dict[str, Any]]:
    """Reader of the settings of this kind's instances."""

    def read(given: Given) -> dict[str, Any]:
        """What the instance keeps; lists are x, y, z. BadRequest for what makes no sense."""
        return {**volume_settings(given, read_block_size(given, kind.itemsize)), **_pyramid(given)}

    return read


def codec_of(kind: Kind) -> Callable[[Given, dict[str, Any]], Codec]:
    """Reader of how this kind's blocks are packed. JPEG shows the width of its pictures as level."""

    def read(given: Given, settings: dict[str, Any]) -> Codec:
        codec = parse_codec(given.text("compression"), given.text("checksum"), kind.itemsize)
        if codec.packing != JPEG:
            return codec
        width, height, depth = settings["BlockSize"]
        if kind.itemsize != 1 or max(width, height * depth) > LONGEST_JPEG:
            raise BadRequest(f"blocks of {width} x {height} x {depth} {kind.name} voxels cannot be kept as JPEG")
        return codec._replace(level=width)

    return read


def _pyramid(given: Given) -> dict[str, Any]:
    levels = parse_integer(given.text("pyramid") or "0")
    if not 0 <= levels <= MOST_LEVELS:
        raise BadRequest(f"Pyramid {levels}: an instance has from 0 to {MOST_LEVELS} lower resolutions")
    return {LEVELS: levels} if levels else {}
