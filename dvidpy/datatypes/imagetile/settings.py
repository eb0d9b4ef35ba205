"""Settings of an imagetile instance at its creation, in the reference's words."""

from __future__ import annotations

from typing import Any

from dvidpy.datatypes.settings import Given
from dvidpy.errors import BadRequest
from dvidpy.storage.codecs import LZ4, NONE, Codec, parse_codec

FORMATS = {"lz4": 0, "png": 1, "jpg": 2}
"""Name of a format -> its number in `info`."""


def settings_of(given: Given) -> dict[str, Any]:
    """What an instance keeps; BadRequest for what makes no sense."""
    form = given.text("format")
    if form is not None and form.lower() not in FORMATS:
        raise BadRequest(f"Unknown format {form!r}: there are lz4, png and jpg")
    return {
        "Source": given.text("source") or "",
        "Format": (form or "png").lower(),
        "Placeholder": given.said("placeholder", default=False),
        "MinTileCoord": [0, 0, 0],
        "MaxTileCoord": [0, 0, 0],
        "Levels": {},
    }


def codec_of(given: Given, settings: dict[str, Any]) -> Codec:
    """Pictures are kept as they are, pixels as LZ4; BadRequest where Compression says something else."""
    packing = LZ4 if settings["Format"] == "lz4" else NONE
    named = "lz4" if packing == LZ4 else "none"
    compression = given.text("compression")
    if compression is not None and compression.lower() != named:
        raise BadRequest(f"Compression {compression!r} does not go with format {settings['Format']}; leave it out")
    return parse_codec(named, given.text("checksum"))
