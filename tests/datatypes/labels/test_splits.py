from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import volume

from dvidpy.datatypes.labels import blocks
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.masks import full_mask, mask_of_runs
from dvidpy.datatypes.labels.splits import Cut, Sizes, sizes_under, split
from dvidpy.kernels.label_runs import voxels_of

SIZE = (16, 16, 16)
PLAIN = volume(4, SIZE, 5, run=7)
LABELS = np.unique(PLAIN).tolist()
BLOCK = blocks.from_volume(PLAIN)
RUNS = st.lists(st.tuples(*[st.integers(-4, 18)] * 3, st.integers(1, 20)), min_size=1, max_size=60)


@settings(max_examples=40)
@given(RUNS, st.sets(st.sampled_from([*LABELS, 99])))
def test_labels_are_cut_by_a_mask(runs: list[tuple[int, int, int, int]], targets: set[int]) -> None:
    mask = mask_of_runs(np.array(runs, np.int32), (0, 0, 0), SIZE)
    cuts = {label: Cut(1000 + label % 1000, 3000 + label % 1000) for label in targets}
    found, sizes = split(BLOCK, mask, cuts)
    inside, expected = voxels_of(mask.bits, mask.grid), PLAIN.copy()
    for label, cut in cuts.items():
        expected[(label == PLAIN) & inside] = cut.split
        expected[(label == PLAIN) & ~inside] = cut.remain
    assert np.array_equal(blocks.to_volume(found), expected)
    counted = {
        label: Sizes(int(((label == PLAIN) & inside).sum()), int(((label == PLAIN) & ~inside).sum()))
        for label in targets
    }
    assert sizes == {label: size for label, size in counted.items() if sum(size)}
    under = {label: int(((label == PLAIN) & inside).sum()) for label in LABELS if label}
    assert sizes_under(BLOCK, mask) == {label: size for label, size in under.items() if size}


def test_without_a_mask_labels_are_replaced_in_the_head() -> None:
    label = LABELS[1]
    found, sizes = split(BLOCK, None, {label: Cut(5, 6)})
    assert found.values is BLOCK.values
    assert np.array_equal(blocks.to_volume(found), np.where(label == PLAIN, np.uint64(6), PLAIN))
    assert sizes == {label: Sizes(0, int((label == PLAIN).sum()))}


def test_a_solid_block_is_cut() -> None:
    mask = mask_of_runs(np.array([[3, 4, 5, 6]], np.int32), (0, 0, 0), SIZE)
    found, sizes = split(blocks.solid(7, SIZE), mask, {7: Cut(8, 9)})
    assert sizes == {7: Sizes(6, 4090)}
    assert [part.tolist() for part in blocks.count(found)] == [[8, 9], [6, 4090]]
    assert split(blocks.solid(7, SIZE), full_mask(SIZE), {7: Cut(8, 9)})[0].labels.tolist() == [8]


def test_a_label_that_stands_twice_in_the_head_is_counted_once() -> None:
    twice = BLOCK.with_labels(np.where(LABELS[0] == BLOCK.labels, np.uint64(LABELS[1]), BLOCK.labels))
    number = int(np.isin(PLAIN, LABELS[:2]).sum())
    assert split(twice, full_mask(SIZE), {LABELS[1]: Cut(1, 2)})[1] == {LABELS[1]: Sizes(number, 0)}


def test_sub_blocks_without_entries_have_no_label_to_cut() -> None:
    sparse = LabelBlock(
        (8, 8, 16), np.array([7, 7], np.uint64), np.array([0, 1], np.uint16), np.zeros(1, np.uint32), BLOCK.values[:0]
    )
    assert not sparse.is_solid
    assert [part.tolist() for part in blocks.count(sparse)] == [[0, 7], [512, 512]]
    found, sizes = split(sparse, full_mask(sparse.size), {7: Cut(8, 9)})
    assert sizes == {7: Sizes(512, 0)}
    assert [part.tolist() for part in blocks.count(found)] == [[0, 8], [512, 512]]
    assert sizes_under(sparse, full_mask(sparse.size)) == {7: 512}
