"""Runs of a body along x: traced through blocks and joined, put in order, dealt to blocks.

A run is int32 x, y, z of its first voxel and its length; (n, 4) arrays of them are the bytes of every format of RLEs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels.block_keys import blocks_of, keys_of
from dvidpy.datatypes.labels.masks import Mask, Masks, mask_of_runs
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, LOWEST, Box, Zyx
from dvidpy.kernels import label_runs
from dvidpy.kernels.label_blocks import SIDE
from dvidpy.kernels.label_runs import Runs

NO_RUNS: Runs = np.empty((0, 4), np.int32)
EVERYWHERE = Box((LOWEST, LOWEST, LOWEST), (HIGHEST - LOWEST + 1,) * 3)


def traced(masks: Masks, bounds: Box = EVERYWHERE, *, joined: bool = True) -> Runs:
    """Runs of the voxels inside, joined across blocks that follow one another along x.

    Args:
        masks: of one block at least. Runs are joined where blocks come in the order of z, y, x.
        bounds: voxels outside are left away, to the voxel.
        joined: false: a run ends with its block.
    """
    size = np.array(masks.size, np.int64)
    boxes = np.empty((len(masks.places), 4, 3), np.int64)
    boxes[:, 0], boxes[:, 1] = size // SIDE, np.array(masks.places, np.int64) * size
    boxes[:, 2] = np.clip(bounds.start - boxes[:, 1], 0, size)
    boxes[:, 3] = np.clip(bounds.stop - boxes[:, 1], 0, size)
    return label_runs.trace(masks.flags, masks.bits, boxes, joined=joined)


def in_order(runs: Runs) -> Runs:
    """The same voxels as runs in the order of z, y, x, each voxel once, runs that touch made one.

    BadRequest where that makes a run longer than 31 bits can say.
    """
    if len(runs) < 2:
        return runs
    ordered = runs[np.lexsort(runs[:, :3].T)].astype(np.int64)
    starts, stops = ordered[:, 0], ordered[:, 0] + ordered[:, 3]
    new_row = np.ones(len(runs), np.bool_)
    new_row[1:] = (ordered[1:, 1:3] != ordered[:-1, 1:3]).any(axis=1)
    # Rows are laid one behind the other, so that one running maximum serves all of them.
    shift = np.cumsum(new_row) << 33
    reach = np.maximum.accumulate(stops + shift)
    first = new_row.copy()
    first[1:] |= (starts + shift)[1:] > reach[:-1]
    heads = np.flatnonzero(first)
    ends = reach[np.append(heads[1:], len(runs)) - 1] - shift[heads]
    joined = ordered[heads]
    joined[:, 3] = ends - joined[:, 0]
    if joined[:, 3].max() > HIGHEST:
        raise BadRequest("runs that join are longer than a run can be")
    return joined.astype(np.int32)


def clipped(runs: Runs, bounds: Box) -> Runs:
    """The parts of runs within a box of voxels."""
    (z0, y0, x0), (z1, y1, x1) = bounds.start, bounds.stop
    kept = runs[(runs[:, 2] >= z0) & (runs[:, 2] < z1) & (runs[:, 1] >= y0) & (runs[:, 1] < y1)].astype(np.int64)
    stops = np.minimum(kept[:, 0] + kept[:, 3], x1)
    kept[:, 0] = np.maximum(kept[:, 0], x0)
    kept[:, 3] = stops - kept[:, 0]
    return kept[kept[:, 3] > 0].astype(np.int32)


def voxels_in(runs: Runs) -> int:
    """Sum of the lengths."""
    return int(runs[:, 3].sum(dtype=np.int64))


def box_of_runs(runs: Runs) -> Box:
    """The smallest box that holds them; there is one at least."""
    low = runs[:, :3].min(axis=0).tolist()
    high_x = int((runs[:, 0].astype(np.int64) + runs[:, 3]).max())
    size = high_x - low[0], int(runs[:, 1].max()) + 1 - low[1], int(runs[:, 2].max()) + 1 - low[2]
    return Box((low[2], low[1], low[0]), (size[2], size[1], size[0]))


def dealt(runs: Runs, blocks: Iterable[Zyx], size: Zyx) -> Iterator[tuple[Zyx, Mask]]:
    """(block, mask) for those of `blocks` that runs reach. Runs need no order; of blocks only those named are made.

    However long a run pretends to be, the work is bounded by runs and blocks.
    """
    depth, height, _ = size
    rows = runs[:, 2].astype(np.int64) // depth * (1 << 33) + runs[:, 1].astype(np.int64) // height
    order = np.argsort(rows, kind="stable")
    rows, runs = rows[order], np.ascontiguousarray(runs[order])
    for block in blocks:
        row = block[0] * (1 << 33) + block[1]
        first, last = np.searchsorted(rows, (row, row + 1)).tolist()
        if first < last:
            start = tuple(at * side for at, side in zip(block, size, strict=True))
            mask = mask_of_runs(runs[first:last], (start[0], start[1], start[2]), size)
            if not mask.is_empty:
                yield block, mask


def runs_of_blocks(blocks: Sequence[Zyx] | NDArray[np.int64]) -> Runs:
    """(n, 3) z, y, x of blocks -> runs of the block grid, each block once, in the order of z, y, x."""
    keys = keys_of(blocks)
    if (keys[1:] <= keys[:-1]).any():
        keys = np.unique(keys)
    # The next block along x has the next key.
    heads = np.flatnonzero(np.append(True, keys[1:] != keys[:-1] + 1)) if keys.size else np.empty(0, np.int64)
    runs = np.empty((heads.size, 4), np.int32)
    runs[:, :3] = blocks_of(keys[heads])[:, ::-1]
    runs[:, 3] = np.diff(np.append(heads, keys.size))
    return runs
