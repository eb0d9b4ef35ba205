"""Split of a supervoxel: a part of it and the rest are two new supervoxels of the same body."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.edits import Edit, editing, touched
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.turns import Names, in_turn
from dvidpy.datatypes.labelled.volumes import keep_volume, read_volume
from dvidpy.datatypes.labelmap.mutations.cutting import Cutting
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.datatypes.labels.runs import voxels_in
from dvidpy.datatypes.labels.sheets import Sheeted
from dvidpy.datatypes.labels.splits import Cut
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_runs import Runs


class SplitSupervoxel(Struct, frozen=True, tag="split-supervoxel", tag_field="kind"):
    """A supervoxel that is no more, and the two that have its voxels."""

    body: int
    supervoxel: int
    split: int
    remain: int
    volume: str
    """Reference of the blob with the runs of what was split off."""
    blocks: list[tuple[int, int, int]]
    """z, y, x of the blocks that were written."""
    downres: bool

    def apply(self, edit: Edit) -> None:
        """Nothing happens where it was applied already."""
        self.apply_with(edit, self.cutting(edit.data, read_volume(edit.data, self.volume)))

    def cutting(self, data: LabelMap, runs: Runs) -> Cutting:
        """What it does to blocks."""
        return Cutting(data, {self.supervoxel: Cut(self.split, self.remain)}, runs)

    def apply_with(self, edit: Edit, cutting: Cutting) -> None:
        """The same with blocks that may have been cut before."""
        cutting.apply(edit, self.body, self.blocks, downres=self.downres)
        edit.map(np.array([self.split, self.remain], np.uint64), self.body)


def split_supervoxel(
    data: LabelMap, supervoxel: int, runs: Runs, *, given: Cut | None = None, downres: bool = True
) -> tuple[Cut, int]:
    """Cut a supervoxel in two; (the labels of both, id of the mutation).

    Args:
        data: the version to change.
        supervoxel: label to be cut; BadRequest where there is none of that name.
        runs: voxels to be split off. Those outside the supervoxel are left alone; BadRequest where none are inside,
            or where nothing would remain.
        given: labels to use, 0 for a new one; BadRequest where one is in use.
        downres: the coarser scales follow, in the background.
    """
    part = _demand_cut(data.find_body, data.body_of(supervoxel), supervoxel, runs)
    given = given or Cut(0, 0)
    cut = _labels_for(data, supervoxel, given)
    cutting = Cutting(data, {supervoxel: cut}, runs)
    cutting.prepare(part.places, downres=downres)
    asked = _Asked(supervoxel, runs, given, downres, keep_volume(data, runs))
    names = touched(data, [part.label, supervoxel, *cut], part.places)
    return in_turn(lambda named: _split(data, asked, cutting, named), names)


class _Asked(NamedTuple):
    """What a client asks for."""

    supervoxel: int
    runs: Runs
    given: Cut
    downres: bool
    volume: str


def _split(data: LabelMap, asked: _Asked, cutting: Cutting, names: Names | None) -> tuple[Cut, int]:
    """Elsewhere where it touches more than these names."""
    supervoxel, cut = asked.supervoxel, cutting.cuts[asked.supervoxel]
    with editing(data, names) as edit:
        part = _demand_cut(edit.body, _body_of(edit, supervoxel), supervoxel, asked.runs)
        edit.hold(blocks=part.places)
        size = part.voxels
        if ids.used_among(data, cut):  # voxels of these labels came in meanwhile
            cut = _labels_for(data, supervoxel, asked.given)
            cutting = Cutting(data, {supervoxel: cut}, asked.runs)
        event = SplitSupervoxel(part.label, supervoxel, *cut, asked.volume, part.places, asked.downres)
        event.apply_with(edit, cutting)
        inside = edit.body(part.label).only(np.array([cut.split], np.uint64)).voxels
        if not 0 < inside < size:
            raise BadRequest(f"the volume holds {inside} of the {size} voxels of supervoxel {supervoxel}")
        edit.publish(event)
        edit.say(
            {
                "Action": "split-supervoxel-complete",
                "Supervoxel": supervoxel,
                "Body": part.label,
                "SplitSupervoxel": cut.split,
                "RemainSupervoxel": cut.remain,
                "Split": asked.volume,
                "SplitSize": inside,
                "RemainSize": size - inside,
            }
        )
    return cut, edit.mutation


def _body_of(edit: Edit, supervoxel: int) -> int:
    """Body of a supervoxel, which is its body until the edit is over."""
    while not edit.hold([label := edit.data.body_of(supervoxel)]):
        pass  # it may have been merged away just before
    return label


def _demand_cut(find: Callable[[int], Sheeted | Body | None], label: int, supervoxel: int, runs: Runs) -> LabelIndex:
    """What the supervoxel has of the index of its body; BadRequest where the volume cannot cut it in two."""
    body = find(label) if label else None
    part = body.only(np.array([supervoxel], np.uint64)) if body else LabelIndex(label)
    size = part.voxels
    if not size:
        raise BadRequest(f"there is no supervoxel {supervoxel}")
    if not 0 < voxels_in(runs) < size:
        raise BadRequest(f"a volume of {voxels_in(runs)} voxels does not cut the {size} of supervoxel {supervoxel}")
    return part


def _labels_for(data: LabelMap, supervoxel: int, given: Cut) -> Cut:
    """Labels of the two parts."""
    named = [label for label in given if label]
    if len({supervoxel, *named}) < 1 + len(named):
        raise BadRequest("the parts of a supervoxel have labels of their own")
    for label in ids.used_among(data, named):
        raise BadRequest(f"label {label} is in use")
    found = []
    for label in given:  # as in the reference a new label for what is split off knows nothing of the one that remains
        ids.note_label(data, label)
        found.append(label or ids.take_unused(data, but=[*named, supervoxel]))
    return Cut(*found)
