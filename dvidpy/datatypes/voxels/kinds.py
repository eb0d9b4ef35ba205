"""What a voxel is: its bytes, how they are compared and shown."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Voxels = NDArray[Any]
"""(z, y, x) or (y, x) array of one kind's dtype."""


class Kind(NamedTuple):
    """One kind of voxels. Interleaved channels are moved about as one number."""

    name: str
    """Word of the type's name: uint8, rgba8…"""
    dtype: np.dtype[Any]
    """Little-endian; of four 8-bit channels a uint32."""
    channels: tuple[tuple[str, str], ...]
    """(data type, label) of each value, as `info` shows them."""

    @property
    def itemsize(self) -> int:
        """Bytes per voxel."""
        return int(self.dtype.itemsize)

    @property
    def interleaved(self) -> bool:
        """A voxel has several values."""
        return len(self.channels) > 1

    def values(self, voxels: Voxels) -> Voxels:
        """Voxels as numbers to reckon with: channels as a last axis."""
        if not self.interleaved:
            return voxels
        return np.ascontiguousarray(voxels).view(np.uint8).reshape(*voxels.shape, len(self.channels))

    def voxels(self, values: Voxels) -> Voxels:
        """The reverse of `values`: real numbers are rounded and kept within what a voxel can hold."""
        channel = np.dtype(np.uint8) if self.interleaved else self.dtype
        kept = values if values.dtype == channel else _fit(values, channel)
        return np.ascontiguousarray(kept).view(self.dtype)[..., 0] if self.interleaved else kept


def _fit(values: Voxels, dtype: np.dtype[Any]) -> Voxels:
    """Round half up, as the reference does."""
    if dtype.kind == "f":
        return values.astype(dtype)
    highest = int(np.iinfo(dtype).max)
    rounded = np.floor(values + 0.5)
    # The nearest real number to 2^64 - 1 is 2^64, which no voxel holds.
    largest = float(highest) if int(float(highest)) == highest else float(np.nextafter(float(highest), 0))
    kept = np.clip(rounded, 0, largest).astype(dtype)
    kept[rounded > largest] = highest
    return kept


def _single(name: str, code: str) -> Kind:
    return Kind(name, np.dtype(code), ((name, name),))


UINT8 = _single("uint8", "u1")
UINT16 = _single("uint16", "<u2")
RGBA8 = Kind("rgba8", np.dtype("<u4"), tuple(("uint8", label) for label in ("red", "green", "blue", "alpha")))
KINDS = (
    UINT8,
    UINT16,
    _single("uint32", "<u4"),
    _single("uint64", "<u8"),
    _single("float32", "<f4"),
    RGBA8,
)
