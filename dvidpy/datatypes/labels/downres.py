"""Labels of half the resolution: of each 2 x 2 x 2 voxels the label with most votes, the smaller one of several.

Label 0 has no vote: it is left only where all eight have it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvidpy.datatypes.labels import blocks
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels import label_edits
from dvidpy.kernels.label_blocks import SIDE, Labels


def halved(labels: Labels) -> Labels:
    """(z, y, x) labels with any strides -> half the sides; BadRequest where one is odd."""
    if any(side % 2 for side in labels.shape):
        raise BadRequest(f"sides of {[*labels.shape[::-1]]} voxels cannot be halved")
    depth, height, width = (side // 2 for side in labels.shape)
    out = np.empty((depth, height, width), np.uint64)
    label_edits.vote(np.require(labels, np.uint64, "A"), out)
    return out


def halved_with_background(labels: Labels) -> Labels:
    """As `halved`, with the rule of the reference's labelblk: label 0 has votes too, of several the largest wins."""
    depth, height, width = (side // 2 for side in labels.shape)
    eights = labels.reshape(depth, 2, height, 2, width, 2).transpose(0, 2, 4, 1, 3, 5).reshape(depth, height, width, 8)
    ordered = np.sort(eights, axis=-1)[..., ::-1]
    votes = np.stack([(ordered == ordered[..., at : at + 1]).sum(axis=-1) for at in range(8)], axis=-1)
    best: Labels = np.take_along_axis(ordered, votes.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return best


def downres(octants: Sequence[LabelBlock | None], size: Zyx, before: LabelBlock | None = None) -> LabelBlock:
    """The block of the next scale.

    Args:
        octants: the 8 blocks below it, x fastest; none where nothing changed or nothing is.
        size: voxels of every block.
        before: the block as it was: it keeps the part of each octant that is none. Label 0 without it.
    """
    same = _same_label(octants)
    if same is not None:
        return blocks.solid(same, size)
    out = blocks.to_volume(before) if before else np.zeros(size, np.uint64)
    grid = np.array(size) // SIDE
    half = size[0] // 2, size[1] // 2, size[2] // 2
    for place, octant in enumerate(octants):
        if octant is None:
            continue
        z, y, x = (part * side for part, side in zip((place >> 2, place >> 1 & 1, place & 1), half, strict=True))
        part = out[z : z + half[0], y : y + half[1], x : x + half[2]]
        if octant.is_solid:
            part[...] = octant.labels[0]
        else:
            label_edits.vote_block(octant.counts, octant.indices, octant.values, octant.labels, grid, part)
    return blocks.from_volume(out)


def _same_label(octants: Sequence[LabelBlock | None]) -> int | None:
    """The label that all eight are filled with."""
    found = {int(octant.labels[0]) if octant and octant.is_solid else None for octant in octants}
    return found.pop() if len(found) == 1 else None
