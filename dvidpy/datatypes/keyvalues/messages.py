"""The protobuf messages of batches, built without a compiler step.

    message KeyValue  { string key = 1; bytes value = 2; }
    message KeyValues { repeated KeyValue kvs = 1; }
    message KeyRange  { string key = 1; uint64 byte_start = 2; uint64 byte_end = 3; }
    message Keys      { repeated string keys = 1; repeated KeyRange key_ranges = 2; }

Source: the help text of the reference's keyvalue type.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from dvidpy.datatypes.exchange import readable
from dvidpy.errors import BadRequest


class Span(NamedTuple):
    """Bytes start <= i <= end of a value."""

    start: int
    end: int


_PACKAGE = "dvidpy.keyvalue"
_STRING, _BYTES, _UINT64, _MESSAGE = 9, 12, 4, 11
_ONE, _MANY = 1, 3
_FIELDS: dict[str, list[tuple[str, Any, Any, str]]] = {
    "KeyValue": [("key", _STRING, _ONE, ""), ("value", _BYTES, _ONE, "")],
    "KeyValues": [("kvs", _MESSAGE, _MANY, "KeyValue")],
    "KeyRange": [("key", _STRING, _ONE, ""), ("byte_start", _UINT64, _ONE, ""), ("byte_end", _UINT64, _ONE, "")],
    "Keys": [("keys", _STRING, _MANY, ""), ("key_ranges", _MESSAGE, _MANY, "KeyRange")],
}


@cache
def _message(name: str) -> Any:
    """Class of a message."""
    file = descriptor_pb2.FileDescriptorProto(name="dvidpy/keyvalue.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _FIELDS.items():
        entry = file.message_type.add(name=message)
        for number, (field, kind, label, of) in enumerate(fields, 1):
            of_message = {"type_name": f".{_PACKAGE}.{of}"} if of else {}
            entry.field.add(name=field, number=number, type=kind, label=label, **of_message)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def _parse(name: str, body: bytes) -> Any:
    try:
        return _message(name).FromString(body)
    except DecodeError as error:
        raise BadRequest(f"the body is no {name} message: {error}") from None


def parse_keyvalues(body: bytes) -> list[tuple[str, bytes]]:
    """KeyValues -> (key, value) in the order sent; BadRequest where the body is none."""
    return [(pair.key, pair.value) for pair in _parse("KeyValues", body).kvs]


def parse_keys(body: bytes) -> list[tuple[str, Span | None]]:
    """Keys -> (key, span of bytes or None for all), plain keys first; BadRequest where the body is none."""
    keys = _parse("Keys", body)
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
