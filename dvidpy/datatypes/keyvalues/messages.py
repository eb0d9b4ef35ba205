"""The protobuf messages of batches, built without a compiler step.

    message KeyValue  { string key = 1; bytes value = 2; }
    message KeyValues { repeated KeyValue kvs = 1; }
    message KeyRange  { string key = 1; uint64 byte_start = 2; uint64 byte_end = 3; }
    message Keys      { repeated string keys = 1; repeated KeyRange key_ranges = 2; }

Source: the help text of the reference's keyvalue type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dvidpy.datatypes.exchange import readable
from dvidpy.datatypes.protobuf import BYTES, MESSAGE, STRING, UINT64, Field, Messages


class Span(NamedTuple):
    """Bytes start <= i <= end of a value."""

    start: int
    end: int


_MESSAGES = Messages(
    "dvidpy.keyvalue",
    {
        "KeyValue": [Field("key", STRING), Field("value", BYTES)],
        "KeyValues": [Field("kvs", MESSAGE, many=True, of="KeyValue")],
        "KeyRange": [Field("key", STRING), Field("byte_start", UINT64), Field("byte_end", UINT64)],
        "Keys": [Field("keys", STRING, many=True), Field("key_ranges", MESSAGE, many=True, of="KeyRange")],
    },
)


def parse_keyvalues(body: bytes) -> list[tuple[str, bytes]]:
    """KeyValues -> (key, value) in the order sent; BadRequest where the body is none."""
    return [(pair.key, pair.value) for pair in _MESSAGES.parse("KeyValues", body).kvs]


def parse_keys(body: bytes) -> list[tuple[str, Span | None]]:
    """Keys -> (key, span of bytes or None for all), plain keys first; BadRequest where the body is none."""
    keys = _MESSAGES.parse("Keys", body)
    spans = [(part.key, Span(part.byte_start, part.byte_end)) for part in keys.key_ranges]
    return [*((key, None) for key in keys.keys), *spans]


def pair_head(key: str, size: int) -> bytes:
    """What stands before the `size` bytes of a value in a KeyValues message."""
    text = readable(key).encode()
    inner = b"\x0a" + _varint(len(text)) + text + (b"\x12" + _varint(size) if size else b"")
    return b"\x0a" + _varint(len(inner) + size) + inner


def encode_keyvalues(pairs: Sequence[tuple[str, bytes]]) -> bytes:
    """(key, value) in order -> KeyValues."""
    return b"".join(pair_head(key, len(value)) + value for key, value in pairs)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
