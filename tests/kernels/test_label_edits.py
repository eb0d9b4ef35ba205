from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import SIZES, VOLUMES, Volume

from dvidpy.datatypes.labels.blocks import from_volume
from dvidpy.kernels.label_edits import choose, choose_plain, vote, vote_block, vote_block_plain, vote_plain
from dvidpy.kernels.label_runs import bits_of

FEW = settings(max_examples=30)


@FEW
@given(st.integers(0, 2**32), SIZES, st.integers(1, 9))
def test_labels_are_chosen_by_a_mask(seed: int, size: tuple[int, int, int], labels: int) -> None:
    draw = np.random.default_rng(seed)
    places = draw.integers(0, labels, size, np.uint64)
    inside, table = draw.random(size) < 0.5, draw.integers(0, 2**63, (labels, 2), np.uint64)
    found, twin, twin_voxels = places.copy(), places.copy(), np.zeros((labels, 2), np.int64)
    voxels = choose(found, bits_of(inside), table)
    choose_plain(twin, bits_of(inside), table, twin_voxels)
    assert np.array_equal(found, np.where(inside, table[places, 1], table[places, 0]))
    assert np.array_equal(found, twin)
    assert np.array_equal(voxels, twin_voxels)
    assert voxels[:, 1].sum() == inside.sum()


@FEW
@given(VOLUMES, st.sampled_from([2, 5, 2**40]))
def test_votes_agree_with_the_plain_twin(voxels: Volume, values: int) -> None:
    for labels in (voxels, voxels % np.uint64(values)):
        out, twin = (
            np.empty([side // 2 for side in labels.shape], np.uint64),
            np.empty([side // 2 for side in labels.shape], np.uint64),
        )
        vote(labels.transpose(2, 1, 0).copy().transpose(2, 1, 0), out)
        vote_plain(labels, twin)
        assert np.array_equal(out, twin)


@FEW
@given(VOLUMES, st.sampled_from([1, 2, 3, 5, 2**40]), st.booleans())
def test_votes_of_a_stored_block_are_those_of_its_voxels(voxels: Volume, values: int, up: bool) -> None:
    labels = voxels % np.uint64(values) + np.uint64(up)
    block = from_volume(labels)
    counts, indices, packed = block.counts, block.indices, block.values
    if not counts.size:
        return
    grid = np.array(labels.shape) // 8
    wide = np.full(labels.shape, 7, np.uint64)  # of which a part is written
    out = wide[tuple(slice(0, side // 2) for side in labels.shape)]
    vote_block(counts, indices, packed, block.labels, grid, out)
    twin, expected = np.empty(out.shape, np.uint64), np.empty(out.shape, np.uint64)
    vote_block_plain(counts, indices, packed, block.labels, grid, twin)
    vote_plain(labels, expected)
    assert np.array_equal(out, expected)
    assert np.array_equal(twin, expected)
    wide[tuple(slice(0, side // 2) for side in labels.shape)] = 7
    assert (wide == 7).all()


def test_votes_of_sub_blocks_with_few_and_with_all_entries() -> None:
    draw = np.random.default_rng(3)
    for most in (2, 3, 130, 512):
        for names in (np.arange(most), np.arange(most)[::-1], draw.permutation(most) + 1):
            labels = names.astype(np.uint64)[draw.integers(0, most, (16, 8, 8))]
            labels[:8].flat[:most] = names
            block, out = from_volume(labels), np.empty((8, 4, 4), np.uint64)
            vote_block(block.counts, block.indices, block.values, block.labels, np.array((2, 1, 1)), out)
            expected = np.empty_like(out)
            vote_plain(labels, expected)
            assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("voters", "winner"),
    [
        ([0] * 8, 0),
        ([0] * 7 + [5], 5),
        ([9, 9, 9, 9, 4, 4, 4, 4], 4),
        ([9, 9, 9, 0, 4, 4, 0, 0], 9),
        ([8, 7, 6, 5, 4, 3, 2, 1], 1),
        ([2**64 - 1] * 8, 2**64 - 1),
        ([7, 7, 3, 3, 2**64 - 1, 2**64 - 1, 0, 0], 3),
    ],
)
def test_who_wins(voters: list[int], winner: int) -> None:
    out = np.empty((1, 1, 1), np.uint64)
    vote(np.array(voters, np.uint64).reshape(2, 2, 2), out)
    assert out.item() == winner
