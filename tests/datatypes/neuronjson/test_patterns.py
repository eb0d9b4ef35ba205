from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.neuronjson import patterns
from dvidpy.datatypes.neuronjson.patterns import Pattern, Texts
from dvidpy.errors import BadRequest

ATOMS = ["a", "b", "é", ".", "[^a]", "\\s", "\\W", "\\b", "^", "$", "(a|b)", "(?:ab)", "\\A", "\\z", "(?i:A)", "(?s:.)"]
EXPRESSIONS = st.lists(st.sampled_from([*ATOMS, *(f"{atom}*" for atom in ATOMS[:7]), "|"]), max_size=5).map("".join)
TEXTS = st.lists(st.text("abé \n", max_size=6), max_size=8)


def later() -> float:
    return time.monotonic() + 30


@given(EXPRESSIONS, TEXTS)
def test_texts_together_match_as_each_does_alone(expression: str, texts: list[str]) -> None:
    pattern = Pattern(expression)
    alone = [at for at, text in enumerate(texts) if pattern.one.search(text.encode())]
    assert sorted(Texts(texts).matching(pattern, later())) == alone


@pytest.mark.parametrize("expression", ["^KC", "C_[LR]$", "", "7", "K.*R"])
def test_many_lines_match_as_with_pythons_own(expression: str) -> None:
    texts = [f"KC{number}_{'LR'[number % 2]}" for number in range(20_000)]
    expected = [at for at, text in enumerate(texts) if re.search(expression, text)]
    assert list(Texts(texts).matching(Pattern(expression), later())) == expected


@pytest.mark.parametrize(
    "expression", ["(", "a{2000}", "a)|(b", "(?<=a)b", "[a-z]{1,200}[^x]{1,200}y", "x" * 1001, "\ud800"]
)
def test_what_is_none_or_too_much_is_refused(expression: str) -> None:
    with pytest.raises(BadRequest):
        Pattern(expression)


@pytest.mark.parametrize("expression", ["(x+x+)+y", "(.?){60}z", "\\A(x+x+)+y"])
def test_nothing_makes_it_slow(expression: str) -> None:
    texts = Texts(["x" * 40] * 2000)
    started = time.process_time()
    assert list(texts.matching(Pattern(expression), later())) == []
    assert time.process_time() - started < 5


def test_it_gives_up_when_time_is_over() -> None:
    texts = Texts(["x" * patterns.CHUNK] * 3)
    with pytest.raises(BadRequest, match="too long"):
        list(texts.matching(Pattern("y"), time.monotonic() - 1))
    with pytest.raises(BadRequest, match="too long"):
        list(texts.matching(Pattern("\\Ay"), time.monotonic() - 1))
