"""What Google says of a volume, and which of its scales answers a request.

A volume has several geometries (scales), each with a size, the size of its pixels, and the type of its channel. Where
pixels are larger along two axes only, a geometry serves the plane of these axes; else it serves volumes and all planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dvidpy.datatypes.voxels.kinds import KINDS, Kind
from dvidpy.datatypes.voxels.planes import Plane
from dvidpy.errors import BadGateway, BadRequest
from dvidpy.geometry import HIGHEST, Box, Zyx, from_wire

SHAPES = ("XY", "XZ", "YZ")
"""Planes by the axis through them (z, y, x)."""
VOLUME = "XYZ"
MOST_CHANNELS = 256
SMALLEST = 1e-9
"""Side of a pixel, and of the largest one over 1."""
_CHANNELS = {"UINT8": "uint8", "FLOAT": "float32", "UINT64": "uint64"}
_KINDS = {kind.name: kind for kind in KINDS}


class Geometry(NamedTuple):
    """One scale; lists are x, y, z."""

    size: list[int]
    channels: int
    type: str
    """UINT8, FLOAT, UINT64, or what else there may be."""
    pixel: list[float]

    @property
    def box(self) -> Box:
        """Its voxels."""
        return Box((0, 0, 0), from_wire(self.size))

    @property
    def kind(self) -> Kind:
        """What its voxels are; BadRequest where they are of no kind that is known here."""
        if self.type not in _CHANNELS:
            raise BadRequest(f"the volume's channel is of type {self.type!r}, which is not known here")
        return _KINDS[_CHANNELS[self.type]]

    @property
    def itemsize(self) -> int:
        """Bytes of a voxel, all channels together."""
        return self.kind.itemsize * self.channels

    def shown(self) -> dict[str, Any]:
        """In the words of Google."""
        return {
            "volumeSize": self.size,
            "channelCount": self.channels,
            "channelType": self.type,
            "pixelSize": self.pixel,
        }


def load_geometry(kept: dict[str, Any]) -> Geometry:
    """The reverse of `Geometry.shown`."""
    return Geometry(kept["volumeSize"], kept["channelCount"], kept["channelType"], kept["pixelSize"])


def parse_volume(said: Any) -> list[Geometry]:
    """Google's answer about a volume; BadGateway where it makes no sense. 64-bit numbers are texts there."""
    try:
        found = [_parse_geometry(one) for one in said["geometry"]]
    except (KeyError, TypeError, ValueError, OverflowError):
        found = []
    if not found:
        raise BadGateway("Google's answer about the volume makes no sense")
    return found


def _parse_geometry(said: Any) -> Geometry:
    size = [int(said["volumeSize"][axis]) for axis in "xyz"]
    pixel = [float(said["pixelSize"][axis]) for axis in "xyz"]
    channels = int(said["channelCount"])
    if not all(0 < side <= HIGHEST for side in size) or not all(SMALLEST <= side <= 1 / SMALLEST for side in pixel):
        raise ValueError(size, pixel)
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(channels)
    return Geometry(size, channels, str(said["channelType"]), pixel)


# ---------------------------------------------------------------------- scales
def finest(geometries: Sequence[Geometry]) -> int:
    """Index of the geometry with the smallest pixels."""
    best = 0
    for index, one in enumerate(geometries):
        if any(a < b for a, b in zip(one.pixel, geometries[best].pixel, strict=True)):
            best = index
    return best


def map_scales(geometries: Sequence[Geometry]) -> dict[str, int]:
    """Shape and scale as XY:0 -> index of the geometry that serves them."""
    best = finest(geometries)
    found = {f"{shape}:0": best for shape in (*SHAPES, VOLUME)}
    for index, one in enumerate(geometries):
        if index != best:
            times = [a / b for a, b in zip(one.pixel, geometries[best].pixel, strict=True)]
            found[f"{_shape_of(times)}:{_exponent(max(times))}"] = index
    return found


def _shape_of(times: Sequence[float]) -> str:
    x, y, z = times
    if x > z and y > z:
        return "XY"
    if x > y and z > y:
        return "XZ"
    return "YZ" if y > x and z > x else VOLUME


def _exponent(times: float) -> int:
    """The power of 2 that reaches a magnification."""
    exponent = 0
    while 2**exponent < times:
        exponent += 1
    return exponent


def choose(scales: dict[str, int], plane: Plane | None, scale: int) -> int:
    """Index of the geometry for a plane, or a volume, at a scale; BadRequest where there is none."""
    shape = VOLUME if plane is None else SHAPES[plane.through]
    for name in (f"{shape}:{scale}", f"{VOLUME}:{scale}"):
        if name in scales:
            return scales[name]
    raise BadRequest(f"the volume has no scale {scale} for {shape}")


def tile_start(plane: Plane, at: Zyx, side: int) -> Zyx:
    """First voxel of a tile: coordinates count tiles along the plane and voxels through it."""
    z, y, x = (number if axis == plane.through else number * side for axis, number in enumerate(at))
    return z, y, x
