"""Routes of images."""

from __future__ import annotations

from typing import Annotated

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import Call, Reply
from dvidpy.datatypes.rooms import Room, TheCall
from dvidpy.datatypes.views.precomputed import nothing, volume_routes
from dvidpy.datatypes.views.precomputed.volume_routes import INFO, info_reply
from dvidpy.datatypes.views.volumes import Scaled

room = Room(heads=True, routes=[*volume_routes.room.routes, *nothing.room.routes])


@room.get("/precomputed/info", summary="precomputed:// volume", responses=INFO)
def get_image_info(volume: Annotated[Scaled, Here], call: Annotated[Call, TheCall]) -> Reply:
    """The image with its lower resolutions (`Pyramid`), read as precomputed://http://…/precomputed. Chunks are exact,
    but of an instance that keeps its blocks as JPEG.
    """
    return info_reply(call, volume, {})
