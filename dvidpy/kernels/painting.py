"""Filling boxes of an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel

FEW = 2000
"""Boxes up to which the plain twin is quicker than loading numba."""


def paint_boxes(starts: NDArray[np.int64], stops: NDArray[np.int64], out: NDArray[np.bool_]) -> None:
    """Set the (z, y, x) array `out` inside n boxes; `starts` and `stops`, (3, n), lie within it."""
    if starts.shape[1] <= FEW:
        paint_boxes_plain(starts, stops, out)
    else:
        _paint_boxes(starts, stops, out)


def paint_boxes_plain(starts: NDArray[np.int64], stops: NDArray[np.int64], out: NDArray[np.bool_]) -> None:
    """The plain twin."""
    for z, y, x, zz, yy, xx in np.concatenate([starts, stops]).T.tolist():
        out[z:zz, y:yy, x:xx] = True


@kernel("void(Array(int64, 2, 'C'), Array(int64, 2, 'C'), Array(boolean, 3, 'C'))")
def _paint_boxes(starts: Any, stops: Any, out: Any) -> Any:
    for box in range(starts.shape[1]):
        for z in range(starts[0, box], stops[0, box]):
            for y in range(starts[1, box], stops[1, box]):
                for x in range(starts[2, box], stops[2, box]):
                    out[z, y, x] = True
