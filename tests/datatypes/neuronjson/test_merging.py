from __future__ import annotations

from typing import Any

import pytest

from dvidpy.datatypes.neuronjson.merging import Writer, demand_signs, merge, merged
from dvidpy.datatypes.neuronjson.records import Annotation, encode
from dvidpy.errors import BadRequest

OLD = {"bodyid": 7, "a": 1, "a_user": "ann", "a_time": "t0", "b": "x", "b_user": "ann", "b_time": "t0"}


def by(user: str = "bob", *conditional: str, replace: bool = False) -> Writer:
    return Writer(user, "t1", frozenset(conditional), replace)


@pytest.mark.parametrize(
    ("posted", "writer", "changed"),
    [
        ({}, by(), {}),
        ({"a": 1}, by(), {}),
        ({"a": True}, by(), {"a": True, "a_user": "bob", "a_time": "t1"}),
        ({"a": 2}, by(), {"a": 2, "a_user": "bob", "a_time": "t1"}),
        ({"a": None}, by(), {"a": None, "a_user": "bob", "a_time": "t1"}),
        ({"a": None, "a_user": None}, by(), {"a": None, "a_user": None, "a_time": "t1"}),
        ({"a": None, "a_user": "zoe"}, by(), {"a": None, "a_user": "zoe", "a_time": "t1"}),
        ({"a": 2, "a_time": "t9"}, by(), {"a": 2, "a_user": "bob", "a_time": "t9"}),
        ({"a_user": "zoe"}, by(), {"a_user": "zoe"}),
        ({"a_user": None}, by(), {"a_user": None}),
        ({"user": "x"}, by(), {"user": "x"}),
        ({"a": 2, "c": 3}, by("bob", "a", "c"), {"c": 3, "c_user": "bob", "c_time": "t1"}),
        ({"a": 1}, by(replace=True), {"b": None, "b_user": None, "b_time": None}),
        ({"a": 2, "b": "x"}, by("bob", "a", replace=True), {"a": 2, "a_user": "bob", "a_time": "t1"}),
    ],
)
def test_what_becomes_of_an_annotation(posted: dict[str, Any], writer: Writer, changed: dict[str, Any]) -> None:
    expected = {field: value for field, value in (OLD | changed).items() if value is not None}
    assert merge(OLD, {"bodyid": 7} | posted, writer) == expected
    assert OLD["a"] == 1


def test_a_first_annotation() -> None:
    assert merge(None, {"bodyid": 7, "a": 1, "user": "x", "n": None}, by()) == {
        "bodyid": 7,
        "a": 1,
        "a_user": "bob",
        "a_time": "t1",
        "user": "x",
        "n_user": "bob",
        "n_time": "t1",
    }
    assert merge(None, {"bodyid": 7, "a_user": "zoe"}, by()) == {"bodyid": 7, "a_user": "zoe", "a_time": "t1"}


def test_replacing_signs_a_field_named_user() -> None:
    new = merge({"bodyid": 7}, {"bodyid": 7, "user": "x"}, by(replace=True))
    assert new == {"bodyid": 7, "user": "x", "user_user": "bob", "user_time": "t1"}


@pytest.mark.parametrize("posted", [{"a_time": 5}, {"a_user": ["x"]}, {"bodyid_user": "x"}, {"bodyid_time": None}])
def test_who_and_when_must_be_texts(posted: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        demand_signs(posted)


@pytest.mark.parametrize(
    "posted",
    [{}, {"b": 1, "a": [1, {"x": 2.5}]}, {"a": None, "b": 1}, {"a": 1, "a_user": "zoe"}, {"user": "x", "ü": "é"}],
)
@pytest.mark.parametrize("old", [None, {"bodyid": 7, "a": 1, "a_user": "ann", "a_time": "t0"}])
def test_the_stored_form_is_that_of_the_new_annotation(old: Annotation | None, posted: Annotation) -> None:
    posted = {"bodyid": 7} | posted
    for writer in (by(), by(replace=True)):
        wanted = encode(merge(old, posted, writer))
        assert merged(None if old is None else encode(old), posted, writer) == wanted
