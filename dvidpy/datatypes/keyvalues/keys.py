"""Place of values under text keys in the store.

| type key | value |
|---|---|
| 01 key, escaped | the value |
"""

from __future__ import annotations

from collections.abc import Iterable

from dvidpy.datatypes.exchange import readable
from dvidpy.errors import BadRequest
from dvidpy.storage.keys import after, escape, unescape

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


def keys_of(typekeys: Iterable[bytes]) -> list[str]:
    """Keys of type keys, as JSON can carry them."""
    typekeys = list(typekeys)
    joined = b"".join(typekeys)
    if not joined or b"\xff" in joined:  # escaped NULs: no other key has this byte
        return [readable(key_of(key)) for key in typekeys]
    # All decoded at once: a key ends with 00 01 and the next begins with its class, 01.
    return joined[1:-2].decode("utf-8", "replace").split("\x00\x01\x01")


def span(first: str, last: str) -> tuple[bytes, bytes]:
    """Type keys of first <= key <= last: start included, stop not. An empty end stands for the smallest key."""
    ends = [escape(end.encode("utf-8", "surrogateescape")) for end in (first, last)]
    return KEY + ends[0][:-2], after(KEY + ends[1])
