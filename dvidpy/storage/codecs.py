"""How a value is packed before it is stored, as the `Compression` and `Checksum` settings of an instance say.

| stored bytes | meaning |
|---|---|
| u8 | packing (bits 0-3) and checksum flag (bit 7) |
| u32 LE, only with the flag | CRC-32 of what follows |
| payload | as the packing says |

A codec of LZ4 stores as `none` what LZ4 would hardly make smaller, as it does gray of electron microscopes.
Payloads: none as it is; snappy raw; lz4 u32 LE size and one raw LZ4 block; gzip a member; jpeg a picture; blosc
a frame; zstd a frame.
The payload of LZ4 is what the reference streams for "as stored" blocks.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import lz4.block

from dvidpy.errors import BadRequest, StoreError
from dvidpy.kernels.unpacking import FIRST, FRONT, INSIDE, WHOLE, unpack_all

AS_IT_IS = b"\x00"
"""What stands in front of a value that is neither packed nor summed up."""
NONE, SNAPPY, LZ4, GZIP, JPEG, BLOSC, ZSTD = range(7)
_FLAG = 0x80
_U32 = struct.Struct("<I")
_TITLES = {
    NONE: "No compression",
    SNAPPY: "Go Snappy compression",
    LZ4: "LZ4 compression",
    GZIP: "gzip compression",
    JPEG: "jpeg compression",
    BLOSC: "Blosc compression",
    ZSTD: "Zstandard compression",
}
_PACKINGS = {"none": NONE, "snappy": SNAPPY, "lz4": LZ4, "gzip": GZIP, "jpeg": JPEG, "blosc": BLOSC, "zstd": ZSTD}
_LEVELS = {"gzip": range(-1, 10), "zstd": range(1, 20)}
"""What may stand behind a colon."""
HARDLY = 16
"""LZ4 must save one byte in so many, or what is read would be unpacked for nothing."""
LONG, SAMPLE, SAMPLES = 1 << 16, 1 << 12, 4
"""Of a value of so many bytes, samples of some bytes are packed before it is."""
LARGE, MANY = 1 << 15, 64
"""Bytes of values, or so many, from which they are unpacked quicker together than one by one."""
ZSTD_LEVEL = 3
JPEG_LEVEL = 80


class Codec(NamedTuple):
    """One way of packing; cheap to make, compared by value."""

    packing: int = LZ4
    level: int = -1
    checksum: bool = False
    itemsize: int = 1
    """Bytes per voxel, which blosc shuffles by."""

    def describe(self) -> str:
        """Words for `info`, the reference's own."""
        return f"{_TITLES[self.packing]}, level {self.level}"

    def describe_checksum(self) -> str:
        """Words for `info`, the reference's own."""
        return "CRC32 checksum" if self.checksum else "No checksum"

    def encode(self, value: bytes | memoryview) -> bytes:
        """Plain bytes -> stored bytes. Pictures come here packed already (see `wrap`)."""
        if self.packing != LZ4:
            return self._stored(self.packing, _PACK[self.packing](value, self))
        if not _is_noise(value):
            payload = _lz4(value, self)
            if len(payload) <= len(value) - len(value) // HARDLY:
                return self._stored(LZ4, payload)
        return self._stored(NONE, value)

    def wrap(self, payload: bytes) -> bytes:
        """Payload that is packed already -> stored bytes."""
        return self._stored(self.packing, payload)

    def _stored(self, packing: int, payload: bytes | memoryview) -> bytes:
        if not self.checksum:
            return b"".join((bytes((packing,)), payload))
        return b"".join((bytes((packing | _FLAG,)), _U32.pack(zlib.crc32(payload)), payload))


