"""Volumes of half the sides: each voxel is the mean of the eight below it.

Whole numbers are rounded half up, exactly: the eighths and the remainders are added apart, so that nothing overflows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import Kernel

_CORNERS = [np.s_[z::2, y::2, x::2] for z in (0, 1) for y in (0, 1) for x in (0, 1)]


def halve(volume: NDArray[Any]) -> NDArray[Any]:
    """(2z, 2y, 2x, channels) C-contiguous array -> (z, y, x, channels) of its dtype."""
    depth, height, width, channels = volume.shape
    out = np.empty((depth // 2, height // 2, width // 2, channels), volume.dtype)
    _KERNELS[volume.dtype.str[1:]](volume, out)
    return out


def halve_whole_plain(volume: NDArray[Any]) -> NDArray[Any]:
    """The plain twin for unsigned numbers."""
    seven, rounding = volume.dtype.type(7), volume.dtype.type(4)
    corners = [volume[corner] for corner in _CORNERS]
    eighths = sum((corner >> 3 for corner in corners), np.zeros_like(corners[0]))
    rest = sum((corner & seven for corner in corners), np.zeros_like(corners[0]))
    return np.asarray(eighths + ((rest + rounding) >> 3))


def halve_real_plain(volume: NDArray[Any]) -> NDArray[Any]:
    """The plain twin for real numbers, which are added with 64 bits."""
    total = sum((volume[corner].astype(np.float64) for corner in _CORNERS), np.float64(0))
    return np.asarray(np.asarray(total / 8).astype(volume.dtype))


def _halve_whole(volume: Any, out: Any) -> None:
    depth, height, width, channels = out.shape
    three, seven, rounding = np.uint64(3), np.uint64(7), np.uint64(4)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                for c in range(channels):
                    eighths, rest = np.uint64(0), rounding
                    for corner in range(8):
                        voxel = np.uint64(
                            volume[2 * z + (corner >> 2), 2 * y + ((corner >> 1) & 1), 2 * x + (corner & 1), c]
                        )
                        eighths += voxel >> three
                        rest += voxel & seven
                    out[z, y, x, c] = eighths + (rest >> three)


def _halve_real(volume: Any, out: Any) -> None:
    depth, height, width, channels = out.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                for c in range(channels):
                    total = 0.0
                    for corner in range(8):
                        value = volume[2 * z + (corner >> 2), 2 * y + ((corner >> 1) & 1), 2 * x + (corner & 1), c]
                        total += float(value)  # without numba a sum of float32 would stay one
                    out[z, y, x, c] = total / 8.0


def _kernel(plain: Any, dtype: str) -> Kernel:
    return Kernel(plain, f"void(Array({dtype}, 4, 'C', readonly=True), Array({dtype}, 4, 'C'))")


_KERNELS = {
    "u1": _kernel(_halve_whole, "uint8"),
    "u2": _kernel(_halve_whole, "uint16"),
    "u4": _kernel(_halve_whole, "uint32"),
    "u8": _kernel(_halve_whole, "uint64"),
    "f4": _kernel(_halve_real, "float32"),
}
