"""Forms of answers with many keys: JSON, tar or protobuf, piece by piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import orjson

from dvidpy.datatypes import tars
from dvidpy.datatypes.exchange import JSON, OCTETS, Piece, Pool, Reply, pieces_reply, readable
from dvidpy.datatypes.keyvalues.messages import Span, pair_head
from dvidpy.errors import BadRequest
from dvidpy.versioning.found import Found

TAR = b"application/tar"
QUICK, QUICK_BODY = 1 << 16, 1 << 13
"""Bytes of an answer that is made in the event loop, and of the body that asks for it."""


class Item(NamedTuple):
    """A key with the part of its value that was asked for."""

    key: str
    small: bytes | None
    """That part of a value that is at hand whole; None where there is no value, or a large one."""
    large: Found | None = None
    """A value that is kept in parts."""
    span: Span = Span(0, -1)
    """What of it was asked for."""

    @property
    def size(self) -> int:
        """Bytes of that part."""
        return len(self.small or b"") if self.large is None else self.span.end + 1 - self.span.start

    def pieces(self) -> Iterator[bytes]:
        """Those bytes."""
        if self.large is None:
            return iter((self.small or b"",))
        return self.large.pieces(self.span.start, self.span.end + 1)

    def read(self) -> bytes:
        """Those bytes, whole."""
        return b"".join(self.pieces())


def is_json(value: bytes) -> bool:
    """Whether these bytes are one JSON value."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def as_json(items: Iterable[Item], *, check: bool) -> Iterator[bytes]:
    """One object; values are put into it as they are. With `check` it breaks off at the first that is not JSON."""
    separator = b"{"
    for item in items:
        name = separator + orjson.dumps(readable(item.key)) + b":"
        separator = b","
        if check and item.size and not is_json(item.read()):
            yield name + b"the value of key %b is not JSON" % orjson.dumps(readable(item.key))
            return
        if item.large is None:
            yield name + (item.small or b"{}")
        else:
            yield name
            yield from item.pieces()
    yield b"{}" if separator == b"{" else b"}"


def as_tar(items: Iterable[Item]) -> Iterator[bytes]:
    """One member a key."""
    for item in items:
        yield tars.head(item.key, item.size)
        yield from item.pieces()
        yield tars.padding(item.size)
    yield tars.END


def as_protobuf(items: Iterable[Item]) -> Iterator[bytes]:
    """A KeyValues message."""
    for item in items:
        yield pair_head(item.key, item.size)
        yield from item.pieces()


class Form(NamedTuple):
    """A form of answers."""

    media_type: bytes
    write: Callable[[Iterable[Item]], Iterator[bytes]]
    json: bool = False


def choose_form(*, json: bool, tar: bool, check: bool) -> Form:
    """The form that a request's options ask for; protobuf where they name none."""
    if json and tar:
        raise BadRequest("can only specify tar or json output, not both")
    if json:
        return Form(JSON, lambda items: as_json(items, check=check), json=True)
    return Form(TAR, as_tar) if tar else Form(OCTETS, as_protobuf)


def answer(form: Form, items: Iterable[Item]) -> Reply:
    """Small answers whole, with their length; others in pieces of about a megabyte."""
    return pieces_reply(form.write(items), form.media_type)


def answer_soon(form: Form, items: Iterable[Item], pool: Pool) -> Reply | Awaitable[Reply]:
    """Made in the event loop as far as that is quick; what is more than that, on a worker thread."""
    return pieces_soon(form.write(items), form.media_type, pool)


def pieces_soon(pieces: Iterator[Piece], media_type: bytes, pool: Pool) -> Reply | Awaitable[Reply]:
    """The same of an answer in pieces."""
    begun: list[Piece] = []
    size = 0
    for piece in pieces:
        begun.append(piece)
        size += len(piece)
        if size > QUICK:
            return pool.run(lambda: pieces_reply(chain(begun, pieces), media_type))
    return Reply(b"".join(begun), media_type)
