from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.kernels.rows import SMALL, parse_rows, parse_rows_plain

NUMBER = st.integers(-(1 << 31), (1 << 31) - 1)
ROWS = st.lists(st.tuples(NUMBER, NUMBER, NUMBER), max_size=6)
BLANKS = " \n\t\r" * (SMALL // 4 + 1)
"""They make any text long enough for the kernel."""
WRONG = [
    *("", "[", "]", "[[", "[]]", "[[]]", "{}", "5", "null", "[null]", "[5]", "[1,2,3]", "[[1,2,3],]", "[,[1,2,3]]"),
    *("[[1,2]]", "[[1,2,3,4]]", "[[1,2,3][4,5,6]]", "[[1,2,3]] x", "[[1,2,3],[4,5,6]", "[[1,2,3]}", "[[1,,3]]"),
    *(
        "[[1.0,2,3]]",
        "[[1e2,2,3]]",
        "[[01,2,3]]",
        "[[-,2,3]]",
        "[[+1,2,3]]",
        "[[--1,2,3]]",
        "[[1 1,2,3]]",
        "[[-01,2,3]]",
    ),
    *(
        "[[true,2,3]]",
        '[["1",2,3]]',
        "[[2147483648,2,3]]",
        "[[1,2,-2147483649]]",
        f"[[{'9' * 40},2,3]]",
        "[[1,2,3",
        "[[1,2",
    ),
    *(
        "[[1,2,3]\x0b]",
        "[[\x0c1,2,3]]",
        "[[1,2,3]]\0",
        "[[1,2,3],[]]",
        "[[1,2,3],[4]]",
        "[[[1,2,3]]]",
        "[" * 50,
        "[[1,2,٣]]",
    ),
]


@example([])
@example([(0, -1, 1 << 30), (-(1 << 31), (1 << 31) - 1, -0)])
@given(ROWS)
def test_the_kernel_agrees_with_its_plain_twin(rows: list[tuple[int, int, int]]) -> None:
    for text in (json.dumps(rows), json.dumps(rows, indent=1), json.dumps(rows, separators=(",", ":"))):
        small, large = parse_rows_plain(text.encode(), 3), parse_rows((BLANKS + text + BLANKS).encode(), 3)
        assert small.tolist() == large.tolist() == [list(row) for row in rows]
        assert small.dtype == large.dtype == np.int32
        assert small.shape == large.shape == (len(rows), 3)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_list_of_rows_is_refused_by_both(text: str) -> None:
    for padded in (text, BLANKS + text, text + BLANKS):
        with pytest.raises(ValueError, match=r"."):
            parse_rows(padded.encode(), 3)


def test_blanks_between_all_marks() -> None:
    text = " [ [ 1 , -2 , 3 ] , [ 4 , 5 , 6 ] ] "
    assert parse_rows((BLANKS + text).encode(), 3).tolist() == parse_rows_plain(text.encode(), 3).tolist()


@given(st.text("[]0123456789,- .e", max_size=30))
def test_both_agree_on_any_text(text: str) -> None:
    found = []
    for padded in (text, BLANKS + text):
        try:
            found.append(parse_rows(padded.encode(), 2).tolist())
        except ValueError:
            found.append("refused")
    assert found[0] == found[1]


def test_brackets_alone_take_no_memory_to_speak_of() -> None:
    with pytest.raises(ValueError, match="byte 2"):
        parse_rows(b"[" * 50_000_000, 4)
