from __future__ import annotations

import numpy as np

from dvidpy.cli.neuropil import DARK, LUMEN, neuropil

SHAPE = (32, 64, 48)


def test_the_same_seed_gives_the_same_volume() -> None:
    gray, cells = neuropil(SHAPE, seed=3)
    assert gray.shape == cells.shape == SHAPE
    assert gray.dtype == np.uint8
    assert cells.dtype == np.uint64
    again, other = neuropil(SHAPE, seed=3), neuropil(SHAPE, seed=4)
    assert np.array_equal(gray, again.gray)
    assert np.array_equal(cells, again.cells)
    assert not np.array_equal(gray, other.gray)
    assert not np.array_equal(cells, other.cells)


def test_it_has_bright_cells_and_dark_membranes() -> None:
    gray, cells = neuropil(SHAPE)
    assert np.mean(gray > LUMEN - 30) > 0.2
    assert np.mean(gray < LUMEN - DARK / 2) > 0.1
    assert gray[cells == 0].mean() < gray[cells > 0].mean() - DARK / 4
    assert 10 < len(np.unique(cells)) < 200
