from __future__ import annotations

import re
import time

import numpy as np
import pytest
import re2
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


def of(texts: list[str], others: int = 0) -> Texts:
    """Texts, of which the last are given apart."""
    some = [text.encode() for text in texts[: len(texts) - others]]
    bounds = np.cumsum([0, *map(len, some)], dtype=np.int64)
    return Texts(np.frombuffer(b"".join(some), np.uint8), bounds, texts[len(texts) - others :])


@given(EXPRESSIONS, TEXTS, st.sampled_from([0, patterns.FEW]))
def test_texts_together_match_as_each_does_alone(expression: str, texts: list[str], few: int) -> None:
    alone = [at for at, text in enumerate(texts) if re2.search(expression.encode(), text.encode())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "FEW", few)
        assert of(texts, len(texts) // 2).matching(Pattern(expression), later()).tolist() == alone


@pytest.mark.parametrize("expression", ["^KC", "C_[LR]$", "", "7", "K.*R"])
def test_many_texts_match_as_with_pythons_own(expression: str) -> None:
    texts = [f"KC{number}_{'LR'[number % 2]}" for number in range(20_000)]
    expected = [at for at, text in enumerate(texts) if re.search(expression, text)]
    assert of(texts).matching(Pattern(expression), later()).tolist() == expected


@pytest.mark.parametrize(
    "expression", ["(", "a{2000}", "a)|(b", "(?<=a)b", "[a-z]{1,200}[^x]{1,200}y", "x" * 1001, "\ud800"]
)
def test_what_is_none_or_too_much_is_refused(expression: str) -> None:
    with pytest.raises(BadRequest):
        Pattern(expression)


@pytest.mark.parametrize("expression", ["(x+x+)+y", "(.?){60}z", "\\A(x+x+)+y"])
def test_nothing_makes_it_slow(expression: str) -> None:
    texts = of(["x" * 40] * 2000)
    started = time.process_time()
    assert not len(texts.matching(Pattern(expression), later()))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("few", [0, patterns.FEW])
def test_it_gives_up_when_time_is_over(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "FEW", few)
    texts = of(["x" * patterns.CHUNK] * 3)
    with pytest.raises(BadRequest, match="too long"):
        texts.matching(Pattern("y"), time.monotonic() - 1)
