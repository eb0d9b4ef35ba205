"""Settings of an instance at its creation, in the reference's words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.voxels.extents import Extents
from dvidpy.datatypes.voxels.kinds import Kind
from dvidpy.datatypes.voxels.pictures import LONGEST_JPEG
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer, parse_integers
from dvidpy.storage.codecs import JPEG, Codec, parse_codec

BLOCK_SIZE = [32, 32, 32]
VOXEL_SIZE: list[float] = [8, 8, 8]
VOXEL_UNITS = ["nanometers"] * 3
LEVELS = "Pyramid"
"""Setting: how many lower resolutions are kept."""
MOST_LEVELS = 16
LARGEST_BLOCK = 16 << 20
"""Bytes of the largest block: each is one value of the store, unpacked whole however little of it is asked for."""


def settings_of(kind: Kind) -> Callable[[Given], dict[str, Any]]:
    """Reader of the settings of this kind's instances."""

    def read(given: Given) -> dict[str, Any]:
        """What the instance keeps; lists are x, y, z. BadRequest for what makes no sense."""
        units = given.text("voxelunits")
        if given.text("gridstore"):
            raise BadRequest(f"this server has no grid store {given.text('gridstore')!r}")
        return {
            "BlockSize": _block_size(given, kind),
            "VoxelSize": _voxel_size(given),
            "VoxelUnits": VOXEL_UNITS if units is None else _units(units),
            "Background": _background(given),
            "ScaleLevel": parse_integer(given.text("scalelevel") or "0"),
            "GridStore": "",
            **_pyramid(given),
            **_extents(given),
        }

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


def read_voxel_size(given: Any) -> list[float]:
    """[x, y, z] as JSON; BadRequest unless they are three positive finite numbers."""
    if isinstance(given, list) and len(given) == 3 and all(_is_length(number) for number in given):
        return [_plain(number) for number in given]
    raise BadRequest("a resolution is a list of three positive numbers")


def _is_length(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number > 0


def _plain(number: float) -> float:
    """Whole numbers are shown without a point, as the reference does."""
    return int(number) if float(number).is_integer() else number


def _voxel_size(given: Given) -> list[float]:
    sizes = given.floats("voxelsize")
    return VOXEL_SIZE if sizes is None else read_voxel_size(list(sizes))


def _block_size(given: Given, kind: Kind) -> list[int]:
    text = given.text("blocksize")
    if text is None:
        return BLOCK_SIZE
    sides = list(parse_integers(text, 3, ","))
    if min(sides) < 1 or math.prod(sides) * kind.itemsize > LARGEST_BLOCK:
        raise BadRequest(f"BlockSize {text!r}: a block has at least one voxel and at most {LARGEST_BLOCK} bytes")
    return sides


def _background(given: Given) -> int:
    background = parse_integer(given.text("background") or "0")
    if not 0 <= background <= 255:
        raise BadRequest(f"Background {background} is no byte")
    return background


def _pyramid(given: Given) -> dict[str, Any]:
    levels = parse_integer(given.text("pyramid") or "0")
    if not 0 <= levels <= MOST_LEVELS:
        raise BadRequest(f"Pyramid {levels}: an instance has from 0 to {MOST_LEVELS} lower resolutions")
    return {LEVELS: levels} if levels else {}


def _units(text: str) -> list[str]:
    units = text.split(",")
    if len(units) != 3:
        raise BadRequest(f"VoxelUnits must be three words with commas between them: {text!r}")
    return units


def _extents(given: Given) -> dict[str, Any]:
    """MinPoint and MaxPoint, which stand until a version has extents of its own."""
    texts = given.text("minpoint"), given.text("maxpoint")
    if texts == (None, None):
        return {}
    low, high = (list(parse_integers(text or "", 3, ",")) for text in texts)
    if any(a > b for a, b in zip(low, high, strict=True)):
        raise BadRequest(f"MinPoint {low} lies beyond MaxPoint {high}")
    return Extents(low, high).shown()
