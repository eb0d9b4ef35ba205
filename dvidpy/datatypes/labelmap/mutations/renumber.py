"""Renumber: bodies get other labels, all of those asked for or none."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from dvidpy.datatypes.events import Moved
from dvidpy.datatypes.labelled.edits import Edit, editing, touched
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_blocks import Labels


class Renamed(Struct, frozen=True, array_like=True):
    """A body."""

    new: int
    old: int
    supervoxels: list[int]
    unnamed: bool
    """No supervoxel has had the number of the new label."""


class Renumber(Struct, frozen=True, tag="renumber", tag_field="kind"):
    """Bodies that got other labels, one after the other."""

    bodies: list[Renamed]

    def apply(self, edit: Edit) -> None:
        """Nothing happens where it was applied already."""
        for one in self.bodies:
            rename(edit, one)


def rename(edit: Edit, one: Renamed) -> None:
    """Give a body its new label; nothing where it has it already."""
    supervoxels = np.array(one.supervoxels, np.uint64)
    edit.move(supervoxels, one.old, one.new)  # not all: where it was done already, another may have its old label
    if one.unnamed:
        edit.map(np.array([one.new], np.uint64), 0)
    edit.map(supervoxels, one.new)
    edit.use_labels(one.new)


def renumber(data: LabelMap, pairs: Labels) -> None:
    """Give bodies other labels: new, old, new, old…, in this order.

    BadRequest, and nothing has happened, where an old one is no body or a new one is.
    """
    if pairs.size % 2:
        raise BadRequest("renumber takes pairs: new label, old label, new label, old label…")
    if not pairs.size:
        return
    # A supervoxel may have the number of a new label; whether a body was ever named for it, the mapping tells for good.
    with editing(data, touched(data, pairs.tolist())) as edit:
        done = []
        for new, old in pairs.reshape(-1, 2).tolist():
            if not edit.body(new).is_empty:
                raise BadRequest(f"label {new} is a body already")
            body = edit.need_body(old)
            done.append(Renamed(new, old, body.supervoxels.tolist(), not edit.named(new)))
            rename(edit, done[-1])
            edit.moved([Moved(old, new, body.voxels, 0, tuple(done[-1].supervoxels))])
            edit.say({"Action": "renumber-complete", "NewLabel": new, "OrigLabel": old})
        edit.publish(Renumber(done))
