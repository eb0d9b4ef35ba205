"""Blocks of an instance: packed into the store and out of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain, starmap

import numpy as np

from dvidpy.datatypes.exchange import Piece
from dvidpy.datatypes.imageblk.instance import KIND_OF, ImageBlk
from dvidpy.datatypes.imageblk.keys import BLOCK, block_key
from dvidpy.datatypes.voxels.grid import index_of, is_index, row_spans
from dvidpy.datatypes.voxels.kinds import Voxels
from dvidpy.datatypes.voxels.pictures import block_from_jpeg, block_to_jpeg
from dvidpy.datatypes.voxels.streams import view_of
from dvidpy.errors import BadRequest, StoreError
from dvidpy.geometry import Box, Zyx
from dvidpy.storage.codecs import JPEG, LZ4, NONE, as_packed
from dvidpy.versioning.commits import Change
from dvidpy.versioning.duties import Kept
from dvidpy.versioning.found import Found
from dvidpy.versioning.records import Instance
from dvidpy.versioning.store import View

MOST_BLOCKS = 1 << 22
"""Blocks that one request may ask for, present or not."""
QUICK = 1 << 19
"""Bytes of blocks that are unpacked or packed in the event loop; more go to a worker thread."""
Stored = tuple[Zyx, bytes]
"""Index of a block and its packed voxels."""


def demand_answerable(data: ImageBlk, voxels: int, blocks: int) -> None:
    """BadRequest where an answer has more bytes than the server allows, or takes too many blocks."""
    size = voxels * data.kind.itemsize
    limit = data.call.limit if data.call is not None else size
    if size > limit:
        raise BadRequest(f"this asks for {size} bytes; the server gives at most {limit}")
    if blocks > MOST_BLOCKS:
        raise BadRequest(f"this asks for {blocks} blocks; the server looks at {MOST_BLOCKS} at most")


def is_quick(data: ImageBlk, blocks: int) -> bool:
    """Whether so many blocks are read or written sooner than handed to another thread."""
    return blocks * data.block_bytes <= QUICK and data.instance.codec.packing in (NONE, LZ4)


# ---------------------------------------------------------------------- reading
def walk(data: ImageBlk, blocks: Box, view: View | None = None) -> Iterator[tuple[Zyx, Found]]:
    """(index, value) of the blocks in a box that were written, in the order z, y, x, all from one moment."""
    view = view or data.view
    if blocks.volume == 1:  # the way to one value is shorter than the beginning of a walk
        only = view.find(block_key(blocks.start))
        return iter(() if only is None else [(blocks.start, only)])
    return ((index_of(key), found) for key, found in view.ranges(row_spans(BLOCK, blocks)))


def count(view: View, blocks: Box) -> int:
    """Blocks of a box that were written; reads no value."""
    return sum(1 for _ in keys_in(view, blocks))


def keys_in(view: View, blocks: Box) -> Iterator[bytes]:
    """Type keys of the blocks of a box that were written, in the order z, y, x; reads no value."""
    return chain.from_iterable(starmap(view.keys, row_spans(BLOCK, blocks)))


def plain(data: ImageBlk, found: Found) -> Piece:
    """The voxels of a stored block, x fastest; StoreError where it does not have their number."""
    return voxels_of(data.instance, found.look(), data.block_bytes)


def voxels_of(instance: Instance, value: Piece, size: int) -> Piece:
    """The `size` bytes of a block's voxels from its plain value, which may be a picture; StoreError for others."""
    voxels = block_from_jpeg(value, size) if instance.codec.packing == JPEG else value
    if len(voxels) != size:
        raise StoreError(f"a stored block has {len(voxels)} bytes, not {size}")
    return voxels


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with a stored value."""
    instance = kept.instance
    if kept.typekey[:1] != BLOCK:
        return
    try:
        voxels_of(instance, kept.read(), math.prod(instance.settings["BlockSize"]) * KIND_OF[instance.type].itemsize)
    except StoreError as error:
        yield str(error)


def unpack(data: ImageBlk, found: Found) -> Voxels:
    """(z, y, x) voxels of a stored block, read-only."""
    return np.frombuffer(plain(data, found), data.kind.dtype).reshape(data.block)


def payload(data: ImageBlk, found: Found) -> memoryview:
    """A block as it is packed in the store, or would be: of LZ4 the size and one raw block."""
    return as_packed(found.stored, data.instance.codec.packing)


def blank(data: ImageBlk) -> Voxels:
    """A block full of background."""
    return np.full(data.block_bytes, data.background, np.uint8).view(data.kind.dtype).reshape(data.block)


# ---------------------------------------------------------------------- writing
def pack(data: ImageBlk, block: Voxels) -> bytes:
    """C-contiguous (z, y, x) voxels -> what is stored."""
    codec = data.instance.codec
    if codec.packing == JPEG:
        return codec.wrap(block_to_jpeg(block))
    return codec.encode(view_of(block))


def put_blocks(data: ImageBlk, change: Change, blocks: Iterable[Stored]) -> None:
    """Add packed blocks to an edit."""
    for index, stored in blocks:
        data.view.put_stored(change, block_key(index), stored)


def demand_on_grid(start: Zyx, span: int) -> Box:
    """`span` blocks along x; BadRequest where their numbers leave the 32 bits."""
    box = Box(start, (1, 1, span))
    if span < 0 or not is_index((start[0], start[1], start[2] + max(span, 1) - 1)):
        raise BadRequest(f"{span} blocks along x from block {[*reversed(start)]}: no such blocks")
    return box
