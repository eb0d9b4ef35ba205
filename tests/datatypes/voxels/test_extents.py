from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.voxels.extents import Extents, decode, read_extents
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box

places = st.tuples(*[st.integers(-50, 50)] * 3)
boxes = st.builds(Box, places, st.tuples(*[st.integers(1, 30)] * 3))


@given(st.lists(boxes, min_size=1, max_size=5))
def test_extents_grow_to_hold_every_box(given: list[Box]) -> None:
    extents = Extents()
    for box in given:
        extents = extents.grown(box)
    assert extents.MinPoint == [min(box.start[axis] for box in given) for axis in (2, 1, 0)]
    assert extents.MaxPoint == [max(box.stop[axis] for box in given) - 1 for axis in (2, 1, 0)]
    assert decode(extents.encode()) == extents


def test_indices_are_those_of_the_blocks() -> None:
    extents = read_extents(b'{"MinPoint": [-10, 5, 7], "MaxPoint": [20, 30, 40]}')
    assert extents.indices((32, 32, 32)) == {"MinIndex": [-1, 0, 0], "MaxIndex": [0, 0, 1]}
    assert Extents().indices((32, 32, 32)) == {"MinIndex": None, "MaxIndex": None}


def test_a_missing_point_counts_as_zero() -> None:
    assert read_extents(b'{"maxpoint": [1, 2, 3]}') == Extents([0, 0, 0], [1, 2, 3])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"3",
        b'{"MinPoint": 5}',
        b'{"MinPoint": [1, 2]}',
        b'{"MinPoint": [1, 2, "3"]}',
        b'{"MaxPoint": [1, 2, 2147483648]}',
        b'{"MaxPoint": [true, 2, 3]}',
        b'{"MaxPoint": [-1, 2, 3]}',
        b'{"MinPoint": [1.5, 2, 3]}',
    ],
)
def test_what_is_no_extents_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_extents(body)
