from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dvidpy.kernels.distances import FAR, _sweep, squares, sweep_plain


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from([0.0, 0.03, 0.3, 1.0]))
def test_a_line_is_swept_as_the_plain_twin_does(seed: int, length: int, share: float) -> None:
    draw = np.random.default_rng(seed)
    near = draw.integers(0, 50, (5, length))
    lines = np.where(draw.random((5, length)) < share, near, FAR + near)
    twin = lines.copy()
    _sweep(lines)
    sweep_plain(twin)
    assert np.array_equal(lines, twin)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.tuples(*[st.integers(1, 9)] * 3))
def test_squares_are_those_of_the_nearest(seed: int, size: tuple[int, int, int]) -> None:
    inside = np.random.default_rng(seed).random(size) < 0.1
    found = squares(inside)
    places = np.argwhere(inside)
    if not len(places):
        assert (found >= FAR).all()
        return
    for place in np.ndindex(*size):
        assert found[place] == ((places - place) ** 2).sum(axis=1).min()
