"""How labels and sparse volumes are packed on the wire: plain, lz4 (one raw block without its size) or gzip."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import lz4.block
import numpy as np

from dvidpy.errors import BadRequest
from dvidpy.kernels import lz4_tokens

GZIP_LEVEL = 1
_GZIP_HEAD = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
_MOST_STORED = 0xFFFF
"""Bytes of a block of deflate that is not deflated."""
_DEFLATE_END = b"\3\0"
"""A last block with nothing in it."""
LARGE, SMALLER = 1 << 20, 8
"""Labels of so many bytes are expected to be packed into so small a part of them."""


def pack(data: Any, packing: str) -> Any:
    """Bytes, or a C-contiguous buffer, as `compression` ("", "lz4", "gzip") says; BadRequest for another one."""
    if not packing:
        return data
    if packing == "lz4":
        return _lz4_in_little(memoryview(data).cast("B"))
    if packing == "gzip":
        from isal import igzip

        return igzip.compress(data, GZIP_LEVEL, mtime=0)
    raise _unknown(packing)


def _lz4_in_little(data: memoryview) -> bytes:
    """One raw block. Labels become far smaller: room is made for that first, as the usual room for 256^3 is 134 MB."""
    if len(data) >= LARGE:
        import cramjam

        room = np.empty(len(data) // SMALLER, np.uint8)
        try:
            return room[: cramjam.lz4.compress_block_into(data, room.data, store_size=False)].tobytes()
        except cramjam.CompressionError:  # they do not
            del room
    return lz4.block.compress(data, store_size=False)  # type: ignore[no-any-return]


class Lz4Part(NamedTuple):
    """Part of what becomes one raw LZ4 block."""

    block: bytes
    """A raw block of its own."""
    last: int
    """Place of its last token."""


def lz4_part(data: Any) -> Lz4Part:
    """A part of a C-contiguous buffer; to be made on several threads."""
    block: bytes = pack(data, "lz4")
    return Lz4Part(block, lz4_tokens.last_token(block))


def join_lz4(parts: Iterable[Lz4Part]) -> bytes:
    """One raw block of all parts: the literals that one ends with go before those that the next begins with."""
    whole: list[bytes | memoryview] = []
    ending, literals = b"", 0
    for block, last in parts:
        number, begin = lz4_tokens.length(block, 1, block[0] >> 4)
        if last:  # else its literals are all of it
            whole += (lz4_tokens.spell(literals + number, block[0] & 15), ending, memoryview(block)[begin:last])
            ending, literals = b"", 0
            number, begin = lz4_tokens.length(block, last + 1, block[last] >> 4)
        ending += block[begin:]
        literals += number
    return b"".join((*whole, lz4_tokens.spell(literals, 0), ending))


class GzipPart(NamedTuple):
    """Part of what becomes one gzip member."""

    body: bytes
    """Deflated by itself, from whole byte to whole byte."""
    crc: int
    size: int


def gzip_part(data: Any) -> GzipPart:
    """A part of a C-contiguous buffer, and not its end; to be made on several threads."""
    from isal import isal_zlib

    zlib: Any = isal_zlib
    packer = zlib.compressobj(GZIP_LEVEL, wbits=-15)
    return GzipPart(packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH), zlib.crc32(data), len(data))


def join_gzip(parts: Iterable[GzipPart]) -> Iterator[bytes]:
    """One gzip member (RFC 1952) of all parts, as they come."""
    from isal import isal_zlib

    zlib: Any = isal_zlib
    crc = size = 0
    yield _GZIP_HEAD
    for body, own, length in parts:
        crc, size = zlib.crc32_combine(crc, own, length), size + length
        yield body
    yield _DEFLATE_END + struct.pack("<2I", crc, size % 2**32)


def gzip_end(data: Any) -> GzipPart:
    """What `gzip_behind` puts behind a beginning."""
    from isal import isal_zlib

    zlib: Any = isal_zlib
    packer = zlib.compressobj(GZIP_LEVEL, wbits=-15)
    return GzipPart(packer.compress(data) + packer.flush(), zlib.crc32(data), len(data))


def gzip_behind(head: bytes, end: GzipPart) -> bytes:
    """One gzip member (RFC 1952) of a short beginning, which is not deflated (RFC 1951, 3.2.4), and what follows."""
    from isal import isal_zlib

    zlib: Any = isal_zlib
    parts = [_GZIP_HEAD]
    for first in range(0, len(head), _MOST_STORED):
        some = head[first : first + _MOST_STORED]
        parts += (struct.pack("<BHH", 0, len(some), len(some) ^ 0xFFFF), some)
    crc = zlib.crc32_combine(zlib.crc32(head), end.crc, end.size)
    return b"".join((*parts, end.body, struct.pack("<2I", crc, (len(head) + end.size) % 2**32)))


def unpack(data: bytes | memoryview, packing: str, size: int) -> bytes | memoryview:
    """The reverse; BadRequest unless exactly `size` bytes come out. Never holds more than that."""
    if not packing:
        plain: bytes | memoryview = data
    elif packing == "lz4":
        plain = _unpack_lz4(data, size)
    elif packing == "gzip":
        plain = gunzip(data, size)
    else:
        raise _unknown(packing)
    if len(plain) != size:
        raise BadRequest(f"expected {size} bytes of labels, not {len(plain)}")
    return plain


def gunzip(data: bytes | memoryview, limit: int) -> bytes:
    """One gzip member of at most `limit` plain bytes; BadRequest for anything else."""
    from isal import isal_zlib

    zlib: Any = isal_zlib
    member = zlib.decompressobj(wbits=31)
    try:
        plain: bytes = member.decompress(data, limit + 1)
    except zlib.error as error:
        raise BadRequest(f"the labels are not gzip: {error}") from error
    if len(plain) > limit:
        raise BadRequest(f"the gzip of labels holds more than {limit} bytes")
    if not member.eof or member.unused_data:
        raise BadRequest("the gzip of labels ends early, or more follows it")
    return plain


def gunzip_head(data: bytes | memoryview, size: int) -> bytes:
    """The first `size` plain bytes of a gzip member, or all where it has fewer; the others are not unpacked."""
    from isal import isal_zlib

    zlib: Any = isal_zlib
    plain: bytes = zlib.decompressobj(wbits=31).decompress(data, size)
    return plain


def _unpack_lz4(data: bytes | memoryview, size: int) -> bytes:
    try:
        return lz4.block.decompress(data, uncompressed_size=size)  # type: ignore[no-any-return]
    except (lz4.block.LZ4BlockError, ValueError, OverflowError) as error:
        raise BadRequest(f"the labels are no lz4 block of {size} bytes: {error}") from error


def _unknown(packing: str) -> BadRequest:
    return BadRequest(f'{packing[:40]!r} is no compression; there are "lz4" and "gzip"')
