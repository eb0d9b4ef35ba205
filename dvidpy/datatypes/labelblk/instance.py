"""A labelblk instance at one version."""

from __future__ import annotations

from typing import Any, ClassVar

from dvidpy.datatypes.labelled.instance import LabelMap


class LabelBlk(LabelMap):
    """Labels in blocks."""

    __slots__ = ()

    has_scales: ClassVar[bool] = False

    def info(self) -> dict[str, Any]:
        """Base and Extended, without Extents and indices of blocks, as in the reference."""
        found = super().info()
        del found["Extents"]
        found["Extended"] |= {"MinIndex": None, "MaxIndex": None}
        return found

    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words."""
        return self.properties()
