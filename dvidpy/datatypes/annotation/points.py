"""Elements as points with kinds, for other formats (`views.precomputed.annotations`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.instance import Annotations
from dvidpy.datatypes.annotation.keys import ALL_BLOCKS, block_key, label_prefix, place_in
from dvidpy.datatypes.annotation.reading import walk
from dvidpy.datatypes.views.precomputed.annotations import POINT, Occupied, Points
from dvidpy.geometry import Box, Zyx, box_between
from dvidpy.storage.keys import after


def occupied(data: Annotations) -> Occupied:
    """The blocks that were written."""
    places = (place_in(key) for key in data.view.keys(*ALL_BLOCKS))
    found = np.fromiter(chain.from_iterable(places), np.int64).reshape(-1, 3)
    if not len(found):
        return Occupied(None, 0)
    blocks = box_between(found.min(0).tolist(), (found.max(0) + 1).tolist())
    return Occupied(blocks.voxels(data.block), len(found))


def points_in(data: Annotations, box: Box) -> Points:
    """Elements inside a box."""
    found = _rows(value.read() for _, value in walk(data, box))
    inside = np.ones(len(found), bool)
    for axis, low, high in zip("zyx", box.start, box.stop, strict=True):
        inside &= (found[axis] >= low) & (found[axis] < high)
    return found[inside]


def points_of(data: Annotations, body: int) -> Points:
    """Elements in a body."""
    prefix = label_prefix(body)
    return _rows(value.read() for _, value in data.view.range(prefix, after(prefix)))


def point_at(data: Annotations, point: Zyx) -> Points:
    """The element at a voxel, or none."""
    blocks = Box(point, (1, 1, 1)).blocks(data.block)
    stored = data.view.get(block_key(blocks.start))
    found = _rows(() if stored is None else (stored,))
    z, y, x = point
    there: Points = found[(found["x"] == x) & (found["y"] == y) & (found["z"] == z)]
    return there


def _rows(lists: Iterable[bytes]) -> Points:
    return np.fromiter(_each(lists), POINT)


def _each(lists: Iterable[bytes]) -> Iterator[tuple[int, int, int, int]]:
    kinds = elements.KIND_NUMBERS
    for stored in lists:
        for one in elements.read_points(stored):
            yield (*one.Pos, kinds[one.Kind])
