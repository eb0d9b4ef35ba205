"""Which voxels a shape is made of: those of a body at a scale that is fine, but not too fine."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.views.shapes.making import Order
from dvidpy.datatypes.views.volumes import Level
from dvidpy.errors import BadRequest, NotFound, TooLarge
from dvidpy.geometry import Box, Zyx, box_between

COMFORT = 1 << 20
"""Voxels of a body that are looked at where nobody asks for a scale: seconds at most for smooth ones."""
MOST = 1 << 24
"""Voxels of a body that are looked at where somebody does."""
WIDEST = 1 << 27
"""Voxels of the box around it, at any scale."""

Inside = NDArray[np.bool_]


class Found(NamedTuple):
    """A body, as its index tells of it."""

    voxels: int
    """At full resolution."""
    box: Box
    """Whole blocks around it, in voxels at full resolution."""


@runtime_checkable
class Shaped(Protocol):
    """A segmentation that has voxels of bodies."""

    @property
    def knows_bodies(self) -> bool:
        """Bodies have indices, so that it is known where they are."""
        ...

    def levels(self) -> list[Level]:
        """Its scales, the finest first."""
        ...

    def find_solid(self, label: int) -> Found | None:
        """What is known of a body at this version; None where there is no such one, or nobody knows of bodies."""
        ...

    def solid_parts(self, label: int, scale: int) -> Iterator[tuple[Zyx, Inside]]:
        """(first voxel, (z, y, x) inside) of the blocks of a body at a scale, all from one moment."""
        ...


class Solid(NamedTuple):
    """Voxels of a body at one scale."""

    inside: Inside
    """(z, y, x), as small as it goes."""
    start: Zyx
    """Its first voxel, of that scale."""
    resolution: tuple[float, float, float]
    """Nanometers of a voxel along x, y, z."""

    def order(self, what: str) -> Order:
        """What the workshop is told."""
        z, y, x = self.start
        a, b, c = self.resolution
        size: Zyx = self.inside.shape
        bits = np.packbits(self.inside, bitorder="little").tobytes()
        return Order(what, size, bits, (x * a, y * b, z * c), self.resolution)


def digest(order: Order) -> bytes:
    """The same for the same shape."""
    numbers = repr((order.what, order.size, order.start, order.resolution)).encode()
    return blake2b(order.bits, digest_size=24, key=blake2b(numbers, digest_size=32).digest()).digest()


def choose_scale(volume: Shaped, label: int, asked: int | None) -> tuple[int, Box]:
    """(scale, box around the body there): the one that is asked for, or the finest of at most a million voxels.

    NotFound where there is no such body, TooLarge where it is too large at that scale, or at all of them.
    """
    found, scales = volume.find_solid(label), len(volume.levels())
    if found is None:
        raise NotFound(f"there is no body {label}")
    if asked is not None:
        if not 0 <= asked < scales:
            raise BadRequest(f"there are the scales 0 to {scales - 1}, not {asked}")
        _demand_small(label, found, asked, MOST)
        return asked, _at(found.box, asked)
    for scale in range(scales - 1):
        if _fits(found, scale, COMFORT):
            return scale, _at(found.box, scale)
    _demand_small(label, found, scales - 1, MOST)
    return scales - 1, _at(found.box, scales - 1)


def read_solid(volume: Shaped, label: int, scale: int, box: Box) -> Solid:
    """Voxels of a body within a box of a scale; NotFound where it has none there."""
    inside = np.zeros(box.size, np.bool_)
    for start, part in volume.solid_parts(label, scale):
        common = Box(start, part.shape).common(box)
        if common.volume:
            inside[_within(common, box.start)] = part[_within(common, start)]
    low, high = _hull(inside)
    if not high[0]:
        raise NotFound(f"body {label} has no voxels at scale {scale}")
    first = tuple(at + begin for at, begin in zip(low, box.start, strict=True))
    x, y, z = volume.levels()[scale].resolution
    cut = np.ascontiguousarray(inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))])
    return Solid(cut, (first[0], first[1], first[2]), (x, y, z))


def _fits(found: Found, scale: int, most: int) -> bool:
    return found.voxels >> 3 * scale <= most and _at(found.box, scale).volume <= WIDEST


def _demand_small(label: int, found: Found, scale: int, most: int) -> None:
    if not _fits(found, scale, most):
        size = " x ".join(map(str, _at(found.box, scale).size[::-1]))
        raise TooLarge(
            f"body {label} has about {max(found.voxels >> 3 * scale, 1)} voxels within {size} at scale {scale}; "
            f"shapes are made of {most} within {WIDEST} at most: ask a coarser scale, if there is one"
        )


def _at(box: Box, scale: int) -> Box:
    return box_between([at >> scale for at in box.start], [-(-at >> scale) for at in box.stop])


def _within(box: Box, start: Zyx) -> tuple[slice, ...]:
    return tuple(slice(at - first, at - first + side) for at, side, first in zip(*box, start, strict=True))


def _hull(inside: Inside) -> tuple[list[int], list[int]]:
    """First and last + 1 along z, y, x of what is inside; zeros where nothing is."""
    low, high = [0, 0, 0], [0, 0, 0]
    for axis, others in enumerate(((1, 2), (0, 2), (0, 1))):
        there = np.flatnonzero(inside.any(axis=others))
        if there.size:
            low[axis], high[axis] = int(there[0]), int(there[-1]) + 1
    return low, high
