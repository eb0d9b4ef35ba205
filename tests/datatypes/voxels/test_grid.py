from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.voxels.grid import index_key, index_of, is_index, row_spans
from dvidpy.geometry import HIGHEST, LOWEST, Box

indices = st.tuples(*[st.integers(LOWEST, HIGHEST)] * 3)


@given(indices)
def test_keys_give_their_index_back(index: tuple[int, int, int]) -> None:
    assert is_index(index)
    assert index_of(b"\x01" + index_key(index)) == index


@given(indices, indices)
def test_keys_sort_as_indices_do(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert (index_key(one) < index_key(other)) == (one < other)


@given(
    st.tuples(*[st.integers(-3, 3)] * 3),
    st.tuples(*[st.integers(1, 3)] * 3),
    st.tuples(*[st.integers(-4, 6)] * 3),
)
def test_spans_of_rows_hold_the_box_and_nothing_else(
    start: tuple[int, int, int], size: tuple[int, int, int], index: tuple[int, int, int]
) -> None:
    box = Box(start, size)
    key = b"\x01" + index_key(index)
    held = [low <= key < high for low, high in row_spans(b"\x01", box)]
    assert sum(held) == all(low <= at < high for low, at, high in zip(start, index, box.stop, strict=True))


def test_the_last_row_of_all_has_an_end() -> None:
    ((low, high),) = row_spans(b"\x01", Box((HIGHEST, HIGHEST, HIGHEST), (1, 1, 1)))
    assert low == b"\x01" + b"\xff" * 12
    assert low < high <= b"\x02"


def test_numbers_beyond_the_grid_are_no_index() -> None:
    assert not is_index((0, 0, HIGHEST + 1))
    assert not is_index((LOWEST - 1, 0, 0))
