from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.storage import keys

TEXTS = st.binary(max_size=12) | st.lists(st.sampled_from([b"\x00", b"\x01", b"\xff", b"a"])).map(b"".join)
VERSIONS = st.integers(1, keys.NEWEST)


@given(TEXTS, TEXTS)
def test_escaped_texts_sort_as_the_texts_do(one: bytes, other: bytes) -> None:
    assert (keys.escape(one) < keys.escape(other)) == (one < other)


@given(TEXTS, TEXTS)
def test_no_escaped_text_is_the_beginning_of_another(one: bytes, other: bytes) -> None:
    assert one == other or not keys.escape(other).startswith(keys.escape(one))


@given(TEXTS)
def test_escaping_loses_nothing(text: bytes) -> None:
    assert keys.unescape(keys.escape(text)) == text


@given(VERSIONS, VERSIONS, st.sampled_from(keys.KINDS))
def test_the_newest_version_of_a_row_comes_first(one: int, other: int, kind: int) -> None:
    assert (keys.cell(one, kind) < keys.cell(other, kind)) == (one > other)
    assert keys.split_cell(b"row" + keys.cell(one, kind)) == (one, kind)


@given(TEXTS, TEXTS, VERSIONS, st.sampled_from(keys.KINDS))
def test_past_lies_behind_a_row_and_before_the_next(one: bytes, other: bytes, version: int, kind: int) -> None:
    row, following = sorted((keys.escape(one), keys.escape(other)))
    assert row + keys.cell(version, kind) < row + keys.PAST
    assert row == following or row + keys.PAST < following + keys.cell(version, kind)


@given(st.binary(min_size=1, max_size=6).filter(lambda prefix: prefix.strip(b"\xff") != b""), st.binary(max_size=6))
def test_after_lies_behind_all_that_begin_so(prefix: bytes, rest: bytes) -> None:
    assert prefix + rest < keys.after(prefix)
    assert not keys.after(prefix).startswith(prefix)


@pytest.mark.parametrize(
    ("key", "space"),
    [
        (keys.META + b"\x10" + bytes(4), "meta"),
        (keys.instance_prefix(7) + b"\x01" + keys.escape(b"a") + keys.cell(3), "data"),
        (keys.part_key(7, bytes(16), 0), "parts"),
        (keys.mutation_key(1), "mutations"),
        (keys.queue_key(1, 1), "queue"),
        (keys.blob_key(bytes(16), 0), "blobs"),
    ],
)
def test_every_space_is_known(key: bytes, space: str) -> None:
    assert keys.parse(key) == space


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\x00",
        b"key",
        keys.instance_prefix(7),
        keys.instance_prefix(7) + b"\x01" + keys.cell(3, 9),
        keys.part_key(7, bytes(16), 0)[:-1],
        keys.mutation_key(1) + b"\x00",
    ],
)
def test_other_keys_are_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="none of ours"):
        keys.parse(key)
