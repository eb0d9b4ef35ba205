from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.kernels.json_lists import list_members, list_members_plain

TEXTS = st.sampled_from(["", "a", 'quo"te', "back\\", "[{,:]}", "é", " "])
VALUES = st.recursive(
    TEXTS | st.integers(-20, 20) | st.sampled_from([2.5, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
)


def bounds(text: bytes) -> list[tuple[int, int]]:
    return [(begin, end) for begin, end in list_members(np.frombuffer(text, np.uint8)).tolist()]


@example([[]], "\n")
@given(st.lists(VALUES, max_size=6), st.sampled_from(["", " ", "\n\t"]))
def test_members_begin_and_end_where_python_says(values: list[Any], blanks: str) -> None:
    dumped = json.dumps(values, separators=(f"{blanks},{blanks}", f"{blanks}:{blanks}"))
    text = f"{blanks}[{blanks}{dumped[1:-1]}{blanks}]{blanks}".encode()
    assert bounds(text) == list_members_plain(text)
    assert [json.loads(text[begin:end]) for begin, end in bounds(text)] == values


@pytest.mark.parametrize("text", ["", " ", "5", "{}", "[", "[1", "[1,", '["]', "[1]]", "[1] x", "[[]", "[}]", '["\\"]'])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON list"):
        list_members(np.frombuffer(text.encode(), np.uint8))


@pytest.mark.parametrize("text", ["[1 2]", "[,]", "[1,,2]", "[1,]", "[:]"])
def test_other_faults_are_left_to_who_reads_the_members(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra"):
        [json.loads(text[begin:end]) for begin, end in bounds(text.encode())]
