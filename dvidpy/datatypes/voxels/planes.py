"""Shapes of a request: the volume, or a plane along two axes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.voxels.kinds import Voxels
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, demand_sensible, parse_integers, parse_point


class Plane(NamedTuple):
    """A 2d slice; its axes are numbered in arrays' order: 0 is z, 2 is x."""

    across: int
    """Axis of the picture's width."""
    down: int
    """Axis of its height."""

    @property
    def through(self) -> int:
        """The axis it has only one voxel of."""
        return 3 - self.across - self.down

    def box(self, width: int, height: int, start: Zyx) -> Box:
        """The voxels of such a slice."""
        size = [1, 1, 1]
        size[self.across], size[self.down] = width, height
        return demand_sensible(Box(start, (size[0], size[1], size[2])))

    def picture(self, volume: Voxels) -> Voxels:
        """(height, width) array of the volume of `box`."""
        return np.squeeze(volume, axis=self.through)


_PLANES = {"xy": Plane(2, 1), "xz": Plane(2, 0), "yz": Plane(1, 0)}
_NUMBERS = {"0_1": "xy", "0_2": "xz", "1_2": "yz", "0_1_2": "vol"}


def parse_shape(text: str) -> Plane | None:
    """A plane, or None for the volume: xy, xz, yz, vol in any letter case, or axes 0_1, 0,2…; else BadRequest."""
    lower = text.lower()
    name = _NUMBERS.get(lower.replace(",", "_"), lower)
    if name == "vol":
        return None
    if name not in _PLANES:
        raise BadRequest(f"{text[:40]!r} is no shape; there are xy, xz, yz (0_1, 0_2, 1_2) and 0_1_2")
    return _PLANES[name]


def parse_box(size: str, offset: str) -> Box:
    """A volume of sx_sy_sz voxels at x_y_z; BadRequest where that makes no sense."""
    return demand_sensible(Box(parse_point(offset), parse_point(size)))


def parse_slice_size(size: str) -> tuple[int, int]:
    """Width and height of a slice, in voxels; BadRequest where they make no sense."""
    width, height = parse_integers(size, 2)
    if min(width, height) <= 0:
        raise BadRequest(f"a slice of {width} by {height} voxels is empty")
    return width, height
