"""What a labelmap tells those that follow it: which label a voxel has, and which blocks and bodies an edit changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.events import BlocksChanged, BodiesChanged, Event, LabelsMoved, Moved, Recut
from dvidpy.datatypes.labelled.blocks import supervoxels_at
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import BY_HAND
from dvidpy.datatypes.labelled.state import Bodies
from dvidpy.datatypes.labels.index import LabelIndex, among, distinct, joined
from dvidpy.datatypes.labels.mappings import Mapping
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_blocks import Labels

TOGETHER = 1024
"""Blocks of one event."""
FEW = 512
"""Entries of indices up to which supervoxels are told by their blocks."""
Split = tuple[int, int, int]
"""(supervoxel, remain, split)."""


def labels_at(data: LabelMap, bodies: Bodies, points: NDArray[np.int64]) -> Labels:
    """Bodies of (n, 3) voxels z, y, x; 0 where none were written. No block is decoded."""
    return bodies.apply(supervoxels_at(data, 0, points))


def events_of(
    data: LabelMap,
    blocks: Sequence[Zyx],
    mapped: Mapping,
    moves: Iterable[Moved],
    splits: Sequence[Split],
    parted: Sequence[LabelIndex],
    wanted: Collection[str],
) -> Iterator[Event]:
    """What an edit changes that moves labels, writes blocks at full resolution, or maps supervoxels to other bodies.

    Moves come first: who copies blocks, and is followed itself, tells of them before it finds labels gone.

    Supervoxels that a block-writing edit maps lie in those blocks; the others are named by the bodies they leave, and
    by their blocks where they are but `parted` from these. Moves are made, and told, where somebody wants to hear of
    them.
    """
    moved = tuple(moves) if blocks or "LabelsMoved" in wanted else ()
    if "LabelsMoved" in wanted and (moved or splits):
        yield LabelsMoved(moved, tuple(_recut(data, splits)) if splits else ())
    for first in range(0, len(blocks), TOGETHER):
        some = tuple(blocks[first : first + TOGETHER])
        if first + TOGETHER < len(blocks):
            yield BlocksChanged(data.block, some)
        else:
            labels = tuple(move.to for move in moved if move.to)
            yield BlocksChanged(data.block, some, labels, tuple(splits) or _as_splits(moved))
    if not blocks and mapped.supervoxels.size:
        before = data.bodies().apply(mapped.supervoxels)
        went = (before != mapped.bodies) & (before > 0)
        if went.any():
            left = tuple(distinct(before[went]).tolist())
            yield BodiesChanged(left, data.block, _blocks_of(data, mapped.supervoxels[went], parted))


def _blocks_of(data: LabelMap, supervoxels: Labels, parted: Sequence[LabelIndex]) -> tuple[Zyx, ...]:
    """Where all voxels of some supervoxels are, if that is what the edit parted, and they are few blocks; else none."""
    entries = joined(part.entries for part in parted)
    if not 0 < entries.blocks.size <= FEW or data.view.exists(BY_HAND):
        return ()
    labels = np.array([part.label for part in parted], np.uint64)  # mapped too, though no supervoxel has them
    known = among(supervoxels, distinct(np.concatenate((entries.supervoxels, labels)))).all()
    return tuple({place: None for part in parted for place in part.places}) if known else ()


def _recut(data: LabelMap, splits: Sequence[Split]) -> Iterator[Recut]:
    bodies = data.bodies().apply(np.array([supervoxel for supervoxel, _, _ in splits], np.uint64)).tolist()
    return (Recut(body, one, (remain, split)) for body, (one, remain, split) in zip(bodies, splits, strict=True))


def _as_splits(moves: Sequence[Moved]) -> tuple[Split, ...]:
    """Moves of voxels whose labels are no supervoxels: blocks are written even where bodies are merged."""
    return tuple((move.label, move.label if move.left else move.to, move.to) for move in moves if move.to)
