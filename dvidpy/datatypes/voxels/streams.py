"""Many blocks in one answer: int32 x, y, z and number of bytes, little-endian, then the bytes; again and again."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import numpy as np

from dvidpy.datatypes.exchange import OCTETS, Reply
from dvidpy.datatypes.voxels.kinds import Voxels
from dvidpy.geometry import Zyx

AT_ONCE = 1 << 20
"""Bytes from which an answer goes out in pieces of about this size."""
_HEAD = struct.Struct("<4i")
Piece = bytes | memoryview
"""Bytes, or a view of those of an array."""


def block_head(index: Zyx, size: int) -> bytes:
    """What stands before the bytes of a block."""
    z, y, x = index
    return _HEAD.pack(x, y, z, size)


def view_of(voxels: Voxels) -> memoryview:
    """The bytes of a C-contiguous array, not copied."""
    return voxels.reshape(-1).view(np.uint8).data


def gather(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The same bytes in pieces of at least AT_ONCE, but for the last."""
    waiting: list[Piece] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= AT_ONCE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def answer(pieces: Iterator[Piece], length: int | None = None) -> Reply:
    """One piece goes out whole, with its length; more go out as the client takes them."""
    first = next(pieces, b"")
    second = next(pieces, None)
    if second is None:
        return Reply(bytes(first), OCTETS)
    return Reply(_chain(first, second, pieces), OCTETS, length=length)  # type: ignore[arg-type]  # views go out as bytes do


def _chain(first: Piece, second: Piece, rest: Iterator[Piece]) -> Iterator[Piece]:
    yield first
    yield second
    yield from rest
