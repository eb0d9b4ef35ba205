"""Voxels of a body as a NanoVDB grid of type OnIndex: which voxels are active, and a number for each.

Source: NanoVDB.h 32.8 of https://github.com/AcademySoftwareFoundation/openvdb. Little-endian, in two layouts:

| | as the reference writes it | as NanoVDB reads it (`published`) |
|---|---|---|
| children and voxels of a node | count x fastest | count z fastest |
| nodes of a level | in the order of z, y, x | breadth first |
| key of a tile of the root | x, y, z, int32 each | 21 bits each of x, y, z in a uint64 |
| number of the first voxel | 0 | 1: 0 is everything outside |

NanoVDB's own reader cannot open the reference's. The places of `published` leaves are x, y, z, all others z, y, x.

A leaf has 8 x 8 x 8 voxels, which is a sub-block of our masks, bit by bit; a lower node 16 x 16 x 16 leaves, an upper
node 32 x 32 x 32 lower ones, and the root a list of upper ones. A node knows where its children begin in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels.masks import Mask
from dvidpy.errors import TooLarge
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_blocks import SIDE
from dvidpy.kernels.label_masks import NOTHING, Bits

Places = NDArray[np.int64]
"""(n, 3): z, y, x."""
_GRID, _TREE, _ROOT, _TILE = 672, 64, 96, 32
"""Bytes of the heads of grid, tree and root, and of a tile of the root."""
_NAME = 256
_MAGIC, _VERSION = b"NanoVDB0", 32 << 21 | 8 << 10
_INDEX_GRID, _ON_INDEX = 8, 20
_LEAF = np.dtype(
    [("low", "<i4", 3), ("size", "u1", 3), ("flags", "u1"), ("mask", "u1", 64), ("offset", "<u8"), ("sums", "<u8")]
)
_REFERENCE_TILE = np.dtype([("key", "<i4", 3), ("child", "<i8"), ("state", "<u4"), ("value", "<u8")])
_PUBLISHED_TILE = np.dtype([("key", "<i8"), ("child", "<i8"), ("state", "<u4"), ("unused", "<u4"), ("value", "<u8")])
_LOWER, _UPPER = 4, 5
"""Bits of a child's place along each axis."""
_LEAVES = _LOWER + _UPPER
"""The same of a leaf in an upper node."""
_KEY = 20
"""Bits that an upper node's place has in a key; negative ones come after the others."""
_NO_CHECKSUM = (1 << 64) - 1
_HAS_BOXES, _BREADTH_FIRST = 1 << 1, 1 << 5
_TOGETHER = 1 << 14
"""Leaves that are turned at once."""


