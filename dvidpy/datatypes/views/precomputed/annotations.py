"""Points as a precomputed annotation collection: by place at several levels, by number, by body.

The number of a point says where it is, so that no index is kept: 21 bits along z, y, x, from LOWEST on. A point belongs
to one level of the spatial index, drawn by a hash of its number: each finer level has eight times as many. The key of
a level says where its grid begins, how wide its cells are, and which of how many it is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.events import KINDS
from dvidpy.errors import BadRequest, NotFound
from dvidpy.geometry import Box, Zyx, box_between, parse_integers, parse_point, to_wire

BITS = 21
LOWEST = -(1 << 17)
HIGHEST = LOWEST + (1 << BITS) - 1
"""Coordinates that a number can say; points beyond are not shown."""
SHOWN = box_between((LOWEST,) * 3, (HIGHEST + 1,) * 3)
FEW = 4096
"""Blocks up to which there is one level."""
MOST_LEVELS = 8
LIMIT, PER_BLOCK = 10_000, 8
"""What is said to be the most points of a cell, and of few blocks. Viewers reckon with it which part of a cell's points
they show: of two points and a limit of thousands, Neuroglancer shows none.
"""

POINT = np.dtype([("x", "<i4"), ("y", "<i4"), ("z", "<i4"), ("kind", "u1")])
"""A point; `kind` is a number of `events.KINDS`."""
_ENCODED = np.dtype([("at", "<f4", 3), ("kind", "u1"), ("padding", "u1", 3)])
Points = NDArray[Any]
"""(n,) rows of POINT."""


class Occupied(NamedTuple):
    """Where points may be."""

    box: Box | None
    """All blocks that have any; None without them."""
    blocks: int


@runtime_checkable
class Pointed(Protocol):
    """A data instance that has points with kinds, at one version."""

    def occupied(self) -> Occupied:
        """The blocks that were written; no point is read."""
        ...

    def resolution(self) -> list[float]:
        """Nanometers of a voxel along x, y, z."""
        ...

    def points_in(self, box: Box) -> Points:
        """Points inside a box of voxels."""
        ...

    def points_of(self, body: int) -> Points:
        """Points that lie in a body."""
        ...

    def point_at(self, point: Zyx) -> Points:
        """The point at a voxel, or none."""
        ...

    def body_at(self, point: Zyx) -> int | None:
        """Body at a voxel, 0 where there is none; None where the points follow no segmentation."""
        ...


# ---------------------------------------------------------------------- the collection
def collection_info(points: Pointed, *, bodies: bool) -> dict[str, Any]:
    """What there is; `bodies` are a relationship."""
    occupied = points.occupied()
    box, levels, side = _grid(occupied)
    cells = [-(-length // side) for length in box.size]
    size = [count * side for count in cells]
    names = dict(zip("xyz", ([nanometers * 1e-9, "m"] for nanometers in points.resolution()), strict=True))
    origin = "_".join(map(str, to_wire(box.start)))
    return {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": names,
        "lower_bound": to_wire(box.start),
        "upper_bound": [at + length for at, length in zip(to_wire(box.start), size[::-1], strict=True)],
        "annotation_type": "POINT",
        "properties": [{"id": "kind", "type": "uint8", "enum_values": [*range(len(KINDS))], "enum_labels": [*KINDS]}],
        "relationships": [{"id": "body", "key": "body"}] if bodies else [],
        "by_id": {"key": "by_id"},
        "spatial": [
            {
                "key": f"spatial/{origin}/{side >> level}-{level}-{levels}",
                "grid_shape": [count << level for count in cells[::-1]],
                "chunk_size": [side >> level] * 3,
                "limit": min(LIMIT, PER_BLOCK * max(1, occupied.blocks)),
            }
            for level in range(levels)
        ],
    }


def _grid(found: Occupied) -> tuple[Box, int, int]:
    """(bounds, levels, side of the cells of the coarsest level)."""
    box = Box((0, 0, 0), (64, 64, 64)) if found.box is None else found.box.common(SHOWN)
    if min(box.size) <= 0:
        box = Box((0, 0, 0), (64, 64, 64))
    levels, blocks = 1, found.blocks
    while blocks > FEW and levels < MOST_LEVELS:
        levels, blocks = levels + 1, blocks // 8
    step = 1 << (levels - 1)
    return box, levels, -(-max(box.size) // step) * step


# ---------------------------------------------------------------------- one cell
class Cell(NamedTuple):
    """A cell of one level."""

    box: Box
    level: int
    levels: int


def parse_cell(origin: str, level: str, cell: str) -> Cell:
    """x_y_z, side-level-levels, i_j_k -> cell; BadRequest where they make no sense."""
    start, place = parse_point(origin), parse_point(cell)
    side, number, levels = parse_integers(level, 3, "-")
    if side <= 0 or not 0 <= number < levels <= MOST_LEVELS or min(place) < 0:
        raise BadRequest(f"there is no cell {cell[:40]!r} of a level {level[:40]!r}")
    low = [at + along * side for at, along in zip(start, place, strict=True)]
    return Cell(box_between(low, [at + side for at in low]).common(SHOWN), number, levels)


def encode_cell(points: Pointed, cell: Cell) -> bytes:
    """The points of a cell that belong to its level, in the order of their hashes."""
    if min(cell.box.size) <= 0:
        return encode_many(np.empty(0, POINT))
    found = points.points_in(cell.box)
    drawn = _draw(numbers_of(found))
    shares = np.cumsum(8.0 ** np.arange(cell.levels))
    level = np.searchsorted(shares / shares[-1], drawn, side="right")
    own = np.flatnonzero(level == cell.level)
    return encode_many(found[own[np.argsort(drawn[own], kind="stable")]])


def _draw(numbers: NDArray[np.uint64]) -> NDArray[np.float64]:
    """A number below 1 for each, the same every time, as if by chance."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


# ---------------------------------------------------------------------- encoding
def numbers_of(points: Points) -> NDArray[np.uint64]:
    """Numbers of points that are shown."""
    x, y, z = ((points[axis].astype(np.int64) - LOWEST).astype(np.uint64) for axis in "xyz")
    found: NDArray[np.uint64] = x | y << np.uint64(BITS) | z << np.uint64(2 * BITS)
    return found


def place_of(number: int) -> Zyx:
    """Where the point of a number is; NotFound where no point has it."""
    if number >> (3 * BITS):
        raise NotFound(f"no annotation has the number {number}")
    x, y, z = ((number >> (BITS * axis) & ((1 << BITS) - 1)) + LOWEST for axis in range(3))
    return z, y, x


def encode_many(points: Points) -> bytes:
    """A list of points; those beyond what numbers can say are left out."""
    inside = np.ones(len(points), bool)
    for axis in "xyz":
        inside &= (points[axis] >= LOWEST) & (points[axis] <= HIGHEST)
    shown = points[inside]
    return b"".join((struct.pack("<Q", len(shown)), _encoded(shown), numbers_of(shown).astype("<u8").tobytes()))


def encode_single(point: Points, bodies: Sequence[int] | None) -> bytes:
    """One point with the bodies it lies in; None where that is no relationship."""
    related = b"" if bodies is None else struct.pack(f"<I{len(bodies)}Q", len(bodies), *bodies)
    return _encoded(point) + related


def _encoded(points: Points) -> bytes:
    out = np.zeros(len(points), _ENCODED)
    out["at"] = np.column_stack([points[axis] for axis in "xyz"])
    out["kind"] = points["kind"]
    return out.tobytes()
