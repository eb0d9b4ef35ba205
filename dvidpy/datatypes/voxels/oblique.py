"""Planes of any direction, their pixels mixed from the eight voxels around each (trilinear)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.voxels.kinds import Kind, Voxels
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, LOWEST, Zyx

AT_ONCE = 1 << 16
"""Pixels whose voxels are gathered at once."""
BUDGET = 64 << 20
"""Bytes of blocks that are held at once, if they are more than the eight around one pixel."""
CELLS = 1 << 22
"""Blocks in the box around the pixels that are looked at together."""
ReadBlock = Callable[[Zyx], Voxels]
"""Index of a block -> its voxels, background where it was never written."""
Points = NDArray[np.float64]
"""(3, n) places z, y, x in voxels; (3,) one of them."""


class Oblique(NamedTuple):
    """A plane by its pixels, in voxels."""

    start: Points
    across: Points
    """Step from one pixel to the next on its right."""
    down: Points
    width: int
    height: int

    def points(self, first: int, last: int) -> Points:
        """Places of the pixels first <= i < last, counted row by row."""
        y, x = np.divmod(np.arange(first, last), self.width)
        return np.asarray(self.start[:, None] + y * self.down[:, None] + x * self.across[:, None])


def parse_corner(text: str) -> list[float]:
    """x_y_z in nanometers; BadRequest where it is no point."""
    try:
        found = [float(part) for part in text.split("_")]
    except ValueError:
        found = []
    if len(found) != 3 or not all(map(math.isfinite, found)):
        raise BadRequest(f"{text[:80]!r} is no point x_y_z")
    return found


def parse_resolution(text: str) -> float:
    """Nanometers per pixel; BadRequest unless that is more than nothing."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not (math.isfinite(found) and found > 0):
        raise BadRequest(f"{text[:40]!r} is no resolution")
    return found


def make_oblique(
    top_left: list[float], top_right: list[float], bottom_left: list[float], resolution: float, voxel: Sequence[float]
) -> Oblique:
    """Plane of three corners x, y, z in nanometers; BadRequest where it leaves the 32-bit coordinates."""
    start, right, bottom = (np.array(corner) for corner in (top_left, top_right, bottom_left))
    steps_across, steps_down = (math.dist(start, end) / resolution for end in (right, bottom))
    scale = np.array(voxel, float)
    corners = np.stack([start, right, bottom, right + bottom - start]) / scale
    if not (corners.min() >= LOWEST and corners.max() < HIGHEST and max(steps_across, steps_down) < HIGHEST):
        raise BadRequest("the plane leaves the 32-bit coordinates")
    across, down = ((end - start) / max(1, int(n)) for end, n in ((right, steps_across), (bottom, steps_down)))
    turned = [(one / scale)[::-1] for one in (start, across, down)]
    return Oblique(turned[0], turned[1], turned[2], int(steps_across) + 1, int(steps_down) + 1)


def sample(plane: Oblique, kind: Kind, block: Zyx, read: ReadBlock) -> Voxels:
    """(height, width) voxels of a plane."""
    total = plane.width * plane.height
    out = np.empty(total, kind.dtype)
    for first in range(0, total, AT_ONCE):
        last = min(total, first + AT_ONCE)
        out[first:last] = _sample_points(plane.points(first, last), kind, block, read)
    return out.reshape(plane.height, plane.width)


def _sample_points(points: Points, kind: Kind, block: Zyx, read: ReadBlock) -> Voxels:
    """Voxels at some places; halved until their blocks fit the budget."""
    floor = np.floor(points)
    ends = np.stack([floor, np.ceil(points)], axis=1).astype(np.int64)  # (3, 2, n)
    indices, inside = np.divmod(ends, np.array(block)[:, None, None])
    lowest = indices.min(axis=(1, 2))
    grid = indices.max(axis=(1, 2)) - lowest + 1
    few = points.shape[1] == 1
    if not few and math.prod(grid.tolist()) > CELLS:
        return _halves(points, kind, block, read)
    cells = _of_corners(indices - lowest[:, None, None], grid)
    seen = np.zeros(math.prod(grid.tolist()), bool)
    seen[cells] = True
    touched = np.flatnonzero(seen)
    if not few and len(touched) * math.prod(block) * kind.itemsize > BUDGET:
        return _halves(points, kind, block, read)
    places = np.stack(np.unravel_index(touched, tuple(grid)), axis=-1) + lowest
    slots = (np.cumsum(seen) - 1)[cells]
    blocks = [read((z, y, x)) for z, y, x in places.tolist()]
    return _mix(kind, _gather(kind, blocks, slots, _of_corners(inside, np.array(block))), points - floor)


def _halves(points: Points, kind: Kind, block: Zyx, read: ReadBlock) -> Voxels:
    half = points.shape[1] // 2
    return np.concatenate([_sample_points(part, kind, block, read) for part in (points[:, :half], points[:, half:])])


def _of_corners(ends: NDArray[np.int64], shape: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places (3, 2, n) of the lower and higher end along z, y, x -> (8, n) flat places of all corners, x fastest."""
    z, y, x = ends
    flat = (z[:, None, None] * shape[1] + y[None, :, None]) * shape[2] + x[None, None, :]
    return np.asarray(flat.reshape(8, -1))


def _gather(kind: Kind, blocks: list[Voxels], slots: NDArray[np.int64], places: NDArray[np.int64]) -> Voxels:
    """Values of the voxels at flat places in the blocks that `slots` number; channels as a last axis."""
    stack = np.concatenate([block.reshape(-1) for block in blocks])
    if not kind.interleaved:
        return np.asarray(stack[slots * blocks[0].size + places])
    # The reference takes the number of a voxel for that of its first byte here, and its pictures are kept.
    first = slots * (blocks[0].size * kind.itemsize) + places
    return np.asarray(stack.view(np.uint8)[first[..., None] + np.arange(kind.itemsize)])


def _mix(kind: Kind, corners: Voxels, share: Points) -> Voxels:
    """Voxels from the values of eight corners (8, n[, channels]) and the place (3, n) between them."""
    shape = (-1,) + (1,) * (corners.ndim - 2)
    z, y, x = (along.reshape(shape) for along in share)
    mixed = corners.astype(np.float64)
    for part in (x, y, z):
        mixed = mixed[0::2] * (1.0 - part) + mixed[1::2] * part
    exact = (share == 0).all(axis=0)
    found = kind.voxels(mixed[0])
    found[exact] = kind.voxels(corners[0][exact])
    return found