class Leaves(NamedTuple):
    """Sub-blocks with voxels, in the order of their layout."""

    places: Places
    """In units of leaves."""
    bits: Bits
    published: bool = False

    @property
    def turn(self) -> int:
        """Step through the axes of places that gives x, y, z."""
        return 1 if self.published else -1

    def turned(self) -> Leaves:
        """The same voxels in the published layout."""
        parts = np.array_split(self.bits, -(-len(self.bits) // _TOGETHER) or 1)
        places, bits = self.places[:, ::-1], np.concatenate([_turned(part) for part in parts])
        tops = places >> _LEAVES & ((1 << _KEY) - 1)
        order = np.lexsort(np.column_stack((tops, places >> _LOWER, places)).T[::-1])
        return Leaves(places[order], bits[order], published=True)


class _Level(NamedTuple):
    """Nodes of one level, in order."""

    places: Places
    """In units of such nodes."""
    low: Places
    """First and last voxel of the box around all voxels of each."""
    high: Places
    size: int
    """Bytes of a node."""
    turn: int
    """As of the leaves."""
    order: NDArray[np.int64] = np.empty(0, np.int64)
    """Nodes of the level below, those of one node together; `starts` tells where each node's begin."""
    starts: NDArray[np.int64] = np.empty(0, np.int64)


def leaves_of(masks: Iterable[tuple[Zyx, Mask]], most: int) -> Leaves:
    """Leaves of (block, mask) in any order; TooLarge where they have more than `most` bytes in all."""
    places: list[Places] = [np.empty((0, 3), np.int64)]
    bits: list[Bits] = [np.empty((0, 64), np.uint8)]
    size = 0
    for block, mask in masks:
        inside = np.flatnonzero(mask.flags != NOTHING)
        size += inside.size * _LEAF.itemsize
        if size > most:
            raise TooLarge(f"the grid has more than {most} bytes of leaves")
        places.append(np.column_stack(np.unravel_index(inside, mask.grid)) + np.array(block) * np.array(mask.grid))
        bits.append(mask.bits[inside])
    whole, rows = np.concatenate(places), np.concatenate(bits)
    order = np.lexsort(whole.T[::-1])
    return Leaves(whole[order], rows[order])


def grid(leaves: Leaves, name: bytes, voxel_size: Sequence[float]) -> tuple[int, Iterator[bytes]]:
    """(bytes of the file, the file in pieces) of one leaf at least.

    Args:
        leaves: its voxels.
        name: of the grid; 256 bytes of it count.
        voxel_size: x, y, z.
    """
    counts = np.bitwise_count(leaves.bits).reshape(-1, SIDE, SIDE).sum(axis=2, dtype=np.uint64)
    bottom = _level_of(leaves)
    lower = _above(bottom, _LOWER, sort=not leaves.published)
    upper = _above(lower, _UPPER, sort=not leaves.published)
    levels = (upper, lower, bottom)
    starts = np.cumsum(
        [_GRID + _TREE + _ROOT + _TILE * len(upper.places), *(len(one.places) * one.size for one in levels)]
    )
    voxels = int(counts.sum())

    def pieces() -> Iterator[bytes]:
        yield _grid_head(name, voxel_size, int(starts[3]), upper, voxels)
        yield _tree_head(starts.tolist(), levels, voxels) + _root(upper, int(starts[0]))
        yield from _nodes(upper, lower, _UPPER, int(starts[0]), int(starts[1]))
        yield from _nodes(lower, bottom, _LOWER, int(starts[1]), int(starts[2]))
        yield _leaf_nodes(leaves, bottom, counts)

    return int(starts[3]), pieces()


# ---------------------------------------------------------------------- levels
def _level_of(leaves: Leaves) -> _Level:
    """Boxes of voxels of the leaves."""
    rows = leaves.bits.reshape(-1, SIDE, SIDE)
    columns = np.unpackbits(np.bitwise_or.reduce(leaves.bits, axis=1)[:, None], axis=1, bitorder="little")
    low, high = np.empty((len(rows), 3), np.int64), np.empty((len(rows), 3), np.int64)
    layers, lines = np.bitwise_or.reduce(rows, axis=2), np.bitwise_or.reduce(rows, axis=1)
    for axis, used in enumerate((layers > 0, lines > 0, columns > 0)):
        low[:, axis] = used.argmax(axis=1)
        high[:, axis] = SIDE - 1 - used[:, ::-1].argmax(axis=1)
    start = leaves.places * SIDE
    return _Level(leaves.places, start + low, start + high, _LEAF.itemsize, leaves.turn)


def _turned(bits: Bits) -> Bits:
    """Voxels of leaves counted z fastest, not x."""
    voxels = np.unpackbits(bits, axis=1, bitorder="little").reshape(-1, SIDE, SIDE, SIDE)
    return np.packbits(voxels.transpose(0, 3, 2, 1).reshape(-1, SIDE**3), axis=1, bitorder="little")


def _above(below: _Level, bits: int, *, sort: bool) -> _Level:
    """The nodes that hold some others; those of one node may stand together already."""
    places = below.places >> bits
    order = np.lexsort(places.T[::-1]) if sort else np.arange(len(places))
    places = places[order]
    starts = np.flatnonzero(np.append(True, (places[1:] != places[:-1]).any(axis=1)))
    low = np.minimum.reduceat(below.low[order], starts)
    high = np.maximum.reduceat(below.high[order], starts)
    return _Level(places[starts], low, high, _node(bits).itemsize, below.turn, order, starts)


# ---------------------------------------------------------------------- bytes
def _node(bits: int) -> np.dtype[Any]:
    children = 1 << 3 * bits
    mask = ("u1", children // 8)
    fields = [("low", "<i4", 3), ("high", "<i4", 3), ("flags", "<u8"), ("active", *mask), ("children", *mask)]
    return np.dtype([*fields, ("statistics", "<u8", 4), ("table", "<i8", children)])


def _grid_head(name: bytes, voxel_size: Sequence[float], size: int, upper: _Level, voxels: int) -> bytes:
    scale = np.array(voxel_size, np.float64)
    low = upper.low.min(axis=0)[:: upper.turn] * scale
    high = (upper.high.max(axis=0)[:: upper.turn] + 1) * scale
    published = upper.turn == 1
    checksum, flags = (_NO_CHECKSUM, _HAS_BOXES | _BREADTH_FIRST) if published else (0, 0)
    return b"".join(
        (
            struct.pack("<8sQ4IQ256s", _MAGIC, checksum, _VERSION, flags, 0, 1, size, name[:_NAME]),
            _map(scale, np.float32),
            _map(scale, np.float64),
            np.concatenate((low, high, scale)).astype("<f8").tobytes(),
            struct.pack("<2Iq2I2Q", _INDEX_GRID, _ON_INDEX, 0, 0, 0, voxels + published, 0),
        )
    )


def _map(scale: NDArray[np.float64], dtype: type[np.floating[Any]]) -> bytes:
    """Matrix, its inverse, translation and taper."""
    inverse = np.divide(1.0, scale, out=np.zeros(3), where=scale != 0)
    matrices = np.concatenate((np.diag(scale).ravel(), np.diag(inverse).ravel(), np.zeros(3), np.ones(1)))
    return matrices.astype(np.dtype(dtype).newbyteorder("<")).tobytes()


def _tree_head(starts: list[int], levels: Sequence[_Level], voxels: int) -> bytes:
    """Where the levels begin, leaves first, and how many nodes each has; there are no active tiles."""
    upper, lower, bottom = (start - _GRID for start in starts[:3])
    numbers = [len(level.places) for level in reversed(levels)]
    return struct.pack("<4q6IQ", bottom, lower, upper, _TREE, *numbers, 0, 0, 0, voxels)


def _root(upper: _Level, start: int) -> bytes:
    box = np.concatenate((upper.low.min(axis=0)[:: upper.turn], upper.high.max(axis=0)[:: upper.turn])).astype("<i4")
    tiles = np.zeros(len(upper.places), _PUBLISHED_TILE if upper.turn == 1 else _REFERENCE_TILE)
    tiles["key"] = _keys(upper.places) if upper.turn == 1 else upper.places[:, ::-1] << 3 + _LEAVES
    tiles["child"] = start - _GRID - _TREE + upper.size * np.arange(len(tiles))
    return (box.tobytes() + struct.pack("<I", len(tiles))).ljust(_ROOT, b"\0") + tiles.tobytes()


def _keys(places: Places) -> NDArray[np.int64]:
    """Of tiles at x, y, z."""
    x, y, z = (places & ((1 << _KEY) - 1)).T
    keys: NDArray[np.int64] = x << 42 | y << 21 | z
    return keys


def _nodes(level: _Level, below: _Level, bits: int, start: int, start_below: int) -> Iterator[bytes]:
    """The nodes of a level, one by one."""
    node = np.zeros(1, _node(bits))
    stops = np.append(level.starts[1:], len(level.order))
    for at, (first, last) in enumerate(zip(level.starts.tolist(), stops.tolist(), strict=True)):
        children = level.order[first:last]
        slow, middle, fast = (below.places[children] & ((1 << bits) - 1)).T
        slots = slow << 2 * bits | middle << bits | fast
        used = np.zeros(1 << 3 * bits, np.bool_)
        used[slots] = True
        node["low"], node["high"] = level.low[at, :: level.turn], level.high[at, :: level.turn]
        node["children"] = np.packbits(used, bitorder="little")
        if level.turn == -1:  # where a node has a child, NanoVDB has no active value
            node["active"] = node["children"]
        node["table"] = 0
        node["table"][0, slots] = start_below + children * below.size - (start + at * level.size)
        yield node.tobytes()


def _leaf_nodes(leaves: Leaves, level: _Level, counts: NDArray[np.uint64]) -> bytes:
    """Leaves with the number of their first voxel, and sums of voxels before each layer, nine bits each."""
    nodes = np.zeros(len(leaves.places), _LEAF)
    nodes["low"], nodes["size"] = level.low[:, :: level.turn], (level.high - level.low)[:, :: level.turn]
    nodes["mask"] = leaves.bits
    whole = counts.sum(axis=1)
    nodes["offset"] = np.cumsum(whole) - whole + leaves.published
    sums = np.cumsum(counts[:, :-1], axis=1)
    nodes["sums"] = np.bitwise_or.reduce(sums << (9 * np.arange(7, dtype=np.uint64)), axis=1)
    return nodes.tobytes()
