from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import volume

from dvidpy.datatypes.labels import blocks, runs, several
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.masks import Mask, Masks, mask_of, mask_of_runs, masks_of
from dvidpy.datatypes.voxels.cutting import cut
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_runs import Runs

SIZE = (16, 16, 16)
START = (-16, 0, -32)
WHOLE = volume(3, (32, 16, 64), 6, run=11)
WHOLE[:16, :, 16:32] = WHOLE.max()
Voxels = set[Zyx]
COORDINATES = st.integers(-20, 20)
RUNS = st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES, st.integers(1, 30)), max_size=40).map(
    lambda found: np.array(found, np.int32).reshape(-1, 4)
)


def whole_blocks() -> list[tuple[Zyx, LabelBlock]]:
    return [(index, blocks.from_volume(piece)) for index, piece in cut(WHOLE, START, SIZE)]


def masks(wanted: list[int]) -> Masks:
    return masks_of(several.together(whole_blocks()), np.array(wanted, np.uint64))


def together(*found: tuple[Zyx, Mask]) -> Masks:
    flags, bits = (np.stack([mask[part] for _, mask in found]) for part in (1, 2))
    return Masks(found[0][1].size, [place for place, _ in found], flags, bits)


def voxels_of(some: Runs) -> list[Zyx]:
    return [(z, y, x + i) for x, y, z, length in some.tolist() for i in range(length)]


def expected(wanted: list[int], bounds: Box = runs.EVERYWHERE) -> Voxels:
    places = (np.argwhere(np.isin(WHOLE, wanted)) + START).tolist()
    inside = [
        all(low <= at < high for low, at, high in zip(bounds.start, place, bounds.stop, strict=True))
        for place in places
    ]
    return {(z, y, x) for (z, y, x), kept in zip(places, inside, strict=True) if kept}


WANTED = [[label] for label in np.unique(WHOLE).tolist()] + [np.unique(WHOLE).tolist()[:3], np.unique(WHOLE).tolist()]


@pytest.mark.parametrize("wanted", WANTED, ids=len)
@pytest.mark.parametrize("bounds", [runs.EVERYWHERE, Box((-9, 3, -30), (20, 4, 33)), Box((100, 0, 0), (1, 1, 1))])
def test_a_body_is_traced_across_blocks(wanted: list[int], bounds: Box) -> None:
    found = runs.traced(masks(wanted), bounds)
    voxels = voxels_of(found)
    assert set(voxels) == expected(wanted, bounds)
    assert len(voxels) == len(set(voxels)) == runs.voxels_in(found)
    assert len(runs.in_order(found)) == len(found), "runs were joined"
    assert sum(mask.voxels for _, mask in masks(wanted).each()) == len(expected(wanted))


def test_a_label_that_is_not_there_has_no_mask() -> None:
    assert [mask_of(block, np.array([123456789], np.uint64)) for _, block in whole_blocks()] == [None] * 8
    assert not len(runs.traced(masks([123456789])))


def test_blocks_that_do_not_follow_are_not_joined() -> None:
    full = Mask((8, 8, 8), np.ones(1, np.uint8), np.full((1, 64), 255, np.uint8))
    assert len(runs.traced(together(((0, 0, 0), full), ((0, 0, 2), full), ((0, 1, 0), full)))) == 3 * 64
    assert len(runs.traced(together(((0, 0, 0), full), ((0, 0, 1), full)))) == 64
    assert len(runs.traced(together(((0, 0, 0), full), ((0, 0, 1), full)), joined=False)) == 2 * 64
    assert full.is_full


@settings(max_examples=60)
@given(RUNS)
def test_runs_in_order_are_the_same_voxels(some: Runs) -> None:
    found = runs.in_order(some)
    voxels = voxels_of(found)
    assert voxels == sorted(set(voxels_of(some)))
    assert len(runs.in_order(found)) == len(found)
    if len(some):
        box = runs.box_of_runs(some)
        assert all(low == min(at) for low, at in zip(box.start, zip(*voxels, strict=True), strict=True))
        assert all(high == max(at) + 1 for high, at in zip(box.stop, zip(*voxels, strict=True), strict=True))


@given(RUNS, st.tuples(COORDINATES, COORDINATES, COORDINATES), st.tuples(*[st.integers(1, 20)] * 3))
def test_clipped_runs(some: Runs, start: Zyx, size: Zyx) -> None:
    box = Box(start, size)
    inside = [at for at in voxels_of(some) if all(a <= b < c for a, b, c in zip(start, at, box.stop, strict=True))]
    assert voxels_of(runs.clipped(some, box)) == inside


@settings(max_examples=60)
@given(RUNS)
def test_runs_are_dealt_to_blocks(some: Runs) -> None:
    grid = [(z, y, x) for z in range(-3, 3) for y in range(-3, 3) for x in range(-3, 7)]
    found: set[Zyx] = set()
    for block, mask in runs.dealt(some, grid, (8, 8, 8)):
        found |= set(voxels_of(runs.traced(together((block, mask)))))
        start = block[0] * 8, block[1] * 8, block[2] * 8
        assert np.array_equal(mask_of_runs(some, start, (8, 8, 8)).bits, mask.bits)
    assert found == set(voxels_of(some))


def test_runs_too_long_to_be_joined_are_refused() -> None:
    with pytest.raises(BadRequest, match="longer"):
        runs.in_order(np.array([[-(2**31), 0, 0, 2**31 - 1], [-1, 0, 0, 2**31 - 1]], np.int32))


def test_blocks_as_runs() -> None:
    assert runs.runs_of_blocks([(0, 0, 1), (0, 0, 0), (-1, 2, 5), (0, 0, 1)]).tolist() == [[5, 2, -1, 1], [0, 0, 0, 2]]
    assert runs.runs_of_blocks([]).shape == (0, 4)
