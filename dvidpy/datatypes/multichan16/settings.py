"""Settings of a multichan16 instance at its creation, in the reference's words."""

from __future__ import annotations

from typing import Any

from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.voxels.kinds import RGBA8, UINT16
from dvidpy.datatypes.voxels.settings import read_block_size, volume_settings
from dvidpy.errors import BadRequest
from dvidpy.storage.codecs import JPEG, Codec, parse_codec


def settings_of(given: Given) -> dict[str, Any]:
    """What the instance keeps; lists are x, y, z. BadRequest for what makes no sense."""
    return volume_settings(given, read_block_size(given, RGBA8.itemsize))


def codec_of(given: Given, settings: dict[str, Any]) -> Codec:
    """How blocks are packed; BadRequest for JPEG, which has no 16-bit voxels."""
    codec = parse_codec(given.text("compression"), given.text("checksum"), UINT16.itemsize)
    if codec.packing == JPEG:
        raise BadRequest("channels cannot be kept as JPEG")
    return codec
