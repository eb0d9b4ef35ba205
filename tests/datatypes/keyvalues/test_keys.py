"""Keys and their place in the store."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.datatypes.keyvalues.keys import FIRST, LONGEST, PAST, key_of, span, typekey
from dvidpy.errors import BadRequest

ODD = st.text(st.sampled_from("\x00\x01\x02aé\x7f\uffff\U0001f41f\"' "), min_size=1, max_size=5)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | ODD


@given(KEYS)
@example("\x00")
@example("\x00\x01")
def test_a_key_comes_back_as_it_was(key: str) -> None:
    assert key_of(typekey(key)) == key
    assert FIRST <= typekey(key) < PAST


@given(KEYS, KEYS)
@example("a", "a\x00")
@example("a\x00", "a\x01")
@example("a\x00\x00", "a\x00")
def test_places_sort_as_keys_do_by_bytes(one: str, other: str) -> None:
    assert (typekey(one) < typekey(other)) == (one.encode() < other.encode())


@given(KEYS, KEYS)
@example("a", "a\x00")
@example("a", "a\x01")
def test_no_place_is_the_beginning_of_another(one: str, other: str) -> None:
    assert one == other or not typekey(other).startswith(typekey(one))


@given(KEYS | st.just(""), KEYS | st.just(""), st.lists(KEYS, max_size=10))
@example("a", "a", ["a", "a\x00", "a\x01", "aa"])
@example("a\x00", "b", ["a", "a\x00", "a\x00\x00", "b", "b\x00"])
def test_a_span_holds_the_keys_between_its_ends_and_both_ends(first: str, last: str, keys: list[str]) -> None:
    start, stop = span(first, last)
    assert [start <= typekey(k) < stop for k in keys] == [first.encode() <= k.encode() <= last.encode() for k in keys]


@pytest.mark.parametrize("key", ["", "\ud800", "x" * (LONGEST + 1), "é" * (LONGEST // 2 + 1)])
def test_what_can_be_no_key(key: str) -> None:
    with pytest.raises(BadRequest):
        typekey(key)


def test_the_longest_key() -> None:
    assert key_of(typekey("x" * LONGEST)) == "x" * LONGEST
