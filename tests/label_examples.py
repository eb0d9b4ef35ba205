"""Label volumes and blocks that tests are made of."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Volume = NDArray[np.uint64]
SIZES = st.sampled_from([(8, 8, 8), (16, 16, 16), (8, 16, 24), (24, 8, 16)])
PALETTES = st.sampled_from([1, 2, 3, 4, 5, 17, 100, 256, 257, 512, 5000])
"""How many labels a volume has at most; above 256 a code has 9 bits."""


def volume(seed: int, size: tuple[int, int, int], labels: int, run: int = 3) -> Volume:
    """(z, y, x) labels in short runs along x, label 0 and the largest of all among them."""
    draw = np.random.default_rng(seed)
    palette = draw.integers(0, 2**64, labels, np.uint64, endpoint=False)
    palette[0] = 0
    palette[-1] = 2**64 - 1 if labels > 1 else palette[0]
    count = size[0] * size[1] * size[2]
    return np.repeat(palette[draw.integers(0, labels, count // run + 1)], run)[:count].reshape(size)


VOLUMES = st.builds(volume, st.integers(0, 2**32), SIZES, PALETTES, st.integers(1, 9))
