"""Squared distances of voxels to the nearest one of a set, exactly, in voxels.

Source of the method: Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions (2012): one axis after the
other, each line as the lower envelope of parabolas.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel

FAR = 1 << 40
"""Of a voxel where the set is empty: more than any distance in a volume."""
Squares = NDArray[np.int64]


def squares(inside: NDArray[np.bool_]) -> Squares:
    """(z, y, x) truths -> squared distance of each voxel to the nearest true one; FAR or more where there is none."""
    found = np.where(inside, 0, FAR).astype(np.int64)
    for axis in range(3):
        lines = np.ascontiguousarray(np.moveaxis(found, axis, 2))
        _sweep(lines.reshape(-1, lines.shape[2]))
        found = np.moveaxis(lines, 2, axis)
    return found


@kernel("void(int64[:, ::1])")
def _sweep(lines: Any) -> None:
    """Each line f becomes min over q of f[q] + (p - q)^2."""
    length = lines.shape[1]
    places, starts, out = np.empty(length, np.int64), np.empty(length + 1, np.float64), np.empty(length, np.int64)
    for row in range(lines.shape[0]):
        line, last = lines[row], 0
        places[0], starts[0], starts[1] = 0, -np.inf, np.inf
        for q in range(1, length):
            while True:
                p = places[last]
                meet = ((line[q] + q * q) - (line[p] + p * p)) / (2.0 * (q - p))
                if meet > starts[last]:
                    break
                last -= 1
            last += 1
            places[last], starts[last], starts[last + 1] = q, meet, np.inf
        at = 0
        for p in range(length):
            while starts[at + 1] < p:
                at += 1
            out[p] = line[places[at]] + (p - places[at]) ** 2
        line[:] = out


def sweep_plain(lines: Squares) -> None:
    """The plain twin."""
    places = np.arange(lines.shape[1])
    apart = (places[:, None] - places[None, :]) ** 2
    lines[...] = (lines[:, None, :] + apart).min(axis=2)
