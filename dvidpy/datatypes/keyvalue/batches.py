"""Many keys at once: what a request asks for, and its answers as JSON, tar or protobuf, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from tarfile import PAX_FORMAT, TarInfo
from typing import NamedTuple

import orjson

from dvidpy.datatypes.exchange import JSON, OCTETS, Reply, gather, pieces_reply
from dvidpy.datatypes.keyvalue.keys import LONGEST, typekey
from dvidpy.datatypes.keyvalue.messages import pair_head, parse_keys
from dvidpy.datatypes.keyvalue.values import KeyValue, Span, demand_within
from dvidpy.datatypes.settings import read_json
from dvidpy.errors import BadRequest
from dvidpy.versioning.store import Found

TAR = b"application/tar"
_TAR_BLOCK = 512


class Item(NamedTuple):
    """A key with the part of its value that was asked for; no value where there is none."""

    key: str
    found: Found | None
    span: Span

    @property
    def size(self) -> int:
        """Bytes of that part."""
        return self.span.end + 1 - self.span.start

    @property
    def is_large(self) -> bool:
        """It is kept in parts."""
        return self.found is not None and self.found.manifest is not None

    def pieces(self) -> Iterator[bytes]:
        """Those bytes."""
        return iter(()) if self.found is None else self.found.pieces(self.span.start, self.span.end + 1)

    def read(self) -> bytes:
        """Those bytes, whole."""
        if self.found is None or self.is_large:
            return b"".join(self.pieces())
        return self.found.read()[self.span.start : self.span.end + 1]


Wanted = list[tuple[str, Span | None]]


def whole(key: str, found: Found | None) -> Item:
    """All of a value."""
    return Item(key, found, Span(0, (found.plain_size() if found else 0) - 1))


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
    """What is there of what is wanted, in that order, one at a time; BadRequest for a span outside its value."""
    return (_item(kv, key, span) for key, span in wanted)


def _item(kv: KeyValue, key: str, span: Span | None) -> Item:
    item = whole(key, kv.find(key) if key else None)
    if span is None or item.found is None:
        return item
    return item._replace(span=demand_within(key, span, item.size))


def demand_possible(kv: KeyValue, wanted: Wanted, *, json: bool) -> None:
    """BadRequest for what can be no key, for a span outside its value and, with `json`, for one that is no JSON."""
    for key, span in wanted:
        if span is None:
            if key and not (key.isascii() and len(key) <= LONGEST):
                typekey(key)
            continue
        item = _item(kv, key, span)
        if json and item.found is not None and not is_json(item.read()):
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
        name = separator + orjson.dumps(item.key) + b":"
        separator = b","
        if not item.size:
            yield name + b"{}"
            continue
        if not (check or item.is_large):
            yield name + item.read()
            continue
        yield name
        if check:
            value = item.read()
            if not is_json(value):
                yield b"the value of key %b is not JSON" % orjson.dumps(item.key)
                return
            yield value
        else:
            yield from item.pieces()
    yield b"{}" if separator == b"{" else b"}"


def as_tar(items: Iterable[Item]) -> Iterator[bytes]:
    """One member a key."""
    for item in items:
        member = TarInfo(item.key)
        if "\0" in item.key:  # the name of a plain member ends there
            member.pax_headers = {"path": item.key}
        member.size = item.size
        yield member.tobuf(PAX_FORMAT)
        yield from item.pieces()
        yield bytes(-item.size % _TAR_BLOCK)
    yield bytes(2 * _TAR_BLOCK)


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
