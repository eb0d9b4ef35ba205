"""Merge: bodies become part of another one."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from dvidpy.datatypes.events import Moved
from dvidpy.datatypes.labelled.edits import Edit, editing, touched
from dvidpy.datatypes.labelled.haste import demand_small
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_blocks import Labels


class Part(Struct, frozen=True, array_like=True):
    """A body as it was before."""

    label: int
    supervoxels: list[int]


class Merge(Struct, frozen=True, tag="merge", tag_field="kind"):
    """Bodies that are no more, and the one that has their supervoxels."""

    target: int
    parts: list[Part]

    def apply(self, edit: Edit) -> None:
        """Nothing happens where it was applied already."""
        edit.put_body(self.target, edit.body(self.target).merged(edit.body(part.label) for part in self.parts))
        for part in self.parts:
            edit.end_body(part.label)
        edit.map(np.concatenate([np.array(part.supervoxels, np.uint64) for part in self.parts]), self.target)


def merge(data: LabelMap, labels: Labels, *, at_once: bool = False) -> int:
    """Merge the bodies labels[1:] into labels[0]; id of the mutation. BadRequest where one of them is no body.

    Costs what the heads of the indices take, whichever is the larger one, and the supervoxels of the others.
    NotNow where that is much for an edit `at_once`.
    """
    target, *others = dict.fromkeys(labels.tolist()) or [0]
    if not others or target in labels[1:]:
        raise BadRequest("a merge takes a target, and bodies other than it")
    with editing(data, touched(data, [target, *others]), at_once=at_once) as edit:
        edit.read([target, *others])
        edit.need_body(target)
        bodies = [edit.need_body(label) for label in others]
        if at_once:
            demand_small(data, *bodies)
        event = Merge(
            target, [Part(label, body.supervoxels.tolist()) for label, body in zip(others, bodies, strict=True)]
        )
        event.apply(edit)
        edit.moved(
            Moved(one.label, target, body.voxels, 0, tuple(one.supervoxels))
            for one, body in zip(event.parts, bodies, strict=True)
        )
        edit.publish(event)
        edit.say({"Action": "merge-complete", "Target": target, "Labels": others})
    return edit.mutation
