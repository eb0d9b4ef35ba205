"""Stored lists that change, by their text and taken apart, against a dictionary."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.annotation import elements, lists
from dvidpy.datatypes.annotation.elements import Element, Point
from dvidpy.datatypes.annotation.lists import Texts

POINTS = st.tuples(*[st.sampled_from([-2147483648, -1, 0, 1, 10, 11, 2147483647])] * 3)
NASTY = st.sampled_from(["", '{"Pos":[1,1,1]', ',{"Pos":[', '\\"}]', "ä", "]"])
ACTS = st.lists(st.tuples(st.sampled_from(["get", "put", "remove", "some"]), POINTS, NASTY), max_size=40)


def bare(at: Point, text: str) -> bytes:
    return elements.write(Element(Pos=at, Kind="Note", Tags=[text], Prop={text: text, "Pos": "[1,1,1]"})).bare


@given(st.dictionaries(POINTS, NASTY, max_size=8), ACTS, st.integers(0, 30))
def test_texts_do_what_a_dictionary_does(begun: dict[Point, str], acts: list[tuple[str, Point, str]], few: int) -> None:
    model = {at: bare(at, text) for at, text in begun.items()}
    stored = elements.write_list(model.values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "LONG", 1)
        patch.setattr(lists, "FEW", few)
        texts = Texts(stored)
        for act, at, text in acts:
            if act == "get":
                assert texts.get(at) == model.get(at)
            elif act == "put":
                texts.put(at, bare(at, text))
                model[at] = bare(at, text)
            elif act == "remove":
                assert texts.remove(at) is (model.pop(at, None) is not None)
            else:
                assert bool(texts) is bool(model)
            assert texts.stored() == elements.write_list(model.values())


def test_what_is_nothing_is_an_empty_list() -> None:
    for stored in (None, b"[]", b"null"):
        texts = Texts(stored)
        assert not texts
        assert texts.get((1, 2, 3)) is None
        texts.put((1, 2, 3), bare((1, 2, 3), ""))
        assert [one["Pos"] for one in msgspec.json.decode(texts.stored())] == [[1, 2, 3]]
