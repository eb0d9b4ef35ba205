"""Settings as clients send them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.settings import Given, read_json, read_settings
from dvidpy.errors import BadRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def test_keys_ignore_letter_case() -> None:
    found = read_settings(b'{"TypeName":"keyvalue","DATANAME":"x"}')
    assert (found.need("typename"), found.need("dataname"), found.text("other")) == ("keyvalue", "x", None)


@pytest.mark.parametrize("body", [b"", b" \n\t"])
def test_no_body_is_no_settings(body: bytes) -> None:
    assert read_settings(body).text("a") is None


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"x"', b"{", b"\xff", b"[" * 5000, b'{"a":"\\ud800"}'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_settings(body)


@pytest.mark.parametrize("value", [5, None, True, [], {}, 1.5])
def test_texts_must_be_texts(value: Any) -> None:
    for read in ("text", "need", "number", "numbers", "floats"):
        with pytest.raises(BadRequest):
            getattr(Given({"A": value}), read)("a")
    with pytest.raises(BadRequest):
        Given({"Tags": value}).tags()


def test_what_is_needed_must_be_there_and_not_empty() -> None:
    for values in ({}, {"a": ""}):
        with pytest.raises(BadRequest, match="'a' is missing"):
            Given(values).need("a")


def test_numbers() -> None:
    found = Given({"a": "5", "b": "1,2,3", "c": "1.5,2,-3"})
    assert (found.number("a"), found.numbers("b"), found.floats("c")) == (5, (1, 2, 3), (1.5, 2.0, -3.0))
    assert (found.number("x"), found.numbers("x"), found.floats("x")) == (None, None, None)
    assert found.numbers("a", 1) == (5,)


@pytest.mark.parametrize("text", ["", "x", "1,2", "1,2,3,4", "1_2_3", "1.5,2,3", "9" * 5000, ",,"])
def test_what_are_no_numbers(text: str) -> None:
    with pytest.raises(BadRequest):
        Given({"a": text}).numbers("a")
    with pytest.raises(BadRequest):
        Given({"a": text + "x"}).number("a")


@pytest.mark.parametrize("value", [True, "true", "TRUE", "1", "True"])
def test_truths(value: Any) -> None:
    assert Given({"Versioned": value}).flag("versioned", default=False) is True


@pytest.mark.parametrize("value", [False, "false", "FALSE", "0"])
def test_untruths(value: Any) -> None:
    assert Given({"Versioned": value}).flag("versioned", default=True) is False


@pytest.mark.parametrize("value", [0, 1, None, "", "no", "yes", [], {}])
def test_what_is_neither(value: Any) -> None:
    with pytest.raises(BadRequest):
        Given({"versioned": value}).flag("versioned", default=True)
    assert Given({}).flag("versioned", default=True) is True


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("a=b,c=d", {"a": "b", "c": "d"}),
        ("", {}),
        ("junk,=x,a=,b=c=d,e=f", {"a": "", "e": "f"}),
        ("a=1,a=2", {"a": "2"}),
    ],
)
def test_tags(text: str, tags: dict[str, str]) -> None:
    assert Given({"Tags": text}).tags() == tags


@given(st.dictionaries(st.sampled_from(["a", "Tags", "x"]), JSON))
def test_any_settings_are_read_or_refused(values: dict[str, Any]) -> None:
    found = Given(values)
    for read in (found.text, found.need, found.number, found.numbers, found.floats, lambda _: found.tags()):
        with suppress(BadRequest):
            read("a")


@given(st.binary(max_size=30))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with suppress(BadRequest):
        read_json(body)
