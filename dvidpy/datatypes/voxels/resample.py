"""Pixels that are as wide as they are high, where voxels are not."""

from __future__ import annotations

import numpy as np

from dvidpy.datatypes.voxels.kinds import Kind, Voxels


def source_size(width: int, height: int, across: float, down: float) -> tuple[int, int]:
    """Width and height in voxels of what shows width x height isotropic pixels; resolutions in one unit."""
    if across < down:
        return width, max(1, int(height * across / down + 0.5))
    return max(1, int(width * down / across + 0.5)), height


def stretch(kind: Kind, slice_yx: Voxels, width: int, height: int) -> Voxels:
    """(height, width) voxels from fewer: linear between the centres of voxels, their edges repeated."""
    for axis, size in ((0, height), (1, width)):
        if slice_yx.shape[axis] != size:
            slice_yx = _stretch_along(kind, slice_yx, axis, size)
    return slice_yx


def _stretch_along(kind: Kind, slice_yx: Voxels, axis: int, size: int) -> Voxels:
    given = slice_yx.shape[axis]
    place = np.clip((np.arange(size) + 0.5) * given / size - 0.5, 0, given - 1)
    low = np.minimum(place.astype(np.int64), given - 1)
    high = np.minimum(low + 1, given - 1)
    values = kind.values(slice_yx)
    share = (place - low).reshape([-1 if at == axis else 1 for at in range(values.ndim)])
    first, second = values.take(low, axis), values.take(high, axis)
    return kind.voxels(np.where(share == 0, first, first * (1.0 - share) + second * share))
