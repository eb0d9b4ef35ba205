"""Many keys at once: what a request asks for, and its answers as JSON, tar or protobuf, piece by piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import orjson

from dvidpy.datatypes import tars
from dvidpy.datatypes.exchange import JSON, OCTETS, Pool, Reply, gather, pieces_reply, readable
from dvidpy.datatypes.keyvalue.keys import LONGEST, NOWHERE, typekey
from dvidpy.datatypes.keyvalue.messages import pair_head, parse_keys
from dvidpy.datatypes.keyvalue.values import KeyValue, Span, demand_within
from dvidpy.datatypes.settings import read_json
from dvidpy.errors import BadRequest
from dvidpy.versioning.store import Found

TAR = b"application/tar"
QUICK, QUICK_BODY = 1 << 16, 1 << 13
"""Bytes of an answer that is made in the event loop, and of the body that asks for it."""
TOGETHER = 8
"""Keys that are looked up together; their values are held meanwhile."""


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


Wanted = list[tuple[str, Span | None]]


def item_of(key: str, value: bytes | Found | None, span: Span | None = None) -> Item:
    """A value, or a part of it; BadRequest for a span outside the value."""
    if isinstance(value, Found):
        size = value.plain_size()
        return Item(key, None, value, Span(0, size - 1) if span is None else demand_within(key, span, size))
    if value is None or span is None:
        return Item(key, value)
    start, end = demand_within(key, span, len(value))
    return Item(key, value[start : end + 1])


def whole(key: str, found: Found) -> Item:
    """All of a value."""
    return item_of(key, found if found.manifest is not None else found.read())


# ---------------------------------------------------------------------- what is asked for
def wanted_json(body: bytes) -> Wanted:
    """A JSON list of keys, or of {"key", "byte_start", "byte_end"}; BadRequest for anything else."""
    given = read_json(body)
    if not isinstance(given, list):
        raise BadRequest("expected a JSON list of keys")
    if all(isinstance(one, str) for one in given):
        return [(one, None) for one in given]
    return [_wanted_part(one) for one in given]


def _wanted_part(one: object) -> tuple[str, Span | None]:
    if not isinstance(one, dict) or not isinstance(one.get("key"), str):
        raise BadRequest('expected a JSON list of keys, or one of {"key": …, "byte_start": …, "byte_end": …}')
    start, end = one.get("byte_start"), one.get("byte_end")
    if start is None and end is None:
        return one["key"], None
    if type(start) is not int or type(end) is not int or start < 0:  # true is an int too
        raise BadRequest("byte_start and byte_end must both be given, as numbers from 0")
    return one["key"], Span(start, end)


def wanted_protobuf(body: bytes) -> Wanted:
    """A Keys message."""
    return parse_keys(body)


def look_up(kv: KeyValue, wanted: Wanted) -> Iterator[Item]:
    """What is there of what is wanted, in that order, a few at a time; BadRequest for a span outside its value."""
    for first in (0, *range(1, len(wanted), TOGETHER)):
        some = wanted[first : first + TOGETHER if first else 1]  # one alone: it may be all that is taken
        values = kv.view.read_many(typekey(key) if key else NOWHERE for key, _ in some)
        for (key, span), value in zip(some, values, strict=True):
            yield item_of(key, value, span)


def demand_possible(kv: KeyValue, wanted: Wanted, *, json: bool) -> None:
    """BadRequest for what can be no key, for a span outside its value and, with `json`, for one that is no JSON."""
    for key, span in wanted:
        if span is None:
            if key and not (key.isascii() and len(key) <= LONGEST):
                typekey(key)
            continue
        (item,) = look_up(kv, [(key, span)])
        if json and item.size and not is_json(item.read()):
            raise BadRequest(f"bytes {span.start} to {span.end} of key {key!r} are not JSON")


def is_json(value: bytes) -> bool:
    """Whether these bytes are one JSON value."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


# ---------------------------------------------------------------------- answers
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
    wanted: Callable[[bytes], Wanted]
    json: bool = False


def choose_form(*, json: bool, tar: bool, check: bool) -> Form:
    """The form that a request's options ask for; protobuf where they name none."""
    if json and tar:
        raise BadRequest("can only specify tar or json output, not both")
    if json:
        return Form(JSON, lambda items: as_json(items, check=check), wanted_json, json=True)
    return Form(TAR, as_tar, wanted_json) if tar else Form(OCTETS, as_protobuf, wanted_protobuf)


def answer(form: Form, items: Iterable[Item]) -> Reply:
    """Small answers whole, with their length; others in pieces of about a megabyte."""
    return pieces_reply(gather(form.write(items)), form.media_type)


def answer_soon(form: Form, items: Iterable[Item], pool: Pool) -> Reply | Awaitable[Reply]:
    """Made in the event loop as far as that is quick; what is more than that, on a worker thread."""
    pieces = form.write(items)
    begun: list[bytes] = []
    size = 0
    for piece in pieces:
        begun.append(piece)
        size += len(piece)
        if size > QUICK:
            return pool.run(lambda: pieces_reply(gather(chain(begun, pieces)), form.media_type))
    return Reply(b"".join(begun), form.media_type)
