"""Elements of boxes, regions, labels and tags, as JSON. What is stored is sent, wherever it can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress, islice

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.elements import Element, List, Point
from dvidpy.datatypes.annotation.instance import Annotations
from dvidpy.datatypes.annotation.keys import ALL_BLOCKS, BLOCK, block_key, place_in
from dvidpy.datatypes.exchange import Piece
from dvidpy.datatypes.voxels.grid import index_key, indices_of, is_index, row_spans
from dvidpy.datatypes.voxels.masks import find_region
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, LOWEST, Box, Zyx, box_between, parse_point, to_wire
from dvidpy.kernels.unpacking import INSIDE
from dvidpy.storage.keys import LARGE, after
from dvidpy.versioning.found import Found, Several

ROWS = 1024
"""Rows of blocks that are looked up one by one; of a larger box the whole range of keys is walked."""
LOOKED_UP = 512
"""Blocks that are looked up one by one rather than by their rows."""
FEW, QUICK = 8, 1 << 16
"""Lists, and packed bytes of them, that are read in the event loop."""
TOGETHER = 4096
"""Blocks that are looked at together."""


def parse_box(size: str, offset: str) -> Box:
    """Text sx_sy_sz and x_y_z -> voxels, none where a side is below 1, and none behind the last voxel there is.

    As in the reference a side of 0 still touches a block where the offset lies inside it.
    """
    start, sides = parse_point(offset), parse_point(size)
    stop = [max(min(at + side, HIGHEST + 1), LOWEST) for at, side in zip(start, sides, strict=True)]
    return box_between(start, stop)


# ---------------------------------------------------------------------- blocks
def walk(data: Annotations, voxels: Box) -> Iterator[tuple[Zyx, Found]]:
    """(index, elements) of the blocks that a box touches, in the order z, y, x, all from one moment."""
    blocks = voxels.blocks(data.block)
    for key, found in data.view.ranges(_spans(blocks)):
        index = place_in(key)
        if _holds(blocks, index):
            yield index, found


def _spans(blocks: Box) -> Iterator[tuple[bytes, bytes]]:
    """First key and the one behind the last of what holds a box of blocks, and of a large one others too."""
    if min(blocks.size) <= 0:
        return iter(())
    if blocks.size[0] * blocks.size[1] <= ROWS:
        return row_spans(BLOCK, blocks)
    z, y, x = (at - 1 for at in blocks.stop)
    return iter([(block_key(blocks.start), after(block_key((z, y, x))))])


def _holds(blocks: Box, index: Zyx) -> bool:
    return all(a <= at < b for a, at, b in zip(blocks.start, index, blocks.stop, strict=True))


def everything(data: Annotations) -> Iterator[Piece]:
    """JSON {"x,y,z": elements} of all blocks, in pieces."""
    return _as_object(data.view.together([ALL_BLOCKS]))


def blocks_of(data: Annotations, voxels: Box) -> Iterator[Piece]:
    """The same of the blocks that a box touches."""
    return _as_object(_together(data, voxels.blocks(data.block)))


def _together(data: Annotations, blocks: Box) -> Iterator[Several]:
    """What a box of blocks has, several at a time, all from one moment."""
    if min(blocks.size) > 0 and blocks.volume <= LOOKED_UP:
        return data.view.gathered([block_key(index) for index in blocks.points()])
    return (some.only(_hold(blocks, indices_of(some.keys))) for some in data.view.together(_spans(blocks)))


def _hold(blocks: Box, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) which of the (n, 3) blocks lie in a box of them."""
    inside: NDArray[np.bool_] = np.all((indices >= blocks.start) & (indices < blocks.stop), axis=1)
    return inside


def _as_object(blocks: Iterable[Several]) -> Iterator[Piece]:
    """In pieces of some megabytes, for blocks are unpacked quicker together."""
    front = b"{"
    for some in blocks:
        numbers = indices_of(some.keys)[:, ::-1].ravel().tolist()
        texts = (b',"%d,%d,%d":\n' * len(some.keys) % tuple(numbers)).split(b"\n")
        if some.keys:
            texts[0] = front + texts[0][1:]
            front = b","
        if some.last:
            texts[-1] = b"}" if front == b"," else b"{}"
        yield some.between(texts)


def in_box(data: Annotations, voxels: Box) -> Iterator[Piece]:
    """JSON list of the elements inside a box, in pieces; null where there are none."""
    inner = _inner(voxels, data.block)
    return _as_list((_inside(some, inner, voxels) for some in _together(data, voxels.blocks(data.block))), b"null")


