"""Blocks on their way in: every one is looked through, then all are stored as one edit."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from operator import itemgetter

from dvidpy.datatypes.labelled.blocks import keep, spread
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import NewBlock
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx

_HEAD = struct.Struct("<3iI")


def demand_native(compression: str) -> None:
    """BadRequest for blocks that are packed in another way than they are kept."""
    if compression not in ("", "blocks"):
        raise BadRequest(f'{compression[:40]!r}: blocks are taken as "blocks" only, gzip of the label block')


def read_blocks(data: LabelMap, body: bytes) -> list[NewBlock]:
    """The blocks of a body, int32 x, y, z and number of bytes before each; of one sent twice the later.

    BadRequest where the body ends too early, or one is no label block of the instance's size in a gzip member.
    """
    members = dict(_members(body))
    return spread(data, lambda one: _looked_through(data, *one), sorted(members.items(), key=itemgetter(0)))


def _members(body: bytes) -> Iterator[tuple[Zyx, memoryview]]:
    view, at = memoryview(body), 0
    while at < len(body):
        if len(body) < at + _HEAD.size:
            raise BadRequest(f"the body ends in the middle of the head of a block, at byte {at}")
        x, y, z, size = _HEAD.unpack_from(body, at)
        at += _HEAD.size
        if not 0 < size <= len(body) - at:
            raise BadRequest(f"block {[x, y, z]} has {size} bytes, of which the body has {len(body) - at}")
        yield (z, y, x), view[at : at + size]
        at += size


def _looked_through(data: LabelMap, place: Zyx, member: memoryview) -> NewBlock:
    z, y, x = place
    try:
        block, stored = keep(data, member)
        return NewBlock(place, block, stored, codec.count(block))
    except BadRequest as error:
        raise BadRequest(f"block {[x, y, z]}: {error}") from error
