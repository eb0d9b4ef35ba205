"""Split of a body: a volume of it becomes a body of its own. Supervoxels that lie partly inside are cut in two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct

from dvidpy.datatypes.events import Moved
from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.edits import Edit, editing, touched
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import block_key
from dvidpy.datatypes.labelled.turns import Names, in_turn
from dvidpy.datatypes.labelled.volumes import keep_volume, read_volume
from dvidpy.datatypes.labelmap.mutations.cutting import Cutting
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.datatypes.labels.runs import dealt, voxels_in
from dvidpy.datatypes.labels.splits import Cut, sizes_under
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_runs import Runs
from dvidpy.versioning.found import Found


class SupervoxelCut(Struct, frozen=True, array_like=True):
    """A supervoxel that is no more, and the two that have its voxels."""

    supervoxel: int
    split: int
    remain: int


class SplitBody(Struct, frozen=True, tag="split", tag_field="kind"):
    """A body, and the new one that was split off it."""

    body: int
    new: int
    cuts: list[SupervoxelCut]
    """Supervoxels that were cut; the parts split off belong to the new body."""
    whole: list[int]
    """Supervoxels that went over as they are."""
    volume: str
    """Reference of the blob with the runs of what was split off."""
    blocks: list[tuple[int, int, int]]
    """z, y, x of the blocks that were written."""

    def apply(self, edit: Edit) -> None:
        """Nothing happens where it was applied already."""
        self.apply_with(edit, self.cutting(edit.data, read_volume(edit.data, self.volume)))

    def new_supervoxels(self) -> list[int]:
        """Labels of the parts."""
        return [label for one in self.cuts for label in (one.split, one.remain)]

    def cutting(self, data: LabelMap, runs: Runs) -> Cutting:
        """What it does to blocks."""
        return Cutting(data, {one.supervoxel: Cut(one.split, one.remain) for one in self.cuts}, runs)

    def apply_with(self, edit: Edit, cutting: Cutting) -> None:
        """The same with blocks that may have been cut before."""
        if self.cuts:
            cutting.apply(edit, self.body, self.blocks, downres=True)
        gone = np.array([*self.whole, *(one.split for one in self.cuts)], np.uint64)
        edit.move(gone, self.body, self.new)
        edit.map(np.array([self.new], np.uint64), 0)  # no supervoxel has that number
        edit.map(np.array([one.remain for one in self.cuts], np.uint64), self.body)
        edit.map(gone, self.new)
        edit.use_labels(self.new)


def split_body(data: LabelMap, body: int, runs: Runs, *, label: int | None = None) -> tuple[int, int]:
    """Split a volume off a body; (label of the new body, id of the mutation).

    BadRequest where the volume is empty, all of the body, or not within it, or where the given label is in use.
    """
    still = data.still()
    ahead = _look(still, _need_index(still, body), runs)  # what takes long comes before the turn of the edit
    new = ids.claim(data, label)
    event = _event(data, ahead, new, keep_volume(data, runs))
    cutting = event.cutting(data, runs)
    cutting.prepare(event.blocks, downres=True)
    names = touched(data, [body, new, *event.new_supervoxels()], [*ahead.blocks, *event.blocks])
    return in_turn(lambda named: _split(data, runs, _Ahead(ahead, event, cutting), named), names)


def _split(data: LabelMap, runs: Runs, ahead: _Ahead, names: Names | None) -> tuple[int, int]:
    """Elsewhere where it touches more than these names."""
    _, event, cutting = ahead
    body, new = event.body, event.new
    with editing(data, names) as edit:
        index = edit.need_index(body)
        found = _found_now(edit, index, ahead.found, runs)
        edit.new_label(new)
        if not found.agrees_with(ahead.found) or ids.used_among(data, event.new_supervoxels()):
            event = _event(data, found, new, event.volume)
            cutting = event.cutting(data, runs)
        edit.hold(blocks=event.blocks)
        event.apply_with(edit, cutting)
        edit.publish(event)
        inner = voxels_in(runs)
        gone = (*event.whole, *(one.split for one in event.cuts))
        others = index.supervoxels.size - len(event.whole)
        edit.moved([Moved(body, new, inner, index.voxels - inner, gone, others)])
        edit.say(
            {
                "Action": "split-complete",
                "Target": body,
                "NewLabel": new,
                "Split": event.volume,
                "SVSplits": {str(one.supervoxel): {"Split": one.split, "Remain": one.remain} for one in event.cuts},
            }
        )
    return new, edit.mutation


def _need_index(data: LabelMap, body: int) -> LabelIndex:
    found = data.find_body(body)
    if found is None:
        raise BadRequest(f"label {body} is no body")
    return found.index


class _Found(NamedTuple):
    """What a volume holds of a body."""

    body: LabelIndex
    inside: dict[int, int]
    """Voxels of each supervoxel."""
    blocks: dict[Zyx, bytes | None]
    """Those that it reaches into, as they are stored."""

    def is_fresh(self, data: LabelMap, index: LabelIndex) -> bool:
        """Whether body and blocks are what they were."""
        found = stored_blocks.find(data, 0, self.blocks)
        return self._has(index) and all(_stored(one) == self.blocks[place] for place, one in found)

    def agrees_with(self, other: _Found) -> bool:
        """Whether the same is to be cut."""
        return self.inside == other.inside and self._has(other.body)

    def _has(self, index: LabelIndex) -> bool:
        return all(map(np.array_equal, self.body.entries, index.entries))


class _Ahead(NamedTuple):
    """What was done before the turn of the edit."""

    found: _Found
    event: SplitBody
    cutting: Cutting


def _found_now(edit: Edit, index: LabelIndex, found: _Found, runs: Runs) -> _Found:
    """What a volume holds now, in blocks that nobody else writes until the edit is over."""
    while True:
        if not found.is_fresh(edit.data, index):
            found = _look(edit.data, index, runs)
        if edit.hold(blocks=found.blocks):
            return found


def _look(data: LabelMap, index: LabelIndex, runs: Runs) -> _Found:
    """BadRequest where the volume is empty or all of the body, or where some of it is not in the body."""
    if not 0 < voxels_in(runs) < index.voxels:
        raise BadRequest(f"a volume of {voxels_in(runs)} voxels does not cut the {index.voxels} of body {index.label}")
    supervoxels = set(index.supervoxels.tolist())
    inside: dict[int, int] = {}
    blocks: dict[Zyx, bytes | None] = {}
    for place, mask in dealt(runs, index.places, data.block):
        found = data.view.find(block_key(0, place))
        blocks[place] = _stored(found)
        for label, voxels in (sizes_under(stored_blocks.load(data, found), mask) if found else {}).items():
            inside[label] = inside.get(label, 0) + voxels
    if sum(voxels for label, voxels in inside.items() if label in supervoxels) != voxels_in(runs):
        raise BadRequest(f"the volume is not within body {index.label}")
    return _Found(index, inside, blocks)


def _stored(found: Found | None) -> bytes | None:
    return None if found is None else found.stored


def _event(data: LabelMap, found: _Found, new: int, volume: str) -> SplitBody:
    had = dict(zip(*(column.tolist() for column in found.body.sizes()), strict=True))
    whole = sorted(label for label, voxels in found.inside.items() if voxels == had[label])
    partly = sorted(set(found.inside).difference(whole))
    first = ids.take_unused(data, 2 * len(partly), but=[new]) if partly else 0
    cuts = [SupervoxelCut(label, first + 2 * at, first + 2 * at + 1) for at, label in enumerate(partly)]
    places = found.body.only(np.array(partly, np.uint64)).places
    return SplitBody(found.body.label, new, cuts, whole, volume, places)
