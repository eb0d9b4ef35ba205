"""Points and boxes of voxels, and the grid of blocks over them.

Inside, points are (z, y, x), as arrays are indexed; on the wire they are x, y, z. Coordinates are 32-bit, signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from dvidpy.errors import BadRequest

Zyx = tuple[int, int, int]
LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1
"""Smallest and largest coordinate."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}\Z", re.ASCII)


def parse_integer(text: str) -> int:
    """A whole number of 32 bits; BadRequest for anything else."""
    number = int(text) if _INTEGER.match(text) else HIGHEST + 1
    if not LOWEST <= number <= HIGHEST:
        raise BadRequest(f"{text[:40]!r} is no whole number of 32 bits")
    return number


def parse_integers(text: str, count: int, separator: str = "_") -> tuple[int, ...]:
    """Whole numbers in the order they stand; BadRequest unless there are `count` of them."""
    parts = text.split(separator, count)
    if len(parts) != count:
        raise BadRequest(f"expected {count} whole numbers with {separator!r} between them, not {text[:80]!r}")
    return tuple(map(parse_integer, parts))


def parse_point(text: str, separator: str = "_") -> Zyx:
    """Text x, y, z -> (z, y, x); BadRequest where it is no point."""
    x, y, z = parse_integers(text, 3, separator)
    return z, y, x


def from_wire(xyz: Sequence[int]) -> Zyx:
    """[x, y, z] -> (z, y, x)."""
    x, y, z = xyz
    return z, y, x


def to_wire(point: Zyx) -> list[int]:
    """(z, y, x) -> [x, y, z]."""
    return [*reversed(point)]


class Box(NamedTuple):
    """A box of voxels, or of blocks."""

    start: Zyx
    size: Zyx

    @property
    def stop(self) -> Zyx:
        """The first point behind it, along every axis."""
        (z, y, x), (depth, height, width) = self
        return z + depth, y + height, x + width

    @property
    def volume(self) -> int:
        """Number of points in it."""
        depth, height, width = self.size
        return depth * height * width

    def blocks(self, block: Zyx) -> Box:
        """Blocks of this size that it touches, as a box of the block grid."""
        start = tuple(at // side for at, side in zip(self.start, block, strict=True))
        stop = tuple(-(-at // side) for at, side in zip(self.stop, block, strict=True))
        return box_between(start, stop)

    def voxels(self, block: Zyx) -> Box:
        """Of a box of the block grid: its voxels."""
        return box_between(
            tuple(at * side for at, side in zip(self.start, block, strict=True)),
            tuple(at * side for at, side in zip(self.stop, block, strict=True)),
        )

    def is_aligned(self, block: Zyx) -> bool:
        """It begins and ends where blocks do."""
        return not any(at % side for at, side in zip((*self.start, *self.size), block * 2, strict=True))

    def layer(self, first: int, last: int) -> Box:
        """The part with first <= z < last."""
        (z, y, x), (depth, height, width) = self
        first, last = max(z, first), min(z + depth, last)
        return Box((first, y, x), (last - first, height, width))

    def common(self, other: Box) -> Box:
        """What both have; a side is 0 where that is nothing."""
        start = tuple(map(max, self.start, other.start))
        return box_between(start, tuple(map(max, start, map(min, self.stop, other.stop))))

    def rows(self) -> Iterator[tuple[int, int]]:
        """(z, y) of its rows along x, in order."""
        (z, y, _), (depth, height, _) = self
        return product(range(z, z + depth), range(y, y + height))

    def points(self) -> Iterator[Zyx]:
        """All its points, x fastest."""
        return product(*(range(at, end) for at, end in zip(self.start, self.stop, strict=True)))  # type: ignore[return-value]


def box_between(start: Sequence[int], stop: Sequence[int]) -> Box:
    """Start <= points < stop."""
    z, y, x = start
    zz, yy, xx = stop
    return Box((z, y, x), (zz - z, yy - y, xx - x))


def demand_sensible(box: Box) -> Box:
    """The box; BadRequest where a side is not positive or a coordinate leaves the 32 bits."""
    if min(box.size) <= 0:
        raise BadRequest(f"a size of {to_wire(box.size)} voxels is empty")
    if max(box.stop) > HIGHEST + 1:
        raise BadRequest(f"a box of {to_wire(box.size)} voxels at {to_wire(box.start)} leaves the 32-bit coordinates")
    return box
