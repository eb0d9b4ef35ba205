"""Split of a body: a volume of it becomes a body of its own. Supervoxels that lie partly inside are cut in two."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from dvidpy.datatypes.events import Moved
from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.edits import Edit, editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.volumes import keep_volume, read_volume
from dvidpy.datatypes.labelmap.mutations.cutting import Cutting
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.datatypes.labels.runs import dealt, voxels_in
from dvidpy.datatypes.labels.splits import Cut, sizes_under
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_runs import Runs


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
    with editing(data) as edit:
        index = edit.need_index(body)
        if not 0 < voxels_in(runs) < index.voxels:
            raise BadRequest(f"a volume of {voxels_in(runs)} voxels does not cut the {index.voxels} of body {body}")
        inside = _inside(data, index, runs)
        new = edit.new_label(label)
        event = _event(data, index, inside, new, runs)
        event.apply_with(edit, event.cutting(data, runs))
        edit.publish(event)
        inner = voxels_in(runs)
        gone = (*event.whole, *(one.split for one in event.cuts))
        others = index.supervoxels.size - len(event.whole)
        edit.moved(Moved(body, new, inner, index.voxels - inner, gone, others))
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


def _inside(data: LabelMap, index: LabelIndex, runs: Runs) -> dict[int, int]:
    """Voxels of each supervoxel inside the volume; BadRequest where some of the volume is not in the body."""
    supervoxels = set(index.supervoxels.tolist())
    sizes: dict[int, int] = {}
    for place, mask in dealt(runs, index.places, data.block):
        block = stored_blocks.load_one(data, 0, place)
        for label, voxels in (sizes_under(block, mask) if block else {}).items():
            sizes[label] = sizes.get(label, 0) + voxels
    if sum(voxels for label, voxels in sizes.items() if label in supervoxels) != voxels_in(runs):
        raise BadRequest(f"the volume is not within body {index.label}")
    return sizes


def _event(data: LabelMap, index: LabelIndex, inside: dict[int, int], new: int, runs: Runs) -> SplitBody:
    had = dict(zip(*(column.tolist() for column in index.sizes()), strict=True))
    whole = sorted(label for label, voxels in inside.items() if voxels == had[label])
    partly = sorted(set(inside).difference(whole))
    first = ids.take_unused(data, 2 * len(partly), but=[new]) if partly else 0
    cuts = [SupervoxelCut(label, first + 2 * at, first + 2 * at + 1) for at, label in enumerate(partly)]
    places = index.only(np.array(partly, np.uint64)).places
    return SplitBody(index.label, new, cuts, whole, keep_volume(data, runs), places)
