"""What volumes of all formats have in common. Points, shapes and sizes are (z, y, x)."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.client.boxes import Box, Zyx

Voxels = NDArray[Any]
SIDE = 64
"""Voxels along a side of a chunk that is written."""


class Plan(NamedTuple):
    """A volume that is to be written."""

    shape: Zyx
    dtype: np.dtype[Any]
    offset: Zyx
    """Where its first voxel lies in the instance."""
    resolution: tuple[float, float, float]
    """Nanometers of a voxel."""
    labels: bool
    dataset: str
    """Path inside the file or folder, where the format has one."""
    sharded: bool
    again: bool
    """Part of it is there: it is opened, not made."""
    scale: int | None = None
    """Of a volume with several: 0 is the finest one."""


class Outside:
    """A volume elsewhere. Boxes begin at its first voxel, which is 0."""

    shape: Zyx
    dtype: np.dtype[Any]
    offset: Zyx = (0, 0, 0)
    """Where its first voxel lies, as far as the format says so."""
    resolution: tuple[float, float, float] | None = None
    """Nanometers of a voxel, as far as the format says so."""
    grid: Zyx = (SIDE, SIDE, SIDE)
    """Voxels that are written together: whole chunks, slices, shards."""

    def read(self, box: Box) -> Voxels:
        """Voxels of a box."""
        raise NotImplementedError

    def write(self, box: Box, voxels: Voxels) -> None:
        """Write voxels of a box of the grid."""
        raise NotImplementedError

    def close(self) -> None:
        """All is written, or nothing more is."""


class InArray(Outside):
    """Voxels of anything that is sliced like an array, one caller at a time."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self._lock = threading.Lock()
        z, y, x = map(int, array.shape)
        self.shape = z, y, x
        self.dtype = np.dtype(array.dtype)

    def read(self, box: Box) -> Voxels:
        """Voxels of a box."""
        with self._lock:
            return np.asarray(self._array[box.within((0, 0, 0))])

    def write(self, box: Box, voxels: Voxels) -> None:
        """Write voxels of a box."""
        with self._lock:
            self._array[box.within((0, 0, 0))] = voxels
