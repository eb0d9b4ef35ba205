"""Place of values under text keys in the store.

| type key | value |
|---|---|
| 01 key, escaped | the value |
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from dvidpy.datatypes.exchange import readable
from dvidpy.errors import BadRequest
from dvidpy.storage.keys import END, after, escape, unescape

KEY = b"\x01"
"""Class byte of values."""
FIRST, PAST = KEY, b"\x02"
"""All type keys: FIRST <= key < PAST."""
NOWHERE = KEY + escape(b"")
"""Type key of the empty key, which has no value."""
LONGEST = 60_000
"""Bytes of the longest key."""


def typekey(key: str) -> bytes:
    """Type key of a key; BadRequest for an empty, too long or unreadable one."""
    try:
        text = key.encode("utf-8", "surrogateescape")  # any bytes of a path are a key
    except UnicodeEncodeError:
        raise BadRequest(f"the key {key!a} is not valid text") from None
    if not text:
        raise BadRequest("a key cannot be empty")
    if len(text) > LONGEST:
        raise BadRequest(f"a key of {len(text)} bytes is longer than {LONGEST}")
    return KEY + escape(text)


def key_of(typekey: bytes) -> str:
    """The key of a type key."""
    return unescape(typekey[1:]).decode("utf-8", "surrogateescape")


def keys_of(texts: Iterable[list[bytes]]) -> list[str]:
    """Keys of the texts of type keys (`View.texts`), as JSON can carry them."""
    found = list(chain.from_iterable(texts))
    joined = b"\0".join(found)
    if b"\xff" in joined:  # escaped NULs: no other key has this byte
        return [readable(key_of(KEY + text + END)) for text in found]
    return joined.decode("utf-8", "replace").split("\0") if found else []  # all decoded at once


def span(first: str, last: str) -> tuple[bytes, bytes]:
    """Type keys of first <= key <= last: start included, stop not. An empty end stands for the smallest key."""
    ends = [escape(end.encode("utf-8", "surrogateescape")) for end in (first, last)]
    return KEY + ends[0][:-2], after(KEY + ends[1])
