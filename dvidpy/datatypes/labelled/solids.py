"""Voxels of bodies for what is made of them (`views.shapes`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.sparsevol.regions import region_of
from dvidpy.datatypes.labels.masks import Mask
from dvidpy.datatypes.labels.runs import EVERYWHERE
from dvidpy.datatypes.views.shapes.solids import Found
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_blocks import SIDE


def find(data: LabelMap, label: int) -> Found | None:
    """What the index says of a body."""
    body = data.find_body(label) if data.indexed and label else None
    return None if body is None or not body.voxels else Found(body.voxels, body.box(data.block))


def parts(data: LabelMap, label: int, scale: int) -> Iterator[tuple[Zyx, NDArray[np.bool_]]]:
    """(first voxel, inside) of its blocks, all from one moment."""
    still = data.still()
    body = still.find_body(label)
    region = None if body is None else region_of(still, body, scale, EVERYWHERE)
    depth, height, width = data.block
    for (z, y, x), mask in region.masks() if region is not None else ():
        yield (z * depth, y * height, x * width), unpacked(mask)


def unpacked(mask: Mask) -> NDArray[np.bool_]:
    """(z, y, x) voxels of a mask."""
    rows = np.unpackbits(mask.bits, axis=1, bitorder="little").reshape(*mask.grid, SIDE, SIDE, SIDE)
    return rows.transpose(0, 3, 1, 4, 2, 5).reshape(mask.size).astype(np.bool_)
