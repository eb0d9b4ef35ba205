from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import SIZES, VOLUMES, Volume

from dvidpy.kernels.label_edits import choose, choose_plain, vote, vote_plain
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
