"""A labelvol instance at one version.

It keeps the voxels of its labelblk a second time, with indices: so a sparse volume is of one moment, whatever happens
to the labelblk. Edits are made where voxels are posted, in the labelblk, if both follow each other; the labelvol hears
of them as it hears of posts, in their order, so that neither can undo the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dvidpy.datatypes.events import FOLLOW, deliver, followers
from dvidpy.datatypes.labelled.copies import labelled_of
from dvidpy.datatypes.labelled.edits import Edit, editing
from dvidpy.datatypes.labelled.ids import max_label
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.relabelling.edits import Relabelled
from dvidpy.errors import BadRequest
from dvidpy.versioning.queue import Task

FILL = "fill sparse volumes"
"""Kind of the tasks that bring all blocks in step with the labelblk (`filling`)."""


class LabelVol(Relabelled):
    """Sparse volumes of labels."""

    __slots__ = ()

    runs_alone = True
    points_have_scales = False

    def labelblk(self) -> LabelMap | None:
        """The labelblk that it follows; None where there is none."""
        syncs = self.datastore.catalogue.current(self.instance).syncs
        found = (labelled_of(self, uuid) for uuid in syncs)
        return next((one for one in found if one is not None), None)

    def need_labelblk(self) -> LabelMap:
        """The same; BadRequest where there is none."""
        found = self.labelblk()
        if found is None:
            raise BadRequest(f"{self.instance.name!r} follows no labelblk")
        return found

    def is_pair(self, voxels: LabelMap) -> bool:
        """The labelblk follows this instance, too."""
        return voxels.instance.uuid in {one.uuid for one in followers(self)}

    @contextmanager
    def editing(self) -> Iterator[Edit]:
        """An edit of the labelblk, after all that it told was heard; of this instance where they are no pair.

        BadRequest where their blocks are of different sizes.
        """
        voxels = self.labelblk()
        if voxels is None or not self.is_pair(voxels):
            with editing(self) as edit:
                yield edit
            return
        if voxels.block != self.block:
            raise BadRequest(f"{voxels.instance.name!r} has blocks of another size: labels of both cannot be edited")
        with voxels.state.turns.of():
            self._hear_all(voxels)
            with editing(voxels) as edit:
                yield edit

    def _hear_all(self, voxels: LabelMap) -> None:
        """Hear now what was told to this version. The background queue finds later that it is known."""
        own, theirs = (self.datastore.stack_of(one.instance).queue for one in (self, voxels))
        for queue in (own, theirs) if own is not theirs else (own,):
            for key, task in queue.pending():
                if (task.instance, task.version) == (self.instance.number, self.version) and key not in queue.parked:
                    self._hear_now(task)

    def _hear_now(self, task: Task) -> None:
        from dvidpy.datatypes.labelvol.filling import fill  # which is about instances itself

        if task.kind in (FOLLOW, FILL):
            (deliver if task.kind == FOLLOW else fill)(self.datastore, task, self.change())

    def info(self) -> dict[str, Any]:
        """Base and Extended, as in the reference."""
        found = super().info()
        del found["Extents"]
        return found

    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words."""
        kept = {name: self.instance.settings[name] for name in ("BlockSize", "VoxelSize", "VoxelUnits")}
        return {**kept, "MaxLabel": max_label(self)}
