"""Answers made of whole blocks, and blocks taken in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.exchange import PIECE, Mixed, Piece
from dvidpy.datatypes.imageblk.blocks import (
    blank,
    count,
    demand_on_grid,
    keys_in,
    pack,
    payload,
    plain,
    put_blocks,
    walk,
)
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.keys import block_key
from dvidpy.datatypes.imageblk.pyramid import ask
from dvidpy.datatypes.imageblk.volumes import read_box
from dvidpy.datatypes.parts import gather_parts
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.datatypes.voxels.pictures import block_to_jpeg
from dvidpy.datatypes.voxels.streams import HEAD, block_head
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, parse_integer
from dvidpy.storage.codecs import JPEG, LZ4, NONE
from dvidpy.storage.file_parts import FilePart
from dvidpy.storage.long_values import LONG
from dvidpy.versioning.commits import Change
from dvidpy.versioning.found import Found
from dvidpy.versioning.store import View

STORED, UNCOMPRESSED, AS_JPEG = "", "uncompressed", "jpeg"
FEW = 1 << 12
"""Blocks whose keys are looked up once, to be counted and then read."""
FORMS = (STORED, UNCOMPRESSED, AS_JPEG)


def demand_form(form: str) -> str:
    """One of the forms blocks are sent in; BadRequest for others."""
    if form not in FORMS:
        raise BadRequest(f"{form[:40]!r} is no compression of blocks; there are uncompressed, jpeg and as stored")
    return form


def is_kept_as_jpeg(data: ImageBlk) -> bool:
    """Whether the instance keeps its blocks as pictures."""
    return data.instance.codec.packing == JPEG


class Stream(NamedTuple):
    """An answer in pieces."""

    pieces: Iterator[Piece]
    length: int | None = None
    """Bytes of all, where that is known before."""


class FromFiles(NamedTuple):
    """An answer that is mostly in files."""

    pieces: Iterator[Mixed]
    length: int


def span_stream(data: ImageBlk, blocks: Box) -> Stream:
    """Blocks in a row."""
    return Stream(_span_pieces(data, blocks), blocks.volume * data.block_bytes)


def _span_pieces(data: ImageBlk, blocks: Box) -> Iterator[Piece]:
    """Voxels of blocks in a row, one block after the other; those never written are background."""
    z, y, first = blocks.start
    found = walk(data, blocks)
    pending = next(found, None)
    empty = blank(data).tobytes()
    for x in range(first, first + blocks.size[2]):
        if pending is not None and pending[0] == (z, y, x):
            yield plain(data, pending[1])
            pending = next(found, None)
        else:
            yield empty


def box_stream(data: ImageBlk, blocks: Box, form: str) -> Stream | FromFiles:
    """The blocks of a box that were written, each behind its head."""
    if form != UNCOMPRESSED or blocks.volume * data.block_bytes <= PIECE:
        return Stream(_with_heads(data, walk(data, blocks), form))
    frozen = data.view.frozen()  # counting the keys costs less than an answer in chunks, which servers copy
    few = [*keys_in(frozen, blocks)] if blocks.volume <= FEW else None
    length = (count(frozen, blocks) if few is None else len(few)) * (HEAD + data.block_bytes)
    if data.instance.codec.packing in (NONE, LZ4) and data.block_bytes >= LONG:
        keys = keys_in(frozen, blocks) if few is None else few
        return FromFiles(gather_parts(_from_files(data, frozen, keys)), length)
    return Stream(_with_heads(data, walk(data, blocks, frozen), form), length)


def _from_files(data: ImageBlk, frozen: View, keys: Iterable[bytes]) -> Iterator[Piece | FilePart]:
    """Heads and voxels of blocks that were written; voxels that stand in files as they are, from there."""
    size = data.block_bytes
    for key in keys:
        part = frozen.file_part(key, NONE)
        found = frozen.find(key) if part is None or part.size != size else None
        yield block_head(index_of(key), size)
        if found is not None:
            yield plain(data, found)
        elif part is not None:
            yield part


def list_stream(data: ImageBlk, indices: Iterable[Zyx], form: str) -> Stream:
    """Some blocks in the order asked, without those that were never written, each behind its head."""
    frozen = data.view.frozen()
    found = ((index, frozen.find(block_key(index))) for index in indices)
    return Stream(_with_heads(data, ((index, value) for index, value in found if value is not None), form))


def chunk_stream(data: ImageBlk, box: Box) -> Stream:
    """A box of voxels, whichever blocks it touches, as one picture behind one head; 0 where none were written.

    Of exactly one block, the picture is the stored one.
    """
    blocks = box.blocks(data.block)
    only = data.view.find(block_key(blocks.start)) if box == blocks.voxels(data.block) and blocks.volume == 1 else None
    picture = bytes(payload(data, only)) if only else block_to_jpeg(read_box(data, box))
    return Stream(iter([block_head(blocks.start, len(picture)), picture]))


def _with_heads(data: ImageBlk, found: Iterable[tuple[Zyx, Found]], form: str) -> Iterator[Piece]:
    for index, value in found:
        body = plain(data, value) if form == UNCOMPRESSED else payload(data, value)
        yield block_head(index, len(body))
        yield body


def parse_indices(text: str) -> list[Zyx]:
    """x,y,z,x,y,z… -> (z, y, x) of each block; BadRequest where they are no points."""
    if not text:
        return []
    numbers = list(map(parse_integer, text.split(",")))
    if len(numbers) % 3:
        raise BadRequest("blocks must be given as three numbers each, x,y,z,x,y,z…")
    return [(z, y, x) for x, y, z in zip(*[iter(numbers)] * 3, strict=True)]


def demand_span(data: ImageBlk, start: Zyx, span: int, body: bytes) -> None:
    """BadRequest where the voxels are computed, there are no such blocks, or the body is too short for them."""
    data.demand_own()
    demand_on_grid(start, span)
    if span < 1 or len(body) < span * data.block_bytes:
        raise BadRequest(f"the body has {len(body)} bytes; {span} blocks have {span * data.block_bytes}")


def pack_span(data: ImageBlk, start: Zyx, span: int, body: bytes) -> Change:
    """An edit that writes blocks in a row; extents stay as they are."""
    change = data.change(sync=False)
    z, y, first = start
    whole = np.frombuffer(body, data.kind.dtype, count=span * data.block_bytes // data.kind.itemsize)
    volume = whole.reshape(span, *data.block)
    put_blocks(data, change, (((z, y, first + number), pack(data, block)) for number, block in enumerate(volume)))
    ask(data, change, Box(start, (1, 1, span)).points())
    return change
