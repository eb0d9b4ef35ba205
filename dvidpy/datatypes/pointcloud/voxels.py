"""Points of the voxels of one block of a segmentation: those on surfaces of supervoxels, or all, or every n-th."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from dvidpy.datatypes.bodies import Segmented
from dvidpy.datatypes.pointcloud.edits import by_label
from dvidpy.datatypes.pointcloud.instance import Labels
from dvidpy.datatypes.pointcloud.packing import Kind, Points
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, to_wire

SURFACE, ALL = "surface", "all"


class Order(Struct, frozen=True):
    """Which voxels of which segmentation a cloud has."""

    source: str
    """Uuid of the segmentation's data."""
    scale: int
    voxels: str
    """`surface` or `all`."""
    every: int = 1
    """Of a supervoxel's voxels in a block, each so many-th, the first included."""


class Block(NamedTuple):
    """A block of a segmentation, and its place."""

    name: str
    parts: list[tuple[int, Points]]
    """(supervoxel, its points in order)."""


def name_of(index: Zyx) -> str:
    """What the points of a block are called by: x_y_z in the grid of blocks."""
    return "_".join(map(str, to_wire(index)))


def points_of(source: Segmented, order: Order, index: Zyx, kind: Kind) -> Block:
    """Points x, y, z of one block, in voxels of the scale."""
    box = Box(index, (1, 1, 1)).voxels(source.block)
    padded = _with_neighbours(source, order.scale, box) if order.voxels == SURFACE else None
    labels = source.supervoxels_in(order.scale, box) if padded is None else padded[1:-1, 1:-1, 1:-1]
    inside = labels != 0 if padded is None else (labels != 0) & _on_surface(padded)
    z, y, x = np.nonzero(inside)
    points = np.column_stack((x, y, z)).astype(np.int64) + np.array(to_wire(box.start))
    found = [(label, some[:: order.every].astype(kind.dtype)) for label, some in by_label(labels[inside], points)]
    return Block(name_of(index), found)


def _with_neighbours(source: Segmented, scale: int, box: Box) -> Labels:
    """(z, y, x) supervoxels of a box, and of the voxels that touch its faces."""
    padded = np.zeros([side + 2 for side in box.size], np.uint64)
    inner = (slice(1, -1),) * 3
    padded[inner] = source.supervoxels_in(scale, box)
    for axis in range(3):
        for place, at in ((0, box.start[axis] - 1), (-1, box.stop[axis])):
            start, size = list(box.start), list(box.size)
            start[axis], size[axis] = at, 1
            face = [*inner]
            face[axis] = slice(place, place + 1 or None)
            thin = Box((start[0], start[1], start[2]), (size[0], size[1], size[2]))
            padded[tuple(face)] = source.supervoxels_in(scale, thin)
    return padded


def _on_surface(padded: Labels) -> NDArray[np.bool_]:
    """Whether one of the six neighbours of a voxel is another's."""
    inner = padded[1:-1, 1:-1, 1:-1]
    found = np.zeros(inner.shape, np.bool_)
    for axis in range(3):
        for shift in (0, 2):
            place = [slice(1, -1)] * 3
            place[axis] = slice(shift, shift + inner.shape[axis])
            found |= padded[tuple(place)] != inner
    return found


def demand_fitting(order: Order, source: Segmented, kind: Kind) -> Order:
    """The order; BadRequest where the segmentation or the cloud cannot do it."""
    if order.voxels not in (SURFACE, ALL):
        raise BadRequest(f"voxels is {SURFACE} or {ALL}, not {order.voxels[:40]!r}")
    if not 0 <= order.scale <= source.scales:
        raise BadRequest(f"{source.instance.name!r} has the scales 0 to {source.scales}, not {order.scale}")
    if not 1 <= order.every < 1 << 31:
        raise BadRequest(f"every is 1 or more, below 2^31, not {order.every}")
    if kind.dimensions != 3 or kind.dtype.name not in ("int32", "int64", "float64"):
        raise BadRequest("voxels make points of three coordinates, of PointType int32, int64 or float64")
    return order
