"""Settings that all instances of voxels have at their creation, in the reference's words."""

from __future__ import annotations

import math
from typing import Any

from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.voxels.extents import Extents
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer, parse_integers

VOXEL_SIZE: list[float] = [8, 8, 8]
VOXEL_UNITS = ["nanometers"] * 3
BLOCK_SIZE = [32, 32, 32]
LARGEST_BLOCK = 16 << 20
"""Bytes of the largest block: each is one value of the store, unpacked whole however little of it is asked for."""


def volume_settings(given: Given, block_size: list[int]) -> dict[str, Any]:
    """What the instance keeps; lists are x, y, z. BadRequest for what makes no sense."""
    units = given.text("voxelunits")
    if given.text("gridstore"):
        raise BadRequest(f"this server has no grid store {given.text('gridstore')!r}")
    return {
        "BlockSize": block_size,
        "VoxelSize": _voxel_size(given),
        "VoxelUnits": VOXEL_UNITS if units is None else read_units(units),
        "Background": _background(given),
        "ScaleLevel": parse_integer(given.text("scalelevel") or "0"),
        "GridStore": "",
        **_extents(given),
    }


def read_block_size(given: Given, itemsize: int) -> list[int]:
    """BlockSize x, y, z, of voxels of so many bytes; BadRequest where a block has none, or too many."""
    text = given.text("blocksize")
    if text is None:
        return BLOCK_SIZE
    sides = list(parse_integers(text, 3, ","))
    if min(sides) < 1 or math.prod(sides) * itemsize > LARGEST_BLOCK:
        raise BadRequest(f"BlockSize {text!r}: a block has at least one voxel and at most {LARGEST_BLOCK} bytes")
    return sides


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


def _background(given: Given) -> int:
    background = parse_integer(given.text("background") or "0")
    if not 0 <= background <= 255:
        raise BadRequest(f"Background {background} is no byte")
    return background


def read_units(text: str) -> list[str]:
    """VoxelUnits, x, y, z; BadRequest unless they are three words."""
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