def _is_noise(value: bytes | memoryview) -> bool:
    """Whether LZ4 finds nothing in some samples of a long value."""
    size = len(value)
    if size < LONG:
        return False
    flat = memoryview(value)
    starts = range(0, size, size // SAMPLES)[:SAMPLES]
    return all(len(lz4.block.compress(flat[at : at + SAMPLE])) > SAMPLE for at in starts)


def payload_of(stored: bytes) -> tuple[int, memoryview]:
    """Stored bytes -> (packing, payload); StoreError where the checksum says they were damaged."""
    if not stored:
        raise StoreError("an empty stored value")
    if not stored[0] & _FLAG:
        return stored[0], memoryview(stored)[1:]
    payload = memoryview(stored)[5:]
    if zlib.crc32(payload) != _U32.unpack_from(stored, 1)[0]:
        raise StoreError("a stored value does not match its checksum")
    return stored[0] & ~_FLAG, payload


def decode(stored: bytes) -> bytes:
    """Stored bytes -> plain bytes (of JPEG: the picture); StoreError where they were damaged."""
    try:
        packing = stored[0]  # by far the most are of these two, without a checksum: nothing to look at first
        if packing == LZ4:
            return lz4.block.decompress(memoryview(stored)[1:])  # type: ignore[no-any-return]
        if packing == NONE:
            return stored[1:]
    except (IndexError, ValueError, lz4.block.LZ4BlockError) as error:
        raise StoreError(f"a stored value cannot be unpacked: {error}") from error
    packing, payload = payload_of(stored)
    try:
        return _UNPACK[packing](payload)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(f"a stored value cannot be unpacked: {error}") from error


def plain_size(stored: bytes) -> int:
    """Bytes of what `decode` gives, unpacked only where they do not stand in front."""
    if stored[:1] == AS_IT_IS:
        return len(stored) - 1
    return _U32.unpack_from(stored, 1)[0] if stored[0] == LZ4 and len(stored) > _U32.size else len(decode(stored))


def decode_between(texts: Sequence[bytes], stored: Sequence[bytes], part: int = WHOLE) -> bytes | memoryview:
    """The first text, the first value unpacked, the second text and so on: a text more than values.

    Of each value that part (`kernels.unpacking`); StoreError where one is damaged, or has none.
    """
    if len(stored) >= MANY or sum(map(len, stored)) >= LARGE:
        found = unpack_all(texts, stored, part)
        if found is not None:
            return found
    return join_between(texts, list(map(decode, stored)), part)


def join_between(texts: Sequence[bytes], plain: Sequence[bytes], part: int = WHOLE) -> bytes:
    """The same of values that are unpacked."""
    if part == INSIDE:
        some = [(text, value[1:-1]) for text, value in zip(texts, plain, strict=False) if len(value) > len(b"[]")]
        return b"".join(chain(chain.from_iterable(some), texts[-1:]))
    if part == FIRST:
        plain = list(map(_first, plain))
    return b"".join(chain.from_iterable(zip(texts, [*plain, b""], strict=True)))


def _first(plain: bytes) -> bytes:
    stop = FRONT + int.from_bytes(plain[:FRONT], "little")
    if stop > len(plain):
        raise StoreError("a stored value is shorter than it says")
    return plain[FRONT:stop]


def plain_view(stored: bytes) -> bytes | memoryview:
    """As `decode`, but what is not packed is a view of the stored bytes."""
    return memoryview(stored)[1:] if stored[:1] == AS_IT_IS else decode(stored)


def as_packed(stored: bytes, packing: int) -> memoryview:
    """The payload as a packing has it, whether it is stored so or as it is."""
    found, payload = payload_of(stored)
    return memoryview(_PACK[packing](payload, Codec(packing))) if found == NONE != packing else payload


def parse_codec(compression: str | None, checksum: str | None, itemsize: int = 1) -> Codec:
    """Settings of an instance (any letter case, `gzip:9`, `zstd:19`) -> codec; BadRequest where they name none."""
    name, colon, level = (compression if compression is not None else "lz4").lower().partition(":")
    if name not in _PACKINGS or (colon and name not in _LEVELS):
        raise BadRequest(f"Illegal compression specified: {compression}")
    if checksum is not None and checksum.lower() not in ("none", "crc32"):
        raise BadRequest(f"Illegal checksum specified: {checksum}")
    if colon and level not in map(str, _LEVELS[name]):
        raise BadRequest(f"Illegal compression level: {compression}")
    number = int(level) if colon else (JPEG_LEVEL if name == "jpeg" else -1)
    return Codec(_PACKINGS[name], number, (checksum or "none").lower() == "crc32", itemsize)


def _plain(value: bytes | memoryview, codec: Codec) -> bytes:
    return bytes(value)


def _snappy(value: bytes | memoryview, codec: Codec) -> bytes:
    import cramjam

    return bytes(cramjam.snappy.compress_raw(value))


def _lz4(value: bytes | memoryview, codec: Codec) -> bytes:
    return lz4.block.compress(value)  # type: ignore[no-any-return]  # size in front, little-endian


def _gzip(value: bytes | memoryview, codec: Codec) -> bytes:
    import gzip

    from isal import igzip

    # isal packs some 16 times faster than zlib; levels above its own are zlib's.
    if codec.level <= 3:
        return bytes(igzip.compress(value, compresslevel=1 if codec.level < 0 else codec.level, mtime=0))
    return gzip.compress(value, codec.level, mtime=0)


def _blosc(value: bytes | memoryview, codec: Codec) -> bytes:
    import blosc

    return blosc.compress(bytes(value), typesize=codec.itemsize, cname="lz4")  # type: ignore[no-any-return]


def _zstd(value: bytes | memoryview, codec: Codec) -> bytes:
    import cramjam

    return bytes(cramjam.zstd.compress(value, ZSTD_LEVEL if codec.level < 0 else codec.level))


def _unzstd(payload: memoryview) -> bytes:
    import cramjam

    return bytes(cramjam.zstd.decompress(payload))


def _unsnappy(payload: memoryview) -> bytes:
    import cramjam

    return bytes(cramjam.snappy.decompress_raw(payload))


def _ungzip(payload: memoryview) -> bytes:
    from isal import igzip

    return bytes(igzip.decompress(payload))  # type: ignore[no-untyped-call]


def _unblosc(payload: memoryview) -> bytes:
    import blosc

    return blosc.decompress(bytes(payload))  # type: ignore[no-any-return]


def _unlz4(payload: memoryview) -> bytes:
    return lz4.block.decompress(payload)  # type: ignore[no-any-return]


# A JPEG instance keeps what is no picture (a manifest, a setting) as it is.
_PACK: tuple[Callable[[bytes | memoryview, Codec], bytes], ...] = (_plain, _snappy, _lz4, _gzip, _plain, _blosc, _zstd)
_UNPACK: tuple[Callable[[memoryview], bytes], ...] = (bytes, _unsnappy, _unlz4, _ungzip, bytes, _unblosc, _unzstd)
