"""Blocks on their way out, packed as the client wants them. Where nothing of a block changes, it goes as it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from dvidpy.datatypes.labelled.blocks import MOST_BLOCKS, at_hand, end_at_hand, end_of, find, gzipped, share
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import block_key
from dvidpy.datatypes.labelled.raw.reading import Reading, begin
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels import packing
from dvidpy.datatypes.voxels.grid import is_index
from dvidpy.datatypes.voxels.streams import block_head, view_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, parse_integer
from dvidpy.kernels.label_blocks import Labels
from dvidpy.storage import codecs
from dvidpy.versioning.found import Found

LZ4, GZIP, BLOCKS, UNCOMPRESSED = "lz4", "gzip", "blocks", "uncompressed"
FORMS = (LZ4, GZIP, BLOCKS, UNCOMPRESSED)
TOGETHER = 16
"""Blocks that are held packed: of 64^3 voxels, not packed, 32 MiB."""
FEW_BLOCKS, FEW_BYTES = 64, 1 << 20
"""Blocks that the event loop sends itself, as they are stored, and bytes of them: half a millisecond."""
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


def demand_box(data: LabelMap, box: Box) -> Box:
    """The blocks of a box of voxels; BadRequest where it is not made of whole ones, or of too many."""
    if not box.is_aligned(data.block):
        raise BadRequest(f"the box is not made of whole blocks of {[*data.block[::-1]]} voxels")
    blocks = box.blocks(data.block)
    if blocks.volume > MOST_BLOCKS:
        raise BadRequest(f"this asks for {blocks.volume} blocks; the server looks at {MOST_BLOCKS} at most")
    return blocks


def box_soon(data: LabelMap, blocks: Box, scale: int, *, supervoxels: bool) -> bytes | None:
    """As `box_pieces`, of blocks as they lie: where this version has all of them, and they are few; else None.

    Then the event loop takes less time than it takes to tell a worker of it.
    """
    if not 0 < blocks.volume <= FEW_BLOCKS or not data.state.has_bodies(data.version):
        return None
    reading = begin(data, scale=scale, supervoxels=supervoxels)
    if not (reading.bodies is None or reading.bodies.is_empty):
        return None
    indices = [*blocks.points()]
    stored = reading.data.view.own_stored((block_key(reading.scale, index) for index in indices), FEW_BYTES)
    if stored is None:
        return None
    parts: list[bytes | memoryview] = []
    for index, one in zip(indices, stored, strict=True):
        kind, payload = codecs.payload_of(one)
        if kind != codecs.GZIP:
            return None
        parts += block_head(index, len(payload)), payload
    return b"".join(parts)


def box_pieces(reading: Reading, blocks: Box, form: str) -> Iterator[bytes | memoryview]:
    """The blocks of a box that were written, each behind its head, in the order z, y, x."""
    return _with_heads(reading, reading.found(blocks), form)


def list_pieces(reading: Reading, indices: Iterable[Zyx], form: str) -> Iterator[bytes | memoryview]:
    """Some blocks in the order asked, without those that were never written."""
    found = find(reading.data, reading.scale, filter(is_index, indices))
    return _with_heads(reading, ((index, value) for index, value in found if value is not None), form)


def _with_heads(reading: Reading, found: Iterable[tuple[Zyx, Found]], form: str) -> Iterator[bytes | memoryview]:
    stay = form == BLOCKS and (reading.bodies is None or reading.bodies.is_empty)
    bodies = ((index, gzipped(value)) for index, value in found) if stay else _packed(reading, iter(found), form)
    for index, body in bodies:
        yield block_head(index, len(body))
        yield body


def _packed(
    reading: Reading, found: Iterator[tuple[Zyx, Found]], form: str
) -> Iterator[tuple[Zyx, bytes | memoryview]]:
    """Some blocks are packed together, by all threads that are idle."""
    made: dict[int, bytes | memoryview] = {}

    def make(one: tuple[int, Found]) -> None:
        made[one[0]] = _native(reading, one[1]) if form == BLOCKS else _voxels(reading, one[1], form)

    while some := [*islice(found, TOGETHER)]:
        if form == BLOCKS:  # what is at hand takes less time than to wake a thread
            made.update((place, body) for place, (_, one) in enumerate(some) if (body := _at_hand(reading, one)))
        share(reading.data, make, ((place, one) for place, (_, one) in enumerate(some) if place not in made))
        yield from ((index, made.pop(place)) for place, (index, _) in enumerate(some))


def _voxels(reading: Reading, found: Found, form: str) -> bytes | memoryview:
    plain = view_of(codec.to_volume(reading.shown(found)))
    packed: bytes | memoryview = packing.pack(plain, "" if form == UNCOMPRESSED else form)
    return packed


def _at_hand(reading: Reading, found: Found) -> bytes | memoryview | None:
    """As `_native`, of a block that was wanted lately."""
    assert reading.bodies is not None
    block = at_hand(reading.data, found)
    if block is None:
        return None
    labels = reading.bodies.apply(block.labels)
    if labels is block.labels or np.array_equal(labels, block.labels):
        return gzipped(found)
    end = end_at_hand(reading.data, found)
    return None if end is None else packing.gzip_behind(block.with_labels(labels).head(), end)


def _native(reading: Reading, found: Found) -> bytes | memoryview:
    """A block as one gzip member: the stored one where no label of it is shown as another."""
    assert reading.bodies is not None
    block = at_hand(reading.data, found)
    labels = _labels_ahead(found) if block is None else block.labels
    if labels is not None and np.array_equal(reading.bodies.apply(labels), labels):
        return gzipped(found)
    shown = reading.shown(found)
    return packing.gzip_behind(shown.head(), end_of(reading.data, found, shown))


def _labels_ahead(found: Found) -> Labels | None:
    """The labels of a block, where its beginning tells them all."""
    head = packing.gunzip_head(gzipped(found), HEAD)
    number = int.from_bytes(head[12:16], "little")
    return None if len(head) < 16 + 8 * number else np.frombuffer(head, "<u8", number, 16)
