"""Routes of segmentations."""

from __future__ import annotations

from typing import Annotated

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import Call, Reply
from dvidpy.datatypes.rooms import Room, TheCall
from dvidpy.datatypes.views.precomputed import volume_routes
from dvidpy.datatypes.views.precomputed.volume_routes import INFO, info_reply
from dvidpy.datatypes.views.volumes import Scaled

room = Room(heads=True, routes=volume_routes.room.routes)


@room.get("/precomputed/info", summary="precomputed:// segmentation", responses=INFO)
def get_segmentation_info(volume: Annotated[Scaled, Here], call: Annotated[Call, TheCall]) -> Reply:
    """Bodies at all scales, read as precomputed://http://…/precomputed."""
    return info_reply(call, volume, {})
