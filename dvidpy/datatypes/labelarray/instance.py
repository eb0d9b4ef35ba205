"""A labelarray instance at one version."""

from __future__ import annotations

from typing import Any, ClassVar

from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.relabelling.edits import Relabelled


class LabelArray(Relabelled):
    """Labels in blocks; each is a body, whose index says where its voxels are."""

    __slots__ = ()

    points_have_scales: ClassVar[bool] = False
    bounds_must_hold: ClassVar[bool] = True
    packs_specific: ClassVar[bool] = False

    def demand_scale(self, scale: int) -> int:
        """Any: scales behind the last one hold what clients write there, as in the reference."""
        return scale

    def described(self, body: Body) -> dict[str, Any]:
        """Without the number of voxels, as in the reference."""
        found = super().described(body)
        del found["voxels"]
        return found

    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words."""
        found = {**super().extended(), "CountLabels": self.instance.settings.get("CountLabels", self.indexed)}
        del found["NextLabel"]
        return found
