"""Several label blocks whose parts stand one behind the other, to be gone through by one call of a kernel.

A call has its price: for a block of which a plane is wanted it is more than the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels import label_reads, label_voxels
from dvidpy.kernels.label_blocks import SIDE, Bytes, Labels
from dvidpy.kernels.label_voxels import Ends


class Several(NamedTuple):
    """Blocks of one size, one at least."""

    size: Zyx
    """Voxels of each."""
    places: list[Zyx]
    """Index of each in the grid."""
    ends: Ends
    """Of the parts of each in those of all."""
    labels: Labels
    counts: NDArray[np.uint16]
    indices: NDArray[np.uint32]
    values: Bytes

    @property
    def cubes(self) -> int:
        """Sub-blocks of a block."""
        depth, height, width = self.size
        return depth * height * width // SIDE**3

    def with_labels(self, labels: Labels) -> Several:
        """Their labels replaced one by one, their voxels not looked at."""
        return self._replace(labels=np.ascontiguousarray(labels, np.uint64))


def together(blocks: Sequence[tuple[Zyx, LabelBlock]]) -> Several:
    """(index in the grid, block) of each."""
    labels, counts, indices, values = parts = [*zip(*(block[1:] for _, block in blocks), strict=True)]
    ends = np.cumsum([[part.size for part in some] for some in parts], axis=1, dtype=np.int64).T
    places, size = [place for place, _ in blocks], blocks[0][1].size
    joined = map(_joined, (labels, counts, indices, values))
    return Several(size, places, np.ascontiguousarray(ends), *joined)


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def paste(some: Several, out: Labels, start: Zyx) -> None:
    """Write what the blocks and an array (z, y, x) have in common; `start` is the place of its first voxel."""
    size = np.array(some.size, np.int64)
    places = np.array(some.places, np.int64) * size
    frame = np.array([size // SIDE, start], np.int64)
    label_voxels.unpack(some.ends, some.labels, some.counts, some.indices, some.values, places, frame, out)


def labels_at(some: Several, points_of: Sequence[NDArray[np.int64]]) -> Labels:
    """Labels of the (n, 3) points of each block, z, y, x from its first voxel, one behind the other; none is decoded.

    BadRequest where a point lies outside its block.
    """
    points = np.concatenate(points_of)
    if points.size and (points.min() < 0 or (points >= np.array(some.size)).any()):
        raise BadRequest("a point lies outside its block")
    cuts = np.cumsum([*map(len, points_of)], dtype=np.int64)
    grid = np.array(some.size, np.int64) // SIDE
    return label_reads.pick(some.ends, some.labels, some.counts, some.indices, some.values, grid, cuts, points)
