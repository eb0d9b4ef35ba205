"""Batch messages beside Google's protobuf library, from a description of our own making."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.keyvalues.messages import Span, encode_keyvalues, parse_keys, parse_keyvalues
from dvidpy.errors import BadRequest

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.just("k" * 200)
PAIRS = st.lists(st.tuples(KEYS, st.binary(max_size=300) | st.just(bytes(20_000))), max_size=6)
POSITIONS = st.integers(0, 2**64 - 1)
PROTO = """
    name: "theirs.proto" package: "theirs" syntax: "proto3"
    message_type { name: "KeyValue"
      field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "value" number: 2 type: TYPE_BYTES label: LABEL_OPTIONAL } }
    message_type { name: "KeyValues"
      field { name: "kvs" number: 1 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".theirs.KeyValue" } }
    message_type { name: "KeyRange"
      field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "byte_start" number: 2 type: TYPE_UINT64 label: LABEL_OPTIONAL }
      field { name: "byte_end" number: 3 type: TYPE_UINT64 label: LABEL_OPTIONAL } }
    message_type { name: "Keys"
      field { name: "keys" number: 1 type: TYPE_STRING label: LABEL_REPEATED }
      field { name: "key_ranges" number: 2 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".theirs.KeyRange" } }
"""


def _classes() -> dict[str, Any]:
    from google.protobuf import text_format

    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(PROTO, descriptor_pb2.FileDescriptorProto()))
    names = ("KeyValue", "KeyValues", "KeyRange", "Keys")
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"theirs.{name}")) for name in names}


THEIRS = _classes()


def _theirs(pairs: list[tuple[str, bytes]]) -> Any:
    return THEIRS["KeyValues"](kvs=[THEIRS["KeyValue"](key=key, value=value) for key, value in pairs])


@given(PAIRS)
def test_we_write_what_the_library_writes(pairs: list[tuple[str, bytes]]) -> None:
    ours = encode_keyvalues(pairs)
    assert [(pair.key, pair.value) for pair in THEIRS["KeyValues"].FromString(ours).kvs] == pairs
    if all(key for key, _ in pairs):  # an empty key may be written or left out
        assert ours == _theirs(pairs).SerializeToString()


@given(PAIRS)
def test_we_read_what_the_library_writes(pairs: list[tuple[str, bytes]]) -> None:
    assert parse_keyvalues(_theirs(pairs).SerializeToString()) == pairs


@given(st.lists(KEYS, max_size=5), st.lists(st.tuples(KEYS, POSITIONS, POSITIONS), max_size=5))
def test_keys_come_first_then_parts_of_values(keys: list[str], parts: list[tuple[str, int, int]]) -> None:
    ranges = [THEIRS["KeyRange"](key=key, byte_start=start, byte_end=end) for key, start, end in parts]
    body = THEIRS["Keys"](keys=keys, key_ranges=ranges).SerializeToString()
    plain: list[tuple[str, Span | None]] = [(key, None) for key in keys]
    assert parse_keys(body) == [*plain, *((key, Span(start, end)) for key, start, end in parts)]


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for parse in (parse_keyvalues, parse_keys):
        try:
            found: list[Any] = list(parse(body))
        except BadRequest:
            continue
        assert isinstance(found, list)


def test_a_key_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse_keyvalues(b"\x0a\x04\x0a\x02\xff\xfe")


def test_fields_of_other_times_are_ignored() -> None:
    assert parse_keyvalues(b"\x0a\x06\x0a\x01a\x12\x01b\x1a\x03xyz") == [("a", b"b")]
