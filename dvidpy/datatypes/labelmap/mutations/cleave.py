"""Cleave: supervoxels of a body become another body."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from dvidpy.datatypes.events import Moved
from dvidpy.datatypes.labelled.edits import Edit, editing, touched
from dvidpy.datatypes.labelled.haste import demand_small
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels.index import among, distinct
from dvidpy.datatypes.labels.sheets import Sheeted
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_blocks import Labels


class Cleave(Struct, frozen=True, tag="cleave", tag_field="kind"):
    """Supervoxels that went from a body to another one."""

    body: int
    cleaved: int
    supervoxels: list[int]

    def apply(self, edit: Edit) -> None:
        """Nothing happens where it was applied already."""
        supervoxels = np.array(self.supervoxels, np.uint64)
        edit.move(supervoxels, self.body, self.cleaved)
        edit.map(np.array([self.cleaved], np.uint64), 0)  # no supervoxel has that number
        edit.map(supervoxels, self.cleaved)
        edit.use_labels(self.cleaved)


def cleave(
    data: LabelMap, body: int, supervoxels: Labels, *, given: int | None = None, at_once: bool = False
) -> tuple[int, int]:
    """Make some supervoxels of a body another one of a new label; (that label, id of the mutation).

    BadRequest where the body has not all of them, or has no others, or where the given label is in use. A new label is
    used up then. NotNow where that is much for an edit `at_once`: then none is.
    """
    wanted = distinct(supervoxels)
    names = touched(data, [body] if given is None else [body, given])
    with editing(data, names, at_once=at_once) as edit:
        if at_once:
            demand_small(data, edit.body(body))
        label = edit.new_label(given)
        if not wanted.size:
            raise BadRequest("a cleave takes supervoxels of the body")
        edit.read([body, label])
        edit.need_body(body)
        event = Cleave(body, label, wanted.tolist())
        event.apply(edit)
        moved, left = edit.body(label), edit.body(body)
        missing = wanted[~among(wanted, moved.supervoxels)]
        if missing.size:
            raise BadRequest(f"supervoxel {missing[0]} is not in body {body}")
        if left.is_empty:
            raise BadRequest(f"cleaving all supervoxels of body {body} leaves nothing of it")
        edit.publish(event)
        edit.moved(_moves(event, moved, left))
        said = {"OrigLabel": body, "CleavedLabel": label, "CleavedSupervoxels": supervoxels.tolist()}
        edit.say(
            {"Action": "cleave-complete", **said, "CleavedSize": moved.voxels, "RemainSize": left.voxels},
        )
    return label, edit.mutation


def _moves(event: Cleave, moved: Sheeted, left: Sheeted) -> Iterator[Moved]:
    """What went; how many supervoxels are left is not worked out before somebody asks."""
    sizes = moved.voxels, left.voxels
    yield Moved(event.body, event.cleaved, *sizes, tuple(event.supervoxels), len(left.supervoxels))
