"""A labelblk instance at one version."""

from __future__ import annotations

from typing import Any

from dvidpy.datatypes.events import Heard, noted
from dvidpy.datatypes.labelled.copies import hear_halved, labelled_of
from dvidpy.datatypes.labelled.instance import LabelMap


class LabelBlk(LabelMap):
    """Labels in blocks."""

    __slots__ = ()

    def info(self) -> dict[str, Any]:
        """Base and Extended, without Extents and indices of blocks, as in the reference."""
        found = super().info()
        del found["Extents"]
        found["Extended"] |= {"MinIndex": None, "MaxIndex": None}
        return found

    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words."""
        return self.properties()


def hear(data: LabelBlk, heard: Heard) -> None:
    """Voxels of another labelblk are halved. What a labelvol tells was done here, or is no matter of these voxels."""
    source = labelled_of(data, heard.source)
    if source is not None and source.instance.type == data.instance.type:
        hear_halved(data, heard)
    else:
        change = data.change()
        noted(data, change, heard)
        data.view.commit(change)
