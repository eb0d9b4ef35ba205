"""Blocks coming in: stored together with what they change in the indices of bodies, all in one edit.

The index follows the voxels whatever was there before: what a block had is taken off, what it has now is added. Of
blocks that are ingested only what labels had that they have again is taken off (`store_blocks`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled import downres as coarser
from dvidpy.datatypes.labelled.edits import Edit, editing, touched
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.turns import Names, in_turn
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.block_keys import keys_of
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.index import NO_ENTRIES, Entries, joined
from dvidpy.datatypes.labels.index_batch import changed_many
from dvidpy.datatypes.labels.sheets import is_head
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import Labels


class Written(Struct, frozen=True, tag="blocks", tag_field="kind"):
    """Event: voxels came in."""

    scale: int
    blocks: list[tuple[int, int, int]]
    """z, y, x of the blocks that were written."""


class NewBlock(NamedTuple):
    """A block to be stored."""

    place: Zyx
    """Index of the block in the grid."""
    block: LabelBlock
    stored: bytes
    """As `blocks.pack` or `blocks.keep` made it."""
    counts: tuple[Labels, NDArray[np.int64]]
    """Labels and voxels of each (`count`): its codes are sound."""


def store_blocks(
    data: LabelMap,
    new: Sequence[NewBlock],
    *,
    scale: int = 0,
    indexing: bool = True,
    downres: bool = False,
    noted: bool = True,
    mutate: bool = True,
) -> None:
    """Store blocks of one scale, each once; returns when they are durable.

    At full resolution: with `indexing` the indices of bodies follow, with `downres` all coarser scales, with `noted`
    extents and the largest label. Without `mutate` nothing is said to have been there: indices go on counting labels
    that a block had and has no more, as in the reference; the same block stored once more changes none.
    """
    data.demand_scale(scale)
    indexing = indexing and data.indexed and scale == 0
    gained = joined(entries_of_counts(one.place, one.counts) for one in new) if indexing else NO_ENTRIES
    if not new:
        return

    def store(names: Names | None) -> None:
        with editing(data, names) as edit:
            if indexing:
                _index(edit, new, gained, mutate=mutate)
            if noted and scale == 0:
                _note(edit, new)
            if data.indexed and not indexing and scale == 0:
                edit.by_hand()
            _put(edit, scale, new, downres=downres)

    in_turn(store, touched(data, _known_bodies(data, gained), (one.place for one in new), scale))


def _known_bodies(data: LabelMap, gained: Entries) -> set[int]:
    """Those that new blocks have voxels of; what stands there is seen in the turn of the edit."""
    supervoxels = np.unique(gained.supervoxels)
    return {*_or_own(data.bodies().apply(supervoxels), supervoxels).tolist()} if supervoxels.size else set()


def rewrite(edit: Edit, blocks: Mapping[Zyx, LabelBlock]) -> None:
    """Store blocks of full resolution as part of an edit; indices, extents, largest label and coarser scales follow."""
    data = edit.data
    new = [
        NewBlock(place, block, stored_blocks.pack(data, block), codec.count(block)) for place, block in blocks.items()
    ]
    if data.indexed:
        _index(edit, new, joined(entries_of_counts(one.place, one.counts) for one in new), mutate=True)
    _note(edit, new)
    _put(edit, 0, new, downres=True)


def _index(edit: Edit, new: Sequence[NewBlock], gained: Entries, *, mutate: bool) -> None:
    """What new blocks have is added to the indices, what stood there is taken off, or what of it is there again."""
    before = _before(edit.data, new)
    lost = joined(had for _, had in before)
    if not mutate:
        had_all, lost = lost, joined(_again(one, had) for one, had in before)
        if lost.blocks.size < had_all.blocks.size:
            edit.note_by_hand()
    update_indices(edit, joined([gained, lost._replace(voxels=-lost.voxels)]))


def _put(edit: Edit, scale: int, new: Sequence[NewBlock], *, downres: bool) -> None:
    for one in new:
        edit.put_block(scale, one.place, one.stored)
    edit.publish(Written(scale, [one.place for one in new]))
    coarser.follow(edit, scale, {one.place: one.block for one in new}, downres=downres)


def entries_of_block(index: Zyx, block: LabelBlock) -> Entries:
    """What a block has of each supervoxel; background is none."""
    return entries_of_counts(index, codec.count(block))


def entries_of_counts(index: Zyx, counts: tuple[Labels, NDArray[np.int64]]) -> Entries:
    """The same of labels and their voxels."""
    labels, voxels = counts
    labels, voxels = labels[labels > 0], voxels[labels > 0]
    return Entries(np.repeat(keys_of([index]), labels.size), labels, voxels)


def _before(data: LabelMap, new: Iterable[NewBlock]) -> list[tuple[NewBlock, Entries]]:
    """New blocks where others stood, and what those had."""
    places = {one.place: one for one in new}
    there = [(places[at], value) for at, value in stored_blocks.find(data, 0, places) if value is not None]
    had = stored_blocks.spread(
        data, lambda one: entries_of_block(one[0].place, stored_blocks.load(data, one[1])), there
    )
    return [(one, entries) for (one, _), entries in zip(there, had, strict=True)]


def _again(one: NewBlock, had: Entries) -> Entries:
    """What was there before of labels that a new block has too."""
    return had.where(np.isin(had.supervoxels, one.counts[0]))


def update_indices(edit: Edit, changes: Entries) -> None:
    """Add changes of voxels to the indices of the bodies that their supervoxels belong to."""
    changes = changes.netted()
    if not changes.blocks.size:
        return
    labels, owners = _owners(edit, changes.supervoxels)
    stored = edit.stored_indices(labels)
    small = np.array([not is_head(one) for one in stored])
    for at in np.flatnonzero(~small).tolist():
        label = int(labels[at])
        edit.put_body(label, edit.body(label).changed(changes.where(owners == at)), stamp=False, remember=False)
    if not small.all():
        among = small[owners]
        owners, changes = (np.cumsum(small) - 1)[owners[among]], changes.where(among)
        labels, stored = labels[small], [one for one, kept in zip(stored, small.tolist(), strict=True) if kept]
    edit.put_messages(labels, changed_many(stored, labels, owners, changes))


def _owners(edit: Edit, supervoxels: Labels) -> tuple[Labels, NDArray[np.intp]]:
    """(bodies that nobody else edits from here on, which of them each supervoxel belongs to)."""
    held = False
    while not held:  # what is held is not mapped anew by others
        mapped = edit.data.bodies().apply(supervoxels)
        labels, owners = np.unique(_or_own(mapped, supervoxels), return_inverse=True)
        held = edit.hold(labels.tolist())
    back = np.unique(supervoxels[mapped == 0])
    if back.size:
        edit.map_pairs(back, back)
    return labels, owners


def _or_own(mapped: Labels, supervoxels: Labels) -> Labels:
    """Bodies; a supervoxel that was split away, and comes back, is a body of its own again."""
    return np.where(mapped == 0, supervoxels, mapped)


def _note(edit: Edit, new: Sequence[NewBlock]) -> None:
    """Extents and the largest label grow."""
    block = edit.data.block
    for one in new:
        edit.cover(Box(one.place, (1, 1, 1)).voxels(block))
    edit.use_labels(max((int(one.block.labels.max()) for one in new), default=0))
