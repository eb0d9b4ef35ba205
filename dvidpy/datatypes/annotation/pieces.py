"""Points of a post: no two of them the same, and which are stored together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.annotation.elements import Point
from dvidpy.datatypes.annotation.keys import blocks_of_place
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx, to_wire

AT_ONCE = 1 << 16
"""Elements of a post from which on the rest is another edit."""


def demand_apart(points: NDArray[np.integer[Any]]) -> None:
    """BadRequest where two of (n, 3) points x, y, z are the same: the reference would keep both elements."""
    order = np.lexsort(points.T)
    same = np.flatnonzero(~_changes(points, order))
    if len(same):
        one, other = sorted(order[same[0] : same[0] + 2].tolist())
        raise BadRequest(f"members {one} and {other} of the list are both at {points[one].tolist()}")


def demand_inside(found: Iterable[Point], block: Zyx, size: Zyx) -> None:
    """BadRequest where a point lies outside a block of that size."""
    for at in found:
        if tuple(v // side for v, side in zip(at[::-1], size, strict=True)) != block:
            raise BadRequest(f"the element at {list(at)} is not in block {to_wire(block)} of {to_wire(size)} voxels")


def in_pieces(points: NDArray[np.integer[Any]], block: Zyx) -> list[NDArray[np.int64]]:
    """Which of (n, 3) points x, y, z belong to one edit: those of whole places, until they are AT_ONCE.

    A place is not parted: its lists would be written anew by each part.
    """
    if len(points) <= AT_ONCE:
        return [np.arange(len(points))]
    pieces: list[NDArray[np.int64]] = []
    waiting: list[NDArray[np.int64]] = []
    size = 0
    for group in grouped(points, block):
        waiting.append(group)
        size += len(group)
        if size >= AT_ONCE:
            pieces.append(np.concatenate(waiting))
            waiting, size = [], 0
    return [*pieces, np.concatenate(waiting)] if waiting else pieces


def grouped(points: NDArray[np.integer[Any]], block: Zyx) -> Iterator[NDArray[np.int64]]:
    """Which of (n, 3) points x, y, z lie in each place, in their order."""
    places = np.empty_like(points)
    for axis, (side, blocks) in enumerate(zip(block[::-1], blocks_of_place(block)[::-1], strict=True)):
        np.floor_divide(points[:, axis], side * blocks, out=places[:, axis])
    order = np.lexsort(places.T)
    return iter(np.split(order, np.flatnonzero(_changes(places, order)) + 1))


def _changes(rows: NDArray[np.integer[Any]], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows, in an order, differ from the one before, from the second on; column by column, to save memory."""
    found = np.zeros(max(0, len(order) - 1), np.bool_)
    for column in rows.T:
        ordered = column[order]
        found |= ordered[1:] != ordered[:-1]
    return found
