from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.kernels.painting import FEW, paint_boxes, paint_boxes_plain

BOX = st.tuples(*[st.tuples(st.integers(0, 6), st.integers(0, 6))] * 3)


@given(st.lists(BOX, min_size=1, max_size=5))
def test_the_kernel_agrees_with_its_plain_twin(boxes: list[tuple[tuple[int, int], ...]]) -> None:
    times = FEW // len(boxes) + 1
    starts, stops = (
        np.array([[pick(axis) for axis in box] for box in boxes], np.int64).T.copy() for pick in (min, max)
    )
    plain, kernel = np.zeros((6, 6, 6), np.bool_), np.zeros((6, 6, 6), np.bool_)
    paint_boxes_plain(starts, stops, plain)
    paint_boxes(np.tile(starts, times), np.tile(stops, times), kernel)
    assert (plain == kernel).all()
    assert plain.sum() <= sum(int(np.prod(stops[:, box] - starts[:, box])) for box in range(len(boxes)))
