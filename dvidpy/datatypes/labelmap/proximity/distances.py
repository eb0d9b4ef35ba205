"""How near a body comes to others, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels.block_keys import blocks_of
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.masks import Mask, mask_of
from dvidpy.geometry import Zyx
from dvidpy.kernels.distances import squares
from dvidpy.kernels.label_runs import voxels_of


class Near(NamedTuple):
    """A block that two bodies share."""

    block: Zyx
    label: int
    """Of the other body."""
    distance: float
    """Between the centres of the nearest voxels of both inside the block, in voxels."""


def nearest(data: LabelMap, target: int, others: Sequence[int]) -> Iterator[Near]:
    """Distance of a body to others in each block they share, blocks in order; NotFound where one is no body."""
    still = data.still()
    body, found = still.need_body(target), {other: still.need_body(other) for other in others}
    keys = body.index.block_keys
    shared = {other: np.intersect1d(keys, one.index.block_keys, assume_unique=True) for other, one in found.items()}
    places = np.unique(np.concatenate([*shared.values()]))
    return _distances(still, body, found, {other: set(one.tolist()) for other, one in shared.items()}, places.tolist())


def _distances(
    data: LabelMap, target: Body, others: dict[int, Body], shared: dict[int, set[int]], keys: list[int]
) -> Iterator[Near]:
    for key in keys:
        z, y, x = blocks_of(np.array([key])).tolist()[0]
        block = stored_blocks.load_one(data, 0, (z, y, x))
        mask = None if block is None else mask_of(block, target.sizes[0])
        if block is None or mask is None or mask.is_empty:
            continue
        away = squares(voxels_of(mask.bits, mask.grid))
        for label, body in others.items():
            near = _part(block, body) if key in shared[label] else None
            if near is not None:
                yield Near((z, y, x), label, math.sqrt(int(away[voxels_of(near.bits, near.grid)].min())))


def _part(block: LabelBlock, body: Body) -> Mask | None:
    mask = mask_of(block, body.sizes[0])
    return None if mask is None or mask.is_empty else mask
