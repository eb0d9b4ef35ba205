from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.neuronjson import records
from dvidpy.datatypes.neuronjson.records import Shown, decode, encode, parse, shown
from dvidpy.errors import BadRequest, TooLarge

FIELDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(["a", "a_user", "a_time"])
NUMBERS = st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(FIELDS, VALUES, max_size=6))
def test_what_is_stored_comes_back(annotation: dict[str, Any]) -> None:
    plain = parse(json.dumps(annotation).encode())
    assert plain == annotation
    assert decode(encode(plain)) == plain
    everything = json.loads(Shown(user=True, time=True).of(encode(plain)))
    assert everything == plain


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2.0", "2"),
        ("-0.5", "-0.5"),
        ('[2.0,{"x":3e2}]', '[2,{"x":300}]'),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "18446744073709552000.0"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1e300", "1e300"),
        ("true", "true"),
    ],
)
def test_whole_numbers_are_kept_as_such(text: str, kept: str) -> None:
    stored = encode(parse(b'{"a":%b}' % text.encode()))
    assert json.loads(Shown().of(stored)) == {"a": json.loads(kept)}
    assert type(json.loads(Shown().of(stored))["a"]) is type(json.loads(kept))


@pytest.mark.parametrize("text", ["", "[]", "5", "null", "{", '{"a":' + "[" * 200 + "]" * 200 + "}", '{"a":NaN}'])
def test_what_is_no_annotation_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse(text.encode())


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LARGEST", 50)
    with pytest.raises(TooLarge):
        parse(b'{"a":"%b"}' % (b"x" * 60))
    with pytest.raises(TooLarge):
        encode({"a": "x" * 30, "a_user": "y" * 30})


def test_what_is_shown() -> None:
    stored = encode({"bodyid": 7, "a": 1, "a_user": "ann", "a_time": "t", "b": 2, "b_user": "bob"})
    assert shown("user", "").of(stored) == b'{"a":1,"a_user":"ann","b":2,"b_user":"bob","bodyid":7}'
    assert shown("time", "").of(stored) == b'{"a":1,"a_time":"t","b":2,"bodyid":7}'
    assert shown("all", "a").of(stored) == b'{"a":1,"a_time":"t","a_user":"ann","bodyid":7}'
    assert shown("", "b_user,x").of(stored) == b'{"b_user":"bob","bodyid":7}'
    assert shown("none", "").of(stored) == b'{"a":1,"b":2,"bodyid":7}'


@given(
    st.dictionaries(FIELDS, VALUES, max_size=6),
    st.lists(FIELDS | st.sampled_from(['q"', "\n"]), min_size=1, max_size=3),
)
def test_fields_are_picked_as_from_a_dictionary(annotation: dict[str, Any], fields: list[str]) -> None:
    plain = parse(json.dumps(annotation | {"bodyid": 7, 'q"': 1}).encode())
    expected = {name: value for name, value in plain.items() if name in ("bodyid", *fields)}
    assert json.loads(Shown(fields=tuple(fields)).of(encode(plain))) == expected
    assert Shown(fields=tuple(fields)).of(encode(plain)) == records.to_json(expected)


def test_many_fields_are_picked_too() -> None:
    names = [f"f{number:03}" for number in range(100)]
    stored = encode({"bodyid": 7} | dict.fromkeys(names, 1))
    assert shown("", ",".join(names[:80])).of(stored) == records.to_json({"bodyid": 7} | dict.fromkeys(names[:80], 1))
