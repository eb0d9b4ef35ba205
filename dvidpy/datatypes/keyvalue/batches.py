"""Many keys at once: what a request asks for, and what is there of it."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from dvidpy.datatypes.exchange import OCTETS
from dvidpy.datatypes.keyvalue.values import KeyValue
from dvidpy.datatypes.keyvalues.forms import QUICK, Form, Item, is_json
from dvidpy.datatypes.keyvalues.keys import KEY, LONGEST, NOWHERE, typekey
from dvidpy.datatypes.keyvalues.messages import Span, parse_keys
from dvidpy.datatypes.keyvalues.spans import demand_within
from dvidpy.datatypes.settings import read_json
from dvidpy.errors import BadRequest
from dvidpy.storage.codecs import decode, plain_size
from dvidpy.storage.keys import END
from dvidpy.versioning.found import Found

TOGETHER = 8
"""Keys that are looked up together; their values are held meanwhile."""
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
def wanted(form: Form, body: bytes) -> Wanted:
    """What a body asks for: a Keys message where the answer is one, else JSON. BadRequest where it is neither."""
    return parse_keys(body) if form.media_type == OCTETS else wanted_json(body)


def wanted_json(body: bytes) -> Wanted:
    """A JSON list of keys, or of {"key", "byte_start", "byte_end"}, null for none; BadRequest for anything else."""
    given = read_json(body)
    if given is None:
        return []
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


def quick_object(kv: KeyValue, body: bytes) -> bytes | None:
    """The answer as a JSON object, where that takes little: plain keys are asked for, and this version stored a small
    value of each. Else None, also where anything is wrong with what is asked.
    """
    try:
        keys = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(keys, list) or set(map(type, keys)) != {str}:
        return None
    names = orjson.dumps(keys)
    if b"\\" in names or not names.isascii():  # else names stand between quotes, and these nowhere else
        return None
    plain = names[2:-2].split(b'","')
    view = kv.view.frozen()
    stored = view.own_stored([KEY + name + END for name in plain], QUICK)
    if stored is None or sum(map(plain_size, stored)) > QUICK:
        return None
    pairs = zip(plain, map(decode, stored), strict=True)
    return b"{%b}" % b",".join([b'"%b":%b' % (name, value or b"{}") for name, value in pairs])


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
