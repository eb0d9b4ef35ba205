"""Voxels of many bodies or supervoxels."""

from __future__ import annotations

import numpy as np

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.state import Bodies
from dvidpy.datatypes.labels.index import Voxels
from dvidpy.kernels.label_blocks import Labels


def sizes_of(data: LabelMap, labels: Labels, *, supervoxels: bool) -> Voxels:
    """Voxels of each label, 0 where there is none; every index is read once."""
    if supervoxels:
        return data.steady(lambda still, bodies: _supervoxel_sizes(still, bodies, labels))
    still = data.still()
    bodies, place = np.unique(labels, return_inverse=True)
    found = (still.find_body(label) if label else None for label in bodies.tolist())
    return np.array([0 if body is None else body.voxels for body in found], np.int64)[place]


def _supervoxel_sizes(data: LabelMap, bodies: Bodies, supervoxels: Labels) -> Voxels:
    labels = bodies.apply(supervoxels)
    sizes = np.zeros(labels.size, np.int64)
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(labels[order][1:] != labels[order][:-1]) + 1
    for places in np.split(order, cuts):
        label = int(labels[places[0]]) if places.size else 0
        body = data.find_body(label) if label else None
        if body is not None:
            sizes[places] = _among(body.sizes, supervoxels[places])
    return sizes


def _among(known: tuple[Labels, Voxels], wanted: Labels) -> Voxels:
    """Voxels of some supervoxels of a body; 0 for those it has not."""
    labels, voxels = known
    place = np.minimum(np.searchsorted(labels, wanted), labels.size - 1)
    return np.where(labels[place] == wanted, voxels[place], 0)
