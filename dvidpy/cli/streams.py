"""Label blocks as the server sends and takes them: int32 x, y, z and number of bytes, a gzip member, and so on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from dvidpy.cli.client import CommandError
from dvidpy.cli.targets import Point
from dvidpy.client.line import Answer
from dvidpy.datatypes.labels import packing
from dvidpy.datatypes.labels.blocks import from_volume
from dvidpy.datatypes.labels.packing import pack

if TYPE_CHECKING:
    from dvidpy.kernels.label_blocks import Labels

_HEAD = struct.Struct("<4i")


class Received(NamedTuple):
    """A block of a stream."""

    place: Point
    """x, y, z in the grid of blocks."""
    plain: bytes
    """The label block."""


def block_stream(zyx: Labels, first: Point, block: Point) -> bytes:
    """(z, y, x) labels of whole blocks as such a stream; `first` is the place of the first one, x, y, z."""
    parts: list[bytes] = []
    width, height, depth = block
    for z in range(0, zyx.shape[0], depth):
        for y in range(0, zyx.shape[1], height):
            for x in range(0, zyx.shape[2], width):
                member = pack(from_volume(zyx[z : z + depth, y : y + height, x : x + width]).encode(), "gzip")
                place = first[0] + x // width, first[1] + y // height, first[2] + z // depth
                parts += [_HEAD.pack(*place, len(member)), member]
    return b"".join(parts)


def received(answer: Answer, block: Point) -> Iterator[Received]:
    """Blocks out of an answer, one by one as they come; CommandError where it is no such stream."""
    most = 16 + 16 * block[0] * block[1] * block[2]
    while head := answer.read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise CommandError("the blocks break off")
        x, y, z, size = _HEAD.unpack(head)
        member = answer.read(size)
        if len(member) < size:
            raise CommandError("the blocks break off")
        yield Received((x, y, z), packing.gunzip(member, most))
