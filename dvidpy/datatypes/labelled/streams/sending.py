"""Blocks on their way out, packed as the client wants them. Where nothing of a block changes, it goes as it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from dvidpy.datatypes.labelled.blocks import MOST_BLOCKS, find, gzipped
from dvidpy.datatypes.labelled.raw.reading import Reading
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels import packing
from dvidpy.datatypes.voxels.grid import is_index
from dvidpy.datatypes.voxels.streams import block_head, view_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, parse_integer
from dvidpy.versioning.store import Found

LZ4, GZIP, BLOCKS, UNCOMPRESSED = "lz4", "gzip", "blocks", "uncompressed"
FORMS = (LZ4, GZIP, BLOCKS, UNCOMPRESSED)
HEAD = 16 + 8 * 510
"""Bytes of a block that are unpacked first: its head with as many labels as blocks seldom have more of."""


def demand_form(form: str) -> str:
    """A way that blocks are sent; BadRequest for others."""
    if form not in FORMS:
        raise BadRequest(f"{form[:40]!r} is no compression of blocks; there are {', '.join(FORMS)}")
    return form


def parse_indices(text: str) -> list[Zyx]:
    """x,y,z,x,y,z… -> (z, y, x) of each block; BadRequest where they are no points, or too many."""
    if text.count(",") >= 3 * MOST_BLOCKS:
        raise BadRequest(f"this asks for more than {MOST_BLOCKS} blocks")
    numbers = [parse_integer(part) for part in text.split(",")] if text else []
    if len(numbers) % 3:
        raise BadRequest("blocks must be given as three numbers each, x,y,z,x,y,z…")
    return [(z, y, x) for x, y, z in zip(*[iter(numbers)] * 3, strict=True)]


def demand_box(reading: Reading, box: Box) -> Box:
    """The blocks of a box of voxels; BadRequest where it is not made of whole ones, or of too many."""
    if not box.is_aligned(reading.data.block):
        raise BadRequest(f"the box is not made of whole blocks of {[*reading.data.block[::-1]]} voxels")
    blocks = box.blocks(reading.data.block)
    if blocks.volume > MOST_BLOCKS:
        raise BadRequest(f"this asks for {blocks.volume} blocks; the server looks at {MOST_BLOCKS} at most")
    return blocks


def box_pieces(reading: Reading, blocks: Box, form: str) -> Iterator[bytes | memoryview]:
    """The blocks of a box that were written, each behind its head, in the order z, y, x."""
    return _with_heads(reading, reading.found(blocks), form)


def list_pieces(reading: Reading, indices: Iterable[Zyx], form: str) -> Iterator[bytes | memoryview]:
    """Some blocks in the order asked, without those that were never written."""
    found = find(reading.data, reading.scale, filter(is_index, indices))
    return _with_heads(reading, ((index, value) for index, value in found if value is not None), form)


def _with_heads(reading: Reading, found: Iterable[tuple[Zyx, Found]], form: str) -> Iterator[bytes | memoryview]:
    for index, value in found:
        body = native(reading, value) if form == BLOCKS else _voxels(reading, value, form)
        yield block_head(index, len(body))
        yield body


def _voxels(reading: Reading, found: Found, form: str) -> bytes | memoryview:
    plain = view_of(codec.to_volume(reading.shown(found)))
    packed: bytes | memoryview = packing.pack(plain, "" if form == UNCOMPRESSED else form)
    return packed


def native(reading: Reading, found: Found) -> bytes | memoryview:
    """A block as one gzip member: the stored one where no label of it is shown as another."""
    member = gzipped(found)
    if reading.bodies is None or _stays(reading, member):
        return member
    changed: bytes = packing.pack(codec.relabelled(found.read(), reading.data.block, reading.bodies.apply), GZIP)
    return changed


def _stays(reading: Reading, member: bytes | memoryview) -> bool:
    """No label is shown as another, as far as the beginning of a block tells."""
    assert reading.bodies is not None
    if reading.bodies.is_empty:
        return True
    head = packing.gunzip_head(member, HEAD)
    number = int.from_bytes(head[12:16], "little")
    if len(head) < 16 + 8 * number:
        return False
    labels = np.frombuffer(head, "<u8", number, 16)
    return bool(np.array_equal(reading.bodies.apply(labels), labels))
