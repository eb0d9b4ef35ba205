from __future__ import annotations

import numpy as np
import pytest

from dvidpy.datatypes.voxels.kinds import KINDS

KIND = {kind.name: kind for kind in KINDS}


def test_channels_are_values_of_a_last_axis() -> None:
    rgba = KIND["rgba8"]
    voxels = np.array([[0x04030201, 0x08070605]], "<u4")
    assert rgba.values(voxels).tolist() == [[[1, 2, 3, 4], [5, 6, 7, 8]]]
    assert (rgba.voxels(rgba.values(voxels)) == voxels).all()


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("uint8", [0.49, 0.5, 254.5, 300.0, -3.0], [0, 1, 255, 255, 0]),
        ("uint16", [65535.4, 65536.0], [65535, 65535]),
        ("uint64", [float(2**64), float(2**64 - 2048), 1.5], [2**64 - 1, 2**64 - 2048, 2]),
        ("float32", [0.5, -1.25], [0.5, -1.25]),
    ],
)
def test_numbers_are_rounded_and_kept_within_the_voxel(name: str, given: list[float], kept: list[float]) -> None:
    assert KIND[name].voxels(np.array(given)).tolist() == kept
