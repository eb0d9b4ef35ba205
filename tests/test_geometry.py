from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.errors import BadRequest
from dvidpy.geometry import (
    Box,
    box_between,
    demand_sensible,
    from_wire,
    parse_integer,
    parse_integers,
    parse_point,
    to_wire,
)

places = st.tuples(*[st.integers(-100, 100)] * 3)
sides = st.tuples(*[st.integers(1, 40)] * 3)


def test_points_turn_around_on_the_wire() -> None:
    assert parse_point("1_-2_3") == (3, -2, 1)
    assert parse_point("1,2,+3", ",") == (3, 2, 1)
    assert to_wire(from_wire([4, 5, 6])) == [4, 5, 6]


@pytest.mark.parametrize(
    "text", ["", "1_2", "1_2_3_4", "a_2_3", "1__3", "1_2_", "1_2_3 ", "1.5_2_3", "٣_2_3", "0x1_2_3"]
)
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_point(text)


@pytest.mark.parametrize("text", ["2147483648", "-2147483649", "9" * 5000, "1_0", "--1", "1e3", "nan"])
def test_numbers_beyond_32_bits_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_integer(text)


def test_the_whole_range_of_32_bits_is_taken() -> None:
    assert parse_integers("-2147483648_2147483647", 2) == (-(1 << 31), (1 << 31) - 1)


@given(places, sides, sides)
def test_blocks_of_a_box_are_those_its_voxels_lie_in(
    start: tuple[int, int, int], size: tuple[int, int, int], block: tuple[int, int, int]
) -> None:
    box = Box(start, size)
    blocks = box.blocks(block)
    for axis in range(3):
        touched = np.unique(np.arange(start[axis], start[axis] + size[axis]) // block[axis])
        assert touched.tolist() == list(range(blocks.start[axis], blocks.stop[axis]))
    assert blocks.voxels(block).is_aligned(block)
    assert box.is_aligned(block) == (blocks.voxels(block) == box)


def test_parts_of_a_box() -> None:
    box = box_between((-2, 0, 5), (2, 2, 7))
    assert box == Box((-2, 0, 5), (4, 2, 2))
    assert box.volume == 16
    assert list(box.points())[:3] == [(-2, 0, 5), (-2, 0, 6), (-2, 1, 5)]
    assert list(box.rows())[:3] == [(-2, 0), (-2, 1), (-1, 0)]
    assert box.layer(0, 32) == Box((0, 0, 5), (2, 2, 2))


@pytest.mark.parametrize(
    "box", [Box((0, 0, 0), (1, 0, 1)), Box((0, 0, 0), (1, 1, -1)), Box((0, 0, (1 << 31) - 1), (1, 1, 2))]
)
def test_boxes_without_voxels_or_beyond_the_coordinates_are_refused(box: Box) -> None:
    with pytest.raises(BadRequest):
        demand_sensible(box)


def test_a_box_may_end_at_the_last_coordinate() -> None:
    box = Box((0, 0, (1 << 31) - 2), (1, 1, 2))
    assert demand_sensible(box) is box
