"""Blocks of supervoxels in the store and out of it. What clients sent as gzip is kept, and given, as it came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import block_key, scale_prefix
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels import packing, several
from dvidpy.datatypes.labels.blocks import Group, LabelBlock
from dvidpy.datatypes.labels.packing import GzipPart
from dvidpy.datatypes.voxels.grid import index_of, row_spans
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.storage.codecs import GZIP, payload_of
from dvidpy.versioning.found import Found

T = TypeVar("T")
R = TypeVar("R")
MOST_BLOCKS = 1 << 22
"""Blocks that one request may ask for, present or not."""
TOGETHER = 256
"""Blocks that are held packed, to be shared among threads."""
AT_ONCE = 32
"""Blocks that are looked up, or gone through for a few voxels each, by one call."""
FEWEST = 8
"""Fewer are not shared: waking another thread costs as much."""
HEAD_BYTES = 16
ENTRY_BYTES = 12
"""Bytes of a label, and of an index to it: no sub-block has more entries than voxels."""


def demand_answerable(data: LabelMap, voxels: int, blocks: int) -> None:
    """BadRequest where an answer has more bytes than the server allows, or takes too many blocks."""
    limit = data.call.limit if data.call is not None else voxels * 8
    if voxels * 8 > limit:
        raise BadRequest(f"this asks for {voxels * 8} bytes; the server gives at most {limit}")
    if blocks > MOST_BLOCKS:
        raise BadRequest(f"this asks for {blocks} blocks; the server looks at {MOST_BLOCKS} at most")


# ---------------------------------------------------------------------- reading
def walk(data: LabelMap, scale: int, blocks: Box) -> Iterator[tuple[Zyx, Found]]:
    """(index, value) of the blocks in a box that were written, in the order z, y, x, all from one moment."""
    if blocks.volume == 1:
        only = data.view.find(block_key(scale, blocks.start))
        return iter(() if only is None else [(blocks.start, only)])
    if blocks.volume <= TOGETHER and data.view.is_frozen:
        places = [*blocks.points()]
        own = data.view.own_values(block_key(scale, place) for place in places)
        if own is not None:  # one by one that takes half as long
            return zip(places, own, strict=True)
    return ((index_of(key), found) for key, found in data.view.ranges(row_spans(scale_prefix(scale), blocks)))


def find(data: LabelMap, scale: int, indices: Iterable[Zyx]) -> Iterator[tuple[Zyx, Found | None]]:
    """(index, value or none) of some blocks, in that order."""
    places = iter(indices)
    while some := [*islice(places, AT_ONCE)]:
        yield from zip(some, data.view.find_many(block_key(scale, place) for place in some), strict=True)


def supervoxels_at(data: LabelMap, scale: int, points: NDArray[np.int64]) -> Labels:
    """Supervoxels of (n, 3) voxels z, y, x of a scale; 0 where none were written. No block is decoded."""
    out = np.zeros(len(points), np.uint64)
    groups = codec.group_by_block(points, data.block)
    found = find(data, scale, (group.block for group in groups))

    def look(some: list[tuple[Group, Found]]) -> None:
        blocks = several.together([(group.block, load(data, value)) for group, value in some])
        places = np.concatenate([group.places for group, _ in some])
        out[places] = several.labels_at(blocks, [group.points for group, _ in some])

    there = ((group, value) for group, (_, value) in zip(groups, found, strict=True) if value is not None)
    share_some(data, look, there, AT_ONCE)
    return out


def load(data: LabelMap, found: Found) -> LabelBlock:
    """A stored block; its header and layout are looked at, its voxels are not. One that was read lately is at hand."""
    if found.manifest is not None:
        return codec.parse(found.read(), data.block)
    return data.state.lately.block(found.stored, lambda: codec.parse(found.read(), data.block))


def at_hand(data: LabelMap, found: Found) -> LabelBlock | None:
    """A stored block that was read lately."""
    return None if found.manifest is not None else data.state.lately.find(found.stored)


def end_of(data: LabelMap, found: Found, block: LabelBlock) -> GzipPart:
    """What is gzipped of a stored block behind its labels, whatever these are shown as; at hand where it was wanted
    lately.
    """
    if found.manifest is not None:
        return packing.gzip_end(block.behind())
    return data.state.lately.end(found.stored, lambda: packing.gzip_end(block.behind()))


def end_at_hand(data: LabelMap, found: Found) -> GzipPart | None:
    """The same, where it is at hand."""
    return None if found.manifest is not None else data.state.lately.find_end(found.stored)


def share(data: LabelMap, work: Callable[[tuple[T, Found]], None], found: Iterable[tuple[T, Found]]) -> None:
    """Do `work` for each stored block, in any order, on idle threads too.

    They are found on this one, and large ones are read there: a snapshot belongs to one thread.
    """
    places = iter(found)
    while some := [*islice(places, TOGETHER)]:
        small = [one for one in some if one[1].manifest is None]
        for one in some:
            if one[1].manifest is not None:
                work(one)
        if data.call is None or len(small) < FEWEST:
            for one in small:
                work(one)
        else:
            data.call.pool.share(work, small)


def share_some(
    data: LabelMap, work: Callable[[list[tuple[T, Found]]], None], found: Iterable[tuple[T, Found]], each: int
) -> None:
    """The same, `each` blocks at a time."""
    places = iter(found)
    while some := [*islice(places, TOGETHER)]:
        large = [one for one in some if one[1].manifest is not None]
        small = [one for one in some if one[1].manifest is None]
        if large:
            work(large)
        spread(data, work, [small[first : first + each] for first in range(0, len(small), each)])


def spread(data: LabelMap, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What `work` makes of each, in their order; idle threads help. It looks up nothing in an unchanging view."""
    if data.call is None or len(items) < 2:
        return [*map(work, items)]
    made: dict[int, R] = {}

    def make(one: tuple[int, T]) -> None:
        made[one[0]] = work(one[1])

    data.call.pool.share(make, enumerate(items))
    return [made[place] for place in range(len(items))]


def load_one(data: LabelMap, scale: int, index: Zyx) -> LabelBlock | None:
    """A block, where it was written."""
    found = data.view.find(block_key(scale, index))
    return None if found is None else load(data, found)


def gzipped(found: Found) -> bytes | memoryview:
    """A stored block as one gzip member, without unpacking it where it is one."""
    if found.manifest is None:
        kind, payload = payload_of(found.stored)
        if kind == GZIP:
            return payload
    return bytes(packing.pack(found.read(), "gzip"))


# ---------------------------------------------------------------------- writing
def pack(data: LabelMap, block: LabelBlock) -> bytes:
    """A block -> what is stored."""
    return data.instance.codec.encode(block.encode())


def keep(data: LabelMap, member: bytes | memoryview) -> tuple[LabelBlock, bytes]:
    """A gzip member as a client sent it -> (its block, looked through; what is stored). BadRequest where it is none."""
    block = codec.parse(packing.gunzip(member, most_bytes(data)), data.block)
    return block, data.instance.codec.wrap(bytes(member))


def most_bytes(data: LabelMap) -> int:
    """Bytes of the longest block that can be: every voxel of a label of its own, or more labels than it uses."""
    return HEAD_BYTES + 16 * data.block_volume
