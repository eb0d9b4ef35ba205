"""Tar files as streams: written member by member, read as their bytes arrive.

Read are ustar, GNU and pax archives; a global pax header says nothing of a single member and is passed over.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Iterator
from tarfile import AREGTYPE, GNUTYPE_LONGNAME, PAX_FORMAT, REGTYPE, XGLTYPE, XHDTYPE, TarInfo
from typing import NamedTuple

from dvidpy.errors import BadRequest

BLOCK = 512
END = bytes(2 * BLOCK)
"""What ends an archive."""
LARGEST_HEADER = 1 << 16
"""Bytes of a pax or long-name header; a longer one is refused."""
PLACE_OF_TYPE, PLACE_OF_PREFIX = 156, 345
"""Bytes of a header. Source of its form: POSIX.1-2001, pax, ustar interchange format."""
LONGEST_SIZE = 18
"""Digits of a size that is read."""


def head(name: str, size: int, mode: int = 0o644) -> bytes:
    """What stands before the `size` bytes of a member."""
    member = TarInfo(name)
    if "\0" in name:  # the name of a plain member ends there
        member.pax_headers = {"path": name}
    member.size, member.mode = size, mode
    return member.tobuf(PAX_FORMAT)


def padding(size: int) -> bytes:
    """What stands behind them."""
    return bytes(-size % BLOCK)


class _Header(NamedTuple):
    name: str
    type: bytes
    size: int


class Member(NamedTuple):
    """A file of an archive that is being read."""

    name: str
    size: int
    content: AsyncIterator[bytes]
    """Its bytes, to be taken before the next member is asked for."""


async def members(source: AsyncIterator[bytes]) -> AsyncIterator[Member]:
    """The files of an archive as it arrives; BadRequest for what is none, ends early or holds anything but files."""
    stream = _Stream(source)
    extra: dict[bytes, bytes] = {}
    while (found := await _next_header(stream)) is not None:
        if found.type in (XHDTYPE, XGLTYPE, GNUTYPE_LONGNAME):
            said = await _header_text(stream, found)
            if found.type != XGLTYPE:
                extra |= {b"path": said.rstrip(b"\0")} if found.type == GNUTYPE_LONGNAME else dict(_records(said))
            continue
        name, size = _name_and_size(found, extra)
        content = stream.take(size)
        yield Member(name, size, content)
        async for _ in content:  # what nobody took
            pass
        await stream.skip(-size % BLOCK)
        extra = {}
    await stream.drain()


def _name_and_size(found: _Header, extra: dict[bytes, bytes]) -> tuple[str, int]:
    """Of a regular file; what headers before its own said of it counts."""
    name = extra[b"path"].decode("utf-8", "surrogateescape") if b"path" in extra else found.name
    digits = extra.get(b"size", b"%d" % found.size)
    if found.type not in (REGTYPE, AREGTYPE):
        raise BadRequest(f"{name[:80]!a} is no regular file")
    if not digits.isdigit() or len(digits) > LONGEST_SIZE:
        raise BadRequest(f"the size of {name[:80]!a} makes no sense")
    return name, int(digits)


async def _next_header(stream: _Stream) -> _Header | None:
    """The next header; None at the end of the archive, which may lack its empty blocks."""
    block = await stream.block()
    if block is None or not any(block):
        return None
    return _plain_header(block) or _any_header(block)


def _plain_header(block: bytes) -> _Header | None:
    """Of the most common form, a file with a short name, in a fifth of the library's time; None of others."""
    if block[PLACE_OF_TYPE] != REGTYPE[0] or block[PLACE_OF_PREFIX]:
        return None
    size, sum_said = block[124:136].strip(b" \0"), block[148:156].strip(b" \0")
    if not (size.isdigit() and sum_said.isdigit()) or b"8" in size + sum_said or b"9" in size + sum_said:
        return None
    if sum(block) - sum(block[148:156]) + 8 * ord(" ") != int(sum_said, 8):
        return None
    return _Header(block[:100].partition(b"\0")[0].decode("utf-8", "surrogateescape"), REGTYPE, int(size, 8))


def _any_header(block: bytes) -> _Header:
    try:
        found = TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise BadRequest(f"the body is no tar file: {error}") from None
    return _Header(found.name, found.type, found.size)


async def _header_text(stream: _Stream, found: _Header) -> bytes:
    if not 0 <= found.size <= LARGEST_HEADER:
        raise BadRequest(f"a header of {found.size} bytes in a tar file is more than {LARGEST_HEADER}")
    said = b"".join([piece async for piece in stream.take(found.size)])
    await stream.skip(-found.size % BLOCK)
    return said


def _records(said: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of the lines "length key=value" of a pax header."""
    while said:
        digits, _, _ = said.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) <= LONGEST_SIZE else 0
        if length <= len(digits) + 1 or length > len(said) or said[length - 1 : length] != b"\n":
            raise BadRequest("a pax header in the tar file makes no sense")
        key, _, value = said[len(digits) + 1 : length - 1].partition(b"=")
        yield key, value
        said = said[length:]


class _Stream:
    """Bytes as they arrive, taken in the lengths that are wanted."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source
        self._rest = memoryview(b"")

    async def block(self) -> bytes | None:
        """A header's block; None where nothing is left."""
        found = b"".join([piece async for piece in self._up_to(BLOCK)])
        if found and len(found) < BLOCK:
            raise BadRequest("the tar file ends early")
        return found or None

    async def take(self, size: int) -> AsyncIterator[bytes]:
        """So many bytes, piece by piece; BadRequest where there are fewer."""
        taken = 0
        async for piece in self._up_to(size):
            taken += len(piece)
            yield piece
        if taken < size:
            raise BadRequest("the tar file ends early")

    async def skip(self, size: int) -> None:
        """Pass over so many bytes, as far as they are there."""
        async for _ in self._up_to(size):
            pass

    async def drain(self) -> None:
        """Pass over what is left: a client reads no answer before all is sent."""
        self._rest = memoryview(b"")
        async for _ in self._source:
            pass

    async def _up_to(self, size: int) -> AsyncIterator[bytes]:
        while size > 0:
            if not self._rest:
                self._rest = memoryview(await anext(self._source, b""))
                if not self._rest:
                    return
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            yield bytes(piece)