def _inner(voxels: Box, block: Zyx) -> Box:
    """The blocks that lie in a box of voxels as a whole."""
    start = [-(-at // side) for at, side in zip(voxels.start, block, strict=True)]
    return box_between(start, [at // side for at, side in zip(voxels.stop, block, strict=True)])


def _inside(some: Several, inner: Box, voxels: Box) -> Several:
    """Lists of blocks, without the elements outside a box."""
    (z, y, x), (zz, yy, xx) = voxels.start, voxels.stop
    for place in np.flatnonzero(~_hold(inner, indices_of(some.keys))).tolist():
        kept = elements.read_list(some.read(place)).items()
        inside = (text for at, text in kept if x <= at[0] < xx and y <= at[1] < yy and z <= at[2] < zz)
        some.replace(place, elements.write_list(inside))
    return some


def _as_list(lists: Iterable[Several], nothing: bytes) -> Iterator[Piece]:
    """Lists as one, in pieces."""
    begun = False
    for some in lists:
        piece = some.between([b","] * len(some.keys) + [b"]" if some.last else b""], INSIDE)
        if not begun and piece[:1] == b",":
            begun, piece = True, b"[" + piece[1:]
        if begun or some.last:
            yield piece if begun else nothing


def in_region(data: Annotations, named: str) -> Iterator[Piece]:
    """JSON list of the elements in the blocks of a region, which must have blocks of the same size; null for none."""
    region = find_region(data, named)
    if region.block != data.block:
        raise BadRequest(
            f"the region has blocks of {to_wire(region.block)} voxels, the annotations of {to_wire(data.block)}"
        )
    still = data.frozen()

    def lists() -> Iterator[Several]:
        keys = still.view.keys(*ALL_BLOCKS)
        while some := list(islice(keys, TOGETHER)):
            voxels = np.array([place_in(key) for key in some], np.int64) * np.array(data.block)
            inside = region.holds(voxels.clip(LOWEST, HIGHEST).astype(np.int32))
            for found in still.view.gathered(list(compress(some, inside.tolist()))):
                found.last = False
                yield found
        yield Several(still.view, last=True)

    return _as_list(lists(), b"null")


def scan(data: Annotations, *, keys_only: bool) -> dict[str, int]:
    """How many blocks are stored; and with their values, how many of those are nothing at all, not even a list."""
    if keys_only:
        return {"num kv pairs": sum(1 for _ in data.view.keys(*ALL_BLOCKS)), "num empty blocks": 0}
    sizes = [found.plain_size() for _, found in data.view.range(*ALL_BLOCKS)]
    return {"num kv pairs": len(sizes), "num empty blocks": sizes.count(0)}


# ---------------------------------------------------------------------- lists
def listed(data: Annotations, prefix: bytes) -> Iterator[Piece]:
    """JSON list of the elements of a tag or a label, in pieces."""
    return _as_list(data.view.together([(prefix, after(prefix))]), b"[]")


def listed_if_few(data: Annotations, prefix: bytes) -> bytes | None:
    """The same whole, where few lists of few bytes are to be read; else None."""
    some = data.view.few(prefix, after(prefix), FEW)
    if some is None or LARGE in some.kinds or some.size > QUICK:
        return None
    return some.read(0) if len(some.keys) == 1 else b"".join(_as_list([some], b"[]"))


def related(data: Annotations, prefix: bytes, *, verbose: bool) -> Iterator[Piece]:
    """The same as their blocks have them, with relationships; `verbose` tells of the partners too.

    What only the list has is left out, but by `verbose`, as in the reference: there it has no relationships.
    """
    still = data.frozen()
    blocks = Blocks(still)

    def lists() -> Iterator[Several]:
        for some in still.view.together([(prefix, after(prefix))]):
            for place in range(len(some.keys)):
                listed = elements.read_list(some.read(place))
                if verbose:
                    texts = (blocks.verbose(blocks.find(at) or elements.alone(listed[at])) for at in listed)
                else:
                    texts = (text for at in listed if (text := blocks.find(at)) is not None)
                some.replace(place, elements.write_list(texts))
            yield some

    return _as_list(lists(), b"[]")


class Blocks:
    """Elements looked up by their points; the blocks last read are kept."""

    KEPT = 4096

    def __init__(self, data: Annotations) -> None:
        self._view, self._block = data.view, data.block
        self._read: dict[bytes, List] = {}

    def find(self, at: Point) -> bytes | None:
        """The full form of the element at a point."""
        (x, y, z), (depth, height, width) = at, self._block
        index = (z // depth, y // height, x // width)
        if not is_index(index):
            return None
        key = BLOCK + index_key(index)
        found = self._read.get(key)
        if found is None:
            stored = self._view.get(key)
            if len(self._read) >= self.KEPT:
                self._read.clear()
            found = self._read[key] = {} if stored is None else elements.read_list(stored)
        return found.get(at)

    def verbose(self, full: bytes) -> bytes:
        """An element with what its partners are."""
        element: Element = elements.read(full)
        return elements.verbose(element, [self.find(one.To) for one in element.Rels or ()])
