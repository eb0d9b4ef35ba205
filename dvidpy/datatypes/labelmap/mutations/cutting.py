"""Supervoxels cut in two by a volume of runs: blocks and index after it, and what each block lost.

Blocks are read and cut, and those above them computed, before anybody is kept waiting; under the lock only those are
that changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.downres import Ahead, follow
from dvidpy.datatypes.labelled.edits import Edit
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.index import Entries, entries_of, split_supervoxel
from dvidpy.datatypes.labels.masks import Mask
from dvidpy.datatypes.labels.runs import dealt
from dvidpy.datatypes.labels.sheets import Sheeted
from dvidpy.datatypes.labels.splits import Cut, split
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_runs import Runs


class CutBlock(NamedTuple):
    """A block that was cut."""

    before: bytes
    """As it was stored."""
    after: LabelBlock | None
    """What is there instead; none where it has none of the supervoxels."""
    stored: bytes
    """The same, packed."""
    inside: dict[int, int]
    """Voxels of each supervoxel inside the volume."""


class Cutting:
    """Some supervoxels and the volume that cuts them."""

    def __init__(self, data: LabelMap, cuts: dict[int, Cut], runs: Runs) -> None:
        self._data, self.cuts, self._runs = data, cuts, runs
        self._done: dict[Zyx, CutBlock] = {}
        self._ahead = Ahead()

    def prepare(self, places: Iterable[Zyx], *, downres: bool) -> None:
        """Do what takes long, before the turn of the edit comes."""
        still = self._data.still()
        done = self._cut_all(still, places)
        if downres:
            self._ahead.prepare(still, _written(done))

    def _cut_all(self, data: LabelMap, places: Iterable[Zyx]) -> dict[Zyx, CutBlock]:
        """Cut the blocks that were not cut yet, or were written since then."""
        found = {place: value for place, value in stored_blocks.find(data, 0, places) if value is not None}
        stale = [place for place, value in found.items() if not self._is_fresh(place, value.stored)]
        masks = dict(dealt(self._runs, stale, data.block))
        loaded = [(place, stored_blocks.load(data, found[place])) for place in stale]

        def cut(one: tuple[Zyx, LabelBlock]) -> CutBlock:
            place, block = one
            return self._cut(block, masks.get(place), found[place].stored)

        self._done.update(zip(stale, stored_blocks.spread(data, cut, loaded), strict=True))
        return {place: self._done[place] for place in found}

    def _is_fresh(self, place: Zyx, stored: bytes) -> bool:
        return place in self._done and self._done[place].before == stored

    def _cut(self, block: LabelBlock, mask: Mask | None, stored: bytes) -> CutBlock:
        if not set(self.cuts).intersection(block.labels.tolist()):
            return CutBlock(stored, None, stored, {})
        after, sizes = split(block, mask, self.cuts)
        inside = {label: size.split for label, size in sizes.items()}
        return CutBlock(stored, after, stored_blocks.pack(self._data, after), inside)

    # ------------------------------------------------------------------ in an edit
    def apply(self, edit: Edit, body: int, places: Iterable[Zyx], *, downres: bool) -> None:
        """Write the blocks that hold the supervoxels, and the index of the body that has all of them."""
        inside, rest = edit.body(body).parted(np.array([*self.cuts], np.uint64))
        index = inside.whole()
        done = self._cut_all(edit.data, places)
        written = _written(done)
        for place in written:
            edit.put_block(0, place, done[place].stored)
        follow(edit, 0, written, downres=downres, ahead=self._ahead)
        named = set(index.supervoxels.tolist())
        for supervoxel, cut in self.cuts.items():
            if supervoxel in named:
                gone = _inside(done, supervoxel)
                index = split_supervoxel(index, supervoxel, cut.split, cut.remain, gone)
            edit.split(supervoxel, cut.remain, cut.split)
            edit.map(np.array([supervoxel], np.uint64), 0)
        edit.put_body(body, rest.merged([Sheeted(index)]))
        edit.use_labels(max(max(cut) for cut in self.cuts.values()))


def _written(done: Mapping[Zyx, CutBlock]) -> dict[Zyx, LabelBlock]:
    """Blocks that are other ones now."""
    return {place: one.after for place, one in done.items() if one.after is not None}


def _inside(done: dict[Zyx, CutBlock], supervoxel: int) -> Entries:
    """What was split off a supervoxel."""
    found = {place: one.inside[supervoxel] for place, one in done.items() if one.inside.get(supervoxel)}
    return entries_of(found, [0] * len(found), found.values())
