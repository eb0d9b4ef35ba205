"""Volumes of voxels at several scales, as other formats show them. Any instance that answers `Scaled` is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.exchange import Body
from dvidpy.datatypes.voxels.extents import Extents
from dvidpy.errors import NotFound
from dvidpy.geometry import Box, Zyx, box_between, from_wire

SIDE = 64
"""Voxels along a side of a chunk, as nearly as whole blocks allow."""
LARGEST_SIDE = 128
_NANOMETERS = {
    "nm": 1.0,
    "nanometer": 1.0,
    "um": 1e3,
    "micron": 1e3,
    "micrometer": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
}


class Level(NamedTuple):
    """One scale of a volume."""

    data: Data
    """The instance that has its voxels, at the version asked for."""
    block: Zyx
    """Voxels that it keeps together."""
    extents: Extents
    resolution: list[float]
    """Nanometers of a voxel along x, y, z."""

    @property
    def chunk(self) -> Zyx:
        """Voxels of a chunk along z, y, x: one block, or as many small ones as make about 64."""
        depth, height, width = (_chunk_side(side) for side in self.block)
        return depth, height, width

    @property
    def bounds(self) -> Box:
        """Voxels that are shown: from where the chunk of the first one begins, to the last one.

        Of a volume without any voxels, the first chunk.
        """
        low, high = self.extents.MinPoint, self.extents.MaxPoint
        if low is None or high is None:
            return Box((0, 0, 0), self.chunk)
        first = [at // side * side for at, side in zip(from_wire(low), self.chunk, strict=True)]
        return box_between(first, [at + 1 for at in from_wire(high)])


def raw_bytes(volume: Scaled, box: Box) -> int:
    """Bytes of the voxels of a box."""
    return box.volume * volume.voxel_channels * np.dtype(volume.voxel_type).itemsize


class Scaled(Protocol):
    """A volume at one or more scales, at one version."""

    @property
    def voxel_type(self) -> str:
        """What numpy calls its numbers: uint8…"""
        ...

    @property
    def voxel_channels(self) -> int:
        """Numbers of a voxel."""
        ...

    @property
    def are_labels(self) -> bool:
        """Its numbers are names: they are never mixed."""
        ...

    @property
    def encodings(self) -> Sequence[str]:
        """Encodings of precomputed chunks; the first one where nobody asks for another."""
        ...

    def levels(self) -> list[Level]:
        """Its scales, the finest first."""
        ...

    def level_voxels(self, number: int, box: Box) -> NDArray[Any]:
        """(z, y, x) or (channel, z, y, x) voxels of a box of one scale, 0 where none were written."""
        ...

    def level_chunk(self, number: int, box: Box, encoding: str) -> Body:
        """The same as a precomputed chunk; a raw one may come in pieces."""
        ...


def need_level(volume: Scaled, name: str) -> tuple[int, Level]:
    """(number, scale) of "s0", "s1"…; NotFound for any other."""
    levels = volume.levels()
    for number, level in enumerate(levels):
        if name == f"s{number}":
            return number, level
    raise NotFound(f"there is no scale {name[:40]!r}; there are s0 to s{len(levels) - 1}")


def in_nanometers(size: Sequence[float], units: Sequence[str]) -> list[float]:
    """Size of a voxel along x, y, z; units that are not known count as nanometers."""
    return [
        length * _NANOMETERS.get(unit.lower().removesuffix("s"), 1.0) for length, unit in zip(size, units, strict=True)
    ]


def _chunk_side(side: int) -> int:
    return side * (SIDE // side) if side < SIDE else side if side <= LARGEST_SIDE else SIDE
