"""Place of neuronjson's values in the store.

| type key | value |
|---|---|
| 01 body:u64 | an annotation, see `records` |
| 02 kind:u8 | a schema as it was posted: 0 json_schema, 1 schema, 2 schema_batch |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dvidpy.errors import BadRequest

ANNOTATION, SCHEMA = b"\x01", b"\x02"
"""Class bytes."""
LARGEST = (1 << 64) - 1
"""The largest body id."""
_DIGITS = 20
"""Of that number."""


def typekey(body: int) -> bytes:
    """Type key of a body's annotation."""
    return ANNOTATION + body.to_bytes(8)


def body_of(typekey: bytes) -> int:
    """The body of a type key."""
    return int.from_bytes(typekey[1:])


def bodies_of(typekeys: Iterable[bytes]) -> list[int]:
    """The bodies of type keys."""
    bodies = np.frombuffer(b"".join(typekeys), np.dtype([("class", "S1"), ("body", ">u8")]))["body"]
    found: list[int] = bodies.tolist()
    return found


def span(first: int, last: int) -> tuple[bytes, bytes]:
    """Type keys of first <= body <= last: start included, stop not."""
    return typekey(first), SCHEMA if last == LARGEST else typekey(last + 1)


ALL = span(0, LARGEST)
"""Type keys of all annotations: start included, stop not."""


def parse_body(key: str) -> int:
    """The body that a key names; BadRequest where it is no whole number below 2^64."""
    if len(key) < _DIGITS and key.isdigit() and key.isascii():  # nearly all are so
        return int(key)
    digits = key.lstrip("0") or key[-1:]
    if not (key.isascii() and key.isdigit()) or len(digits) > _DIGITS or int(digits) > LARGEST:
        raise BadRequest(f"the key {key[:40]!a} is no body id")
    return int(digits)


def parse_bodies(keys: Sequence[str]) -> list[int] | None:
    """The same of many keys; None where one of them is not as nearly all are."""
    together = "".join(keys)
    if not (together.isdigit() and together.isascii()) or not 0 < min(map(len, keys)) <= max(map(len, keys)) < _DIGITS:
        return None
    return list(map(int, keys))


def parse_end(key: str) -> int:
    """End of a range: a body, or the largest (smallest) one for what begins behind (before) the digits."""
    if key[0] > "9":
        return LARGEST
    return 0 if key[0] < "0" else parse_body(key)
