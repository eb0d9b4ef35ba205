"""Settings of labelled volumes at their creation, in the reference's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dvidpy.datatypes.labels.blocks import demand_block_size
from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.voxels.settings import volume_settings
from dvidpy.errors import BadRequest
from dvidpy.geometry import from_wire, parse_integers
from dvidpy.storage.codecs import GZIP, JPEG, Codec, parse_codec

BLOCK_SIZE = [64, 64, 64]
SMALL_BLOCK = [32, 32, 32]
"""Of the types without coarser scales."""
STEP = 16
"""Sides of blocks are multiples of it: half a block is still made of sub-blocks."""
MOST_SCALES = 255


def settings_of(given: Given) -> dict[str, Any]:
    """What the instance keeps; lists are x, y, z. BadRequest for what makes no sense."""
    return {
        **volume_settings(given, read_block_size(given)),
        "MaxDownresLevel": read_levels(given),
        "IndexedLabels": given.said("indexedlabels", default=True),
        "NextLabel": 0,
    }


def counted_settings_of(given: Given) -> dict[str, Any]:
    """The same with CountLabels, which is shown and has no effect: voxels are always counted."""
    return {**settings_of(given), "CountLabels": given.said("countlabels", default=True)}


def codec_of(given: Given, settings: dict[str, Any]) -> Codec:
    """Blocks are kept as clients send them, one gzip member each; another setting is accepted and has no effect.

    BadRequest for one that names no packing.
    """
    parse_codec(given.text("compression"), given.text("checksum"))
    return Codec(GZIP)


def single_scale(*, indexed: bool) -> Callable[[Given], dict[str, Any]]:
    """Settings of types without coarser scales."""

    def settings(given: Given) -> dict[str, Any]:
        found = volume_settings(given, read_block_size(given, SMALL_BLOCK))
        return {**found, "MaxDownresLevel": 0, "IndexedLabels": indexed, "NextLabel": 0}

    return settings


def plain_codec_of(given: Given, settings: dict[str, Any]) -> Codec:
    """Blocks are packed as asked, LZ4 unless they are; BadRequest for JPEG, which is no packing of labels."""
    codec = parse_codec(given.text("compression"), given.text("checksum"))
    if codec.packing == JPEG:
        raise BadRequest("labels are not kept as JPEG")
    return codec


def read_levels(given: Given) -> int:
    """MaxDownresLevel; BadRequest where it is no number of scales."""
    levels = given.number("maxdownreslevel") or 0
    if not 0 <= levels <= MOST_SCALES:
        raise BadRequest(f"MaxDownresLevel {levels} is not from 0 to {MOST_SCALES}")
    return levels


def read_block_size(given: Given, default: list[int] = BLOCK_SIZE) -> list[int]:
    """BlockSize x, y, z in voxels; BadRequest where blocks cannot have it."""
    text = given.text("blocksize")
    if text is None:
        return default
    sides = list(parse_integers(text, 3, ","))
    if any(side <= 0 or side % STEP for side in sides):
        raise BadRequest(f"BlockSize {text!r}: sides are multiples of {STEP}")
    demand_block_size(from_wire(sides))
    return sides
