from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dvidpy.datatypes.base import TYPES, Data, DataType
from dvidpy.datatypes.registry import load_types
from dvidpy.geometry import Box


class Diagonal(Data):
    """A region of interest that holds the blocks with x = y = z."""

    def inside(self, blocks: Box, block: tuple[int, int, int]) -> np.ndarray:
        found = np.array([index[0] == index[1] == index[2] for index in blocks.points()])
        return found.reshape(blocks.size)


@pytest.fixture
def _diagonal(monkeypatch: pytest.MonkeyPatch) -> None:
    load_types()
    monkeypatch.setitem(TYPES, "diagonal", DataType("diagonal", "tests", (), Diagonal))


@pytest.fixture
def masked(_diagonal: None, volumes: Any) -> Any:
    volumes.new("diagonal", "roi")
    return volumes


@pytest.fixture
def posted(noise: Any) -> np.ndarray:
    found: np.ndarray = noise.integers(1, 256, (16, 16, 16), np.uint8)
    return found


def diagonal_of(voxels: np.ndarray, outside: np.ndarray) -> np.ndarray:
    found = outside.copy()
    for low in (0, 8):
        part = (slice(low, low + 8),) * 3
        found[part] = voxels[part]
    return found


def test_voxels_outside_are_background(masked: Any, posted: np.ndarray) -> None:
    path = masked.new(BlockSize="8,8,8", Background="9")
    masked.post(path, (0, 0, 0), posted)
    expected = np.zeros((24, 24, 24), np.uint8)
    expected[:16, :16, :16] = diagonal_of(posted, np.full_like(posted, 9))
    assert (masked.get(path, (0, 0, 0), (24, 24, 24), query="?roi=roi") == expected).all()
    assert (masked.get(path, (3, 5, 2), (9, 8, 7), query="?roi=roi") == expected[2:9, 5:13, 3:12]).all()
    assert masked.client.get(f"{path}/raw/xy/16_16/0_0_9?roi=roi").status_code == 200


@pytest.mark.parametrize("power", [1, 3, 7])
def test_attenuation_divides_voxels_outside(masked: Any, posted: np.ndarray, power: int) -> None:
    path = masked.new(BlockSize="8,8,8")
    masked.post(path, (0, 0, 0), posted)
    found = masked.get(path, (0, 0, 0), (16, 16, 16), query=f"?roi=roi&attenuation={power}")
    assert (found == diagonal_of(posted, posted >> power)).all()
    untouched = masked.get(path, (0, 0, 0), (16, 16, 16), query=f"?attenuation={power}")
    assert (untouched == posted).all()


@pytest.mark.parametrize("power", ["0", "8", "x", "-1", "1.5"])
def test_other_attenuations_are_refused(masked: Any, power: str) -> None:
    path = masked.new()
    assert masked.status("GET", f"{path}/raw/0_1_2/1_1_1/0_0_0?roi=roi&attenuation={power}") == 400


def test_wider_voxels_outside_are_zero(masked: Any, posted: np.ndarray) -> None:
    path = masked.new("uint16blk", BlockSize="8,8,8", Background="9")
    masked.post(path, (0, 0, 0), posted.astype(np.uint16))
    found = masked.get(path, (0, 0, 0), (16, 16, 16), np.uint16, query="?roi=roi&attenuation=2")
    assert (found == diagonal_of(posted, np.zeros_like(posted))).all()


def test_a_write_leaves_blocks_outside_as_they_are(masked: Any, posted: np.ndarray) -> None:
    path = masked.new(BlockSize="8,8,8")
    masked.post(path, (0, 0, 0), np.full((16, 16, 16), 3, np.uint8))
    masked.post(path, (0, 0, 0), posted, "?roi=roi")
    found = masked.get(path, (0, 0, 0), (16, 16, 16))
    assert (found == diagonal_of(posted, np.full_like(posted, 3))).all()
