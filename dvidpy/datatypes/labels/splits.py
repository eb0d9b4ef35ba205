"""Labels of a block cut in two by a mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.labels import blocks
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.masks import Mask
from dvidpy.kernels import label_edits
from dvidpy.kernels.label_blocks import Labels


class Cut(NamedTuple):
    """What becomes of a label."""

    split: int
    """Its label inside the mask."""
    remain: int
    """Its label outside."""


class Sizes(NamedTuple):
    """Voxels of a label before it was cut."""

    split: int
    remain: int


def split(block: LabelBlock, mask: Mask | None, cuts: Mapping[int, Cut]) -> tuple[LabelBlock, dict[int, Sizes]]:
    """(block, sizes of each label of `cuts` that it has). Other labels stay, inside the mask too.

    Without a mask, or where the block has none of the labels, no voxel is written anew.
    """
    outside = [cuts[label].remain if label in cuts else label for label in block.labels.tolist()]
    inside = [cuts[label].split if label in cuts else label for label in block.labels.tolist()]
    if mask is None or mask.is_empty or inside == outside:
        sizes = {label: Sizes(0, number) for label, number in _counts(block).items() if label in cuts}
        return block.with_labels(np.array(outside, np.uint64)), sizes
    places = _places(block)
    voxels = label_edits.choose(places, mask.bits, np.array([[0, *outside], [0, *inside]], np.uint64).T.copy())
    sizes = {}
    for label, (remain, inner) in zip(block.labels.tolist(), voxels[1:].tolist(), strict=True):
        if label in cuts and remain + inner:
            had = sizes.get(label, Sizes(0, 0))
            sizes[label] = Sizes(had.split + inner, had.remain + remain)
    return blocks.from_volume(places), sizes


def sizes_under(block: LabelBlock, mask: Mask) -> dict[int, int]:
    """Voxels of each label but 0 inside a mask."""
    voxels = label_edits.choose(_places(block), mask.bits, np.zeros((block.labels.size + 1, 2), np.uint64))
    sizes: dict[int, int] = {}
    for label, inner in zip(block.labels.tolist(), voxels[1:, 1].tolist(), strict=True):
        if label and inner:
            sizes[label] = sizes.get(label, 0) + inner
    return sizes


def _places(block: LabelBlock) -> Labels:
    """Voxels as places among its labels, from 1; 0 where a sub-block has no entry."""
    return blocks.to_volume(block.with_labels(np.arange(1, block.labels.size + 1, dtype=np.uint64)))


def _counts(block: LabelBlock) -> dict[int, int]:
    labels, voxels = blocks.count(block)
    return dict(zip(labels.tolist(), voxels.tolist(), strict=True))
