"""Boxes of voxels: slices as numpy has them, cut along a grid of blocks. Points are (z, y, x)."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

Zyx = tuple[int, int, int]


class Box(NamedTuple):
    """From one voxel to another, which is outside."""

    start: Zyx
    stop: Zyx

    @property
    def shape(self) -> Zyx:
        """Voxels along each axis."""
        z, y, x = (max(0, b - a) for a, b in zip(*self, strict=True))
        return z, y, x

    @property
    def volume(self) -> int:
        """Voxels."""
        depth, height, width = self.shape
        return depth * height * width

    def common(self, other: Box) -> Box:
        """What is in both."""
        return Box(_each(max, self.start, other.start), _each(min, self.stop, other.stop))

    def around(self, block: Zyx) -> Box:
        """The smallest box of whole blocks that holds it."""
        start = tuple(at // side * side for at, side in zip(self.start, block, strict=True))
        stop = tuple(-(-at // side) * side for at, side in zip(self.stop, block, strict=True))
        return Box(_point(start), _point(stop))

    def within(self, origin: Zyx) -> tuple[slice, ...]:
        """Its slices in an array that begins at a voxel."""
        return tuple(slice(a - at, b - at) for a, b, at in zip(*self, origin, strict=True))

    def words(self) -> str:
        """Size and offset as paths have them: x_y_z/x_y_z."""
        return "/".join("_".join(map(str, reversed(point))) for point in (self.shape, self.start))

    def pieces(self, block: Zyx, most: int) -> Iterator[Box]:
        """Parts of at most so many voxels, unless one block has more, whose inner bounds lie on a grid of blocks."""
        sides = list(self.around(block).shape)
        for axis in range(3):
            others = sides[(axis + 1) % 3] * sides[(axis + 2) % 3]
            sides[axis] = max(block[axis], min(sides[axis], most // others // block[axis] * block[axis]))
        step = _point(sides)
        whole = self.around(block)
        for corner in product(*(range(a, b, s) for a, b, s in zip(*whole, step, strict=True))):
            stop = tuple(at + side for at, side in zip(corner, step, strict=True))
            yield Box(_point(corner), _point(stop)).common(self)


def read_key(key: Any, bounds: Box) -> tuple[Box, tuple[Any, ...]]:
    """What stands between brackets -> (box, index that drops axes of single numbers).

    Numbers are coordinates: a negative one does not count from the end. Open ends are those of `bounds`. IndexError for
    anything else.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        keys[at : at + 1] = [slice(None)] * (4 - len(keys))
    keys += [slice(None)] * (3 - len(keys))
    if len(keys) != 3:
        raise IndexError("a volume has three axes: z, y, x")
    read = [_read(one, low, high) for one, low, high in zip(keys, *bounds, strict=True)]
    start, stop = _point([a for a, _, _ in read]), _point([b for _, b, _ in read])
    return Box(start, stop), tuple(0 if single else slice(None) for _, _, single in read)


def _read(key: Any, low: int, high: int) -> tuple[int, int, bool]:
    if isinstance(key, slice):
        if key.step not in (None, 1):
            raise IndexError("volumes are read voxel by voxel: no steps; coarser ones have a scale")
        first = low if key.start is None else operator.index(key.start)
        return first, max(first, high if key.stop is None else operator.index(key.stop)), False
    try:
        at = operator.index(key)
    except TypeError:
        raise IndexError(f"{key!r} is no coordinate and no slice") from None
    return at, at + 1, True


def _each(work: Any, one: Zyx, other: Zyx) -> Zyx:
    return _point([*map(work, one, other)])


def _point(numbers: Any) -> Zyx:
    z, y, x = numbers
    return z, y, x
