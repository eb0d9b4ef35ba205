"""What spans hold, beside a set of blocks that says the same slowly."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.datatypes.roi import region as region_module
from dvidpy.datatypes.roi.partition import Partition, Subvolume, equal, fitted
from dvidpy.datatypes.roi.region import EMPTY, SHOWN, Region, decode, parse_points, parse_spans
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, box_between

Spans = list[tuple[int, int, int, int]]
SPAN = st.tuples(st.integers(-3, 4), st.integers(-3, 4), st.integers(-9, 9), st.integers(0, 5))
SPANS = st.lists(SPAN.map(lambda s: (s[0], s[1], s[2], s[2] + s[3])), max_size=12)
LOW, HIGH = -(1 << 31), (1 << 31) - 1


def region_of(spans: Spans) -> Region:
    """As in older stores, where spans may overlap."""
    return decode(np.array(sorted(set(spans)), "<i4").reshape(-1, 4).T.tobytes())


def blocks_of(spans: Spans) -> set[tuple[int, int, int]]:
    return {(z, y, x) for z, y, first, last in spans for x in range(first, last + 1)}


def overlap(spans: Spans) -> bool:
    different = set(spans)
    return len(blocks_of(spans)) < sum(last - first + 1 for _, _, first, last in different)


@example([(0, 0, 5, 5), (0, 0, 1, 2), (0, 0, 1, 2)])
@example([(0, 0, 5, 5), (0, 0, 1, 9)])
@given(SPANS)
def test_spans_come_back_sorted_and_once_and_may_not_overlap(spans: Spans) -> None:
    body = json.dumps(spans).encode()
    if overlap(spans):
        with pytest.raises(BadRequest, match="overlap"):
            parse_spans(body)
        return
    region = parse_spans(body)
    assert json.loads(b"".join(region.as_json())) == [list(span) for span in sorted(set(spans))]
    assert (decode(region.encode()).columns == region.columns).all()


def test_long_lists_are_shown_in_pieces() -> None:
    spans = [[z, 0, 0, 0] for z in range(2 * SHOWN + 1)]
    pieces = list(parse_spans(json.dumps(spans).encode()).as_json())
    assert len(pieces) == 4
    assert json.loads(b"".join(pieces)) == spans


@example([(0, 0, 0, 9), (0, 0, 2, 3)])
@given(SPANS)
def test_blocks_inside(spans: Spans) -> None:
    box = box_between((-5, -5, -12), (7, 7, 18))
    expected = [block in blocks_of(spans) for block in box.points()]
    region = region_of(spans)
    assert region.holds(np.array(list(box.points()), np.int32)).tolist() == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(region_module, "MANY", 0)  # in a picture of the region
        assert region.holds(np.array(list(box.points()), np.int32)).tolist() == expected
    assert region.touched(box, (3, 4, 5), (3, 4, 5)).ravel().tolist() == expected


SIDES = st.tuples(*[st.integers(1, 7)] * 3)


@given(SPANS, SIDES, SIDES, st.tuples(*[st.integers(-20, 20)] * 3))
def test_blocks_of_another_size(spans: Spans, own: Any, block: Any, start: Any) -> None:
    """One counts as inside when any voxel of it is."""
    box = Box(start, (3, 4, 5))
    found = region_of(spans).touched(box, own, block)
    inside = blocks_of(spans)
    for index, here in zip(box.points(), found.ravel().tolist(), strict=True):
        voxels = Box(index, (1, 1, 1)).voxels(block)
        assert here == any(point in inside for point in voxels.blocks(own).points())


def test_coordinates_at_the_ends_of_32_bits() -> None:
    spans = [(LOW, LOW, LOW, LOW), (HIGH, HIGH, LOW, HIGH), (0, HIGH, HIGH, HIGH)]
    region = region_of(spans)
    points = np.array(
        [[LOW] * 3, [LOW, LOW, LOW + 1], [HIGH] * 3, [HIGH, HIGH, 0], [0, HIGH, HIGH], [0, 0, 0]], np.int32
    )
    assert region.holds(points).tolist() == [True, False, True, True, True, False]
    assert region.touched(Box((HIGH, HIGH, HIGH), (1, 1, 1)), (32, 32, 32), (32, 32, 32)).all()
    assert not region.touched(Box((HIGH + 1, HIGH, HIGH), (2, 1, 1)), (1, 1, 1), (1, 1, 1)).any()


def test_an_empty_region() -> None:
    assert EMPTY.holds(np.zeros((3, 3), np.int32)).tolist() == [False] * 3
    assert not EMPTY.touched(Box((0, 0, 0), (2, 2, 2)), (8, 8, 8), (8, 8, 8)).any()
    assert b"".join(EMPTY.as_json()) == b"[]"
    assert EMPTY.without_overlaps().shape == (4, 0)


@given(SPANS)
def test_overlaps_are_joined_and_no_block_is_lost(spans: Spans) -> None:
    found = region_of(spans).without_overlaps().T.tolist()
    assert blocks_of([(z, y, x, xx) for z, y, x, xx in found]) == blocks_of(spans)
    assert sum(xx - x + 1 for _, _, x, xx in found) == len(blocks_of(spans))


@pytest.mark.parametrize("body", ["[[0,0,5,1]]", "[[0,0,0,0],[0,0,1,0]]", "[[0,0,0]]", "[[0,0,0,0,0]]", "nul"])
def test_what_is_no_region(body: str) -> None:
    with pytest.raises(BadRequest):
        parse_spans(body.encode())


def test_what_is_no_point() -> None:
    assert parse_points(b"[[1,2,3]]").tolist() == [[3, 2, 1]]
    for body in (b"[[1,2]]", b"[[1,2,3,4]]", b"[[1,2,3.5]]", b"{}"):
        with pytest.raises(BadRequest):
            parse_points(body)


# ---------------------------------------------------------------------- partitions
def covered(subvolumes: list[Subvolume]) -> list[tuple[int, int, int]]:
    return [point for subvolume in subvolumes for point in subvolume.blocks.points()]


@example([(0, 0, 0, 2), (0, 0, 6, 20), (0, 1, 0, 0)], 4)
@example([(-3, 0, 0, 0), (4, 4, 9, 9)], 1)
@given(SPANS, st.integers(1, 9))
def test_fitted_subvolumes_cover_the_region_once(spans: Spans, batch: int) -> None:
    inside = blocks_of(spans)
    found = fitted(region_of(spans).without_overlaps(), batch)
    blocks = covered(found.subvolumes)
    assert len(blocks) == len(set(blocks)) == found.total
    assert inside <= set(blocks)
    for subvolume in found.subvolumes:
        assert subvolume.active == sum(point in inside for point in subvolume.blocks.points()) > 0


@given(SPANS, st.integers(1, 9))
def test_equal_subvolumes_cover_a_region_without_gaps(spans: Spans, batch: int) -> None:
    full = [(z, y, x, xx) for _, y, x, xx in spans for z in range(6)]
    inside = blocks_of(full)
    found = equal(region_of(full).without_overlaps(), batch)
    blocks = covered(found.subvolumes)
    assert len(blocks) == len(set(blocks)) <= found.total
    assert inside <= set(blocks)
    assert all(subvolume.blocks.size == (batch,) * 3 for subvolume in found.subvolumes)
    assert sum(subvolume.active for subvolume in found.subvolumes) == len(inside)


@pytest.mark.parametrize("divide", [equal, fitted])
def test_too_many_subvolumes_are_refused_before_they_are_made(divide: Any) -> None:
    with pytest.raises(BadRequest):
        divide(region_of([(0, 0, LOW, HIGH)]).columns, 1)
    far: Partition = divide(region_of([(LOW, LOW, LOW, LOW), (HIGH, HIGH, HIGH, HIGH)]).columns, 1)
    assert [subvolume.active for subvolume in far.subvolumes] == [1, 1]
    assert len(divide(region_of([(0, 0, LOW, HIGH)]).columns, HIGH).subvolumes) in (2, 3)


@pytest.mark.parametrize("divide", [equal, fitted])
@pytest.mark.parametrize("batch", [1, 64, 65536])
def test_a_crafted_region_takes_no_long_work(divide: Any, batch: int) -> None:
    """Thousands of spans through all of x, and thousands of short ones of as many rows."""
    through = [(z, y, LOW, LOW + (1 << 24)) for z in range(64) for y in range(64)]
    rows = [(100, y, 7 * y, 7 * y) for y in range(5000)]
    started = time.process_time()
    try:
        found = divide(region_of([*through, *rows]).columns, batch)
    except BadRequest:
        assert batch < 65536
    else:
        active = sum(subvolume.active for subvolume in found.subvolumes)
        assert active == 5000 + 64 * 64 * ((1 << 24) + 1)
    assert time.process_time() - started < 8
