"""Which body a supervoxel belongs to. A supervoxel that is not named is a body of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels import label_columns, label_words
from dvidpy.kernels.label_blocks import Labels

MANY = 1 << 12
"""Pairs from which on a quicker way of sorting pays."""
_FEW = 512
"""Labels that numpy looks up as quickly, without numba having to be loaded."""


class Mapping(NamedTuple):
    """Sorted columns, a value: 16 bytes a supervoxel. Body 0 stands for a supervoxel that is no more."""

    supervoxels: Labels
    """Ascending, each once."""
    bodies: Labels

    def apply(self, labels: Labels) -> Labels:
        """Bodies for an array of supervoxels, of any shape; labels it does not name stay."""
        if self.supervoxels.size == 0:
            return labels
        flat: Labels = np.ascontiguousarray(labels).reshape(-1)
        if flat.size > _FEW:
            return label_words.look_up(flat, self.supervoxels, self.bodies).reshape(labels.shape)
        place = np.minimum(np.searchsorted(self.supervoxels, flat), self.supervoxels.size - 1)
        known = self.supervoxels[place] == flat
        return np.where(known, self.bodies[place], flat).reshape(labels.shape)

    def of(self, supervoxel: int) -> int:
        """Body of one supervoxel."""
        return int(self.apply(np.array([supervoxel], np.uint64))[0])

    def names(self, supervoxels: Labels) -> NDArray[np.bool_]:
        """Which supervoxels it names."""
        if not self.supervoxels.size:
            return np.zeros(supervoxels.shape, np.bool_)
        place = np.minimum(np.searchsorted(self.supervoxels, supervoxels), self.supervoxels.size - 1)
        return np.equal(self.supervoxels[place], supervoxels)

    def named(self, body: int) -> Labels:
        """Supervoxels that it names for a body, ascending; the one of the body's own number may not be among them."""
        return self.supervoxels[np.flatnonzero(self.bodies == body)]

    def over(self, older: Mapping) -> Mapping:
        """Both as one; where both name a supervoxel, this one holds. Costs a copy of both."""
        return Mapping(*label_columns.overlay(*self, *older)) if older.supervoxels.size else self


EMPTY = Mapping(np.empty(0, np.uint64), np.empty(0, np.uint64))


def mapping_of(supervoxels: Labels, bodies: Labels) -> Mapping:
    """Pairs in any order; of one supervoxel's several the last holds."""
    ordered, order = _sorted(supervoxels)
    theirs = bodies[order]
    other = ordered[1:] != ordered[:-1]
    if other.all():
        return Mapping(ordered, theirs)
    last = np.append(other, True)
    return Mapping(ordered[last], theirs[last])


def _sorted(labels: Labels) -> tuple[Labels, NDArray[np.intp]]:
    """Labels ascending, and the place that each had; of equal ones in the order they had.

    Many are sorted as numbers that hold label and place, where 64 bits do for both: ten times as quick.
    """
    bits = max(1, labels.size - 1).bit_length()
    if labels.size < MANY or int(labels.max()) >> (64 - bits):
        order = np.argsort(labels, kind="stable")
        return labels[order], order
    both = labels << np.uint64(bits)
    both |= np.arange(labels.size, dtype=np.uint64)
    both.sort()
    return both >> np.uint64(bits), (both & np.uint64((1 << bits) - 1)).view(np.intp)


def apply(labels: Labels, mapping: Mapping) -> Labels:
    """Bodies for supervoxels; see `Mapping.apply`."""
    return mapping.apply(labels)
