from __future__ import annotations

import numpy as np
import pytest

from dvidpy.datatypes.voxels.kinds import KINDS
from dvidpy.datatypes.voxels.resample import source_size, stretch

KIND = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize(
    ("across", "down", "expected"),
    [(8, 8, (20, 60)), (4, 40, (20, 6)), (40, 4, (2, 60)), (1, 1000, (20, 1)), (1000, 1, (1, 60))],
)
def test_the_finer_resolution_counts(across: float, down: float, expected: tuple[int, int]) -> None:
    assert source_size(20, 60, across, down) == expected


def test_stretching_is_linear_between_centres() -> None:
    found = stretch(KIND["uint8"], np.array([[0, 100]], np.uint8), 4, 1)
    assert found.tolist() == [[0, 25, 75, 100]]


def test_stretching_nothing_keeps_the_voxels() -> None:
    voxels = np.array([[2**64 - 1, 7]], "<u8")
    assert stretch(KIND["uint64"], voxels, 2, 1) is voxels
    assert stretch(KIND["uint64"], voxels, 2, 3).tolist() == [[2**64 - 1, 7]] * 3


def test_channels_are_stretched_one_by_one() -> None:
    voxels = np.array([[[0, 10, 20, 30]], [[100, 20, 20, 90]]], np.uint8).view("<u4")[..., 0]
    found = stretch(KIND["rgba8"], voxels, 1, 4)
    assert KIND["rgba8"].values(found)[1, 0].tolist() == [25, 13, 20, 45]
