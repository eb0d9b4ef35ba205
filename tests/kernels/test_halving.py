from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dvidpy.kernels.halving import halve, halve_real_plain, halve_whole_plain

SHAPE = (6, 4, 10)


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4", "<u8"])
@pytest.mark.parametrize("channels", [1, 4])
def test_whole_numbers_agree_with_the_plain_twin(dtype: str, channels: int) -> None:
    noise = np.random.default_rng(3)
    volume = noise.integers(0, 1 << 63, (*SHAPE, channels), np.uint64).astype(dtype) * np.array(2).astype(dtype)
    assert (halve(volume) == halve_whole_plain(volume)).all()


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4", "<u8"])
def test_means_are_exact_and_rounded_half_up(dtype: str) -> None:
    highest = int(np.iinfo(dtype).max)
    noise = np.random.default_rng(5)
    volume = noise.choice(np.array([0, 1, 3, 4, 7, 8, highest - 1, highest], dtype), (*SHAPE, 1))
    corners: Any = [volume[z::2, y::2, x::2].ravel().tolist() for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    expected = [(sum(eight) + 4) // 8 for eight in zip(*corners, strict=True)]
    assert halve(volume).ravel().tolist() == expected
    full = np.full((2, 2, 2, 1), highest, dtype)
    assert halve(full).item() == highest


def test_real_numbers_agree_with_the_plain_twin() -> None:
    volume = np.random.default_rng(4).normal(0, 1e20, (*SHAPE, 1)).astype("<f4")
    assert (halve(volume) == halve_real_plain(volume)).all()
    largest = np.full((2, 2, 2, 1), np.finfo(np.float32).max, np.float32)
    assert halve(largest).item() == largest.flat[0]
