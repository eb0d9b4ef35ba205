from __future__ import annotations

import numpy as np

from dvidpy.cli.neuropil import DARK, LUMEN, neuropil

SHAPE = (32, 64, 48)


def test_the_same_seed_gives_the_same_volume() -> None:
    volume = neuropil(SHAPE, seed=3)
    assert volume.shape == SHAPE
    assert volume.dtype == np.uint8
    assert np.array_equal(volume, neuropil(SHAPE, seed=3))
    assert not np.array_equal(volume, neuropil(SHAPE, seed=4))


def test_it_has_bright_cells_and_dark_membranes() -> None:
    volume = neuropil(SHAPE)
    assert np.mean(volume > LUMEN - 30) > 0.2
    assert np.mean(volume < LUMEN - DARK / 2) > 0.1
