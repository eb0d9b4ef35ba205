"""What stands in the blocks that elements are posted to, told by texts: none of it becomes an object."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.keys import BLOCK, block_key, blocks_of_place
from dvidpy.datatypes.voxels.grid import row_spans
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.store import View

Points = NDArray[np.int64]
Places = NDArray[np.int64]
"""Numbers of elements, in the order they were posted."""


class Near:
    """The blocks of (n, 3) points x, y, z of one place."""

    def __init__(self, view: View, block: Zyx, points: Points, *, fresh: bool) -> None:
        """`fresh`: the version has no elements at all."""
        self._size = np.array(block[::-1], np.int64)
        self.fresh = fresh or _is_fresh(view, block, points[0])
        """Nothing was ever stored in this place."""
        self.stored = {} if self.fresh else _stored(view, np.unique(points // self._size, axis=0).tolist())
        """What the blocks have, by type key."""

    def meets(self, points: Points) -> bool:
        """Whether there is an element at one of them already."""
        for places, there in self._touched(points):
            taken = set(map(elements.point_in, there))
            if not taken.isdisjoint(b"%d,%d,%d" % tuple(point) for point in points[places].tolist()):
                return True
        return False

    def lacks(self, points: Points, texts: list[bytes]) -> Places:
        """Which of the full forms of elements at these points are not there, letter by letter."""
        again = np.zeros(len(texts), np.bool_)
        for places, there in self._touched(points):
            known = set(there)
            again[places] = [elements.tail(texts[place]) in known for place in places.tolist()]
        return np.flatnonzero(~again)

    def _touched(self, points: Points) -> Iterator[tuple[Places, list[bytes]]]:
        """Points of each block that was written, and what it has."""
        if self.stored:
            blocks = points // self._size
            for places in grouped_by(*blocks.T):
                x, y, z = blocks[places[0]].tolist()
                stored = self.stored.get(block_key((z, y, x)))
                if stored is not None:
                    yield places, elements.tails(stored)


def _is_fresh(view: View, block: Zyx, point: NDArray[np.int64]) -> bool:
    """No block of the place of a point was ever written; then no list was either."""
    sides = blocks_of_place(block)
    z, y, x = (int(at) // side // wide * wide for at, side, wide in zip(point[::-1], block, sides, strict=True))
    spans = row_spans(BLOCK, Box((z, y, x), sides))
    return not any(True for start, stop in spans for _ in view.keys(start, stop))


def _stored(view: View, blocks: list[list[int]]) -> dict[bytes, bytes]:
    keys = [block_key((z, y, x)) for x, y, z in blocks]
    found = zip(keys, view.find_many(keys), strict=True)
    return {key: value.read() for key, value in found if value is not None}


def grouped_by(*numbers: NDArray[np.generic]) -> Iterator[Places]:
    """Which have the same numbers, each group in the order given."""
    if not len(numbers[0]):
        return
    order = np.lexsort(numbers)
    changes = np.zeros(len(order) - 1, np.bool_)
    for one in numbers:
        changes |= one[order][1:] != one[order][:-1]
    cuts = [0, *(np.flatnonzero(changes) + 1).tolist(), len(order)]
    yield from (order[first:last] for first, last in pairwise(cuts))
