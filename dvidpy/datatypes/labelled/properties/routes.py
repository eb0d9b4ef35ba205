"""Routes of settings, and of what is in memory."""

from __future__ import annotations

from typing import Annotated

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import Reply, json_reply, text_reply
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.properties.changes import change_settings
from dvidpy.datatypes.labelled.state import map_stats
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody
from dvidpy.datatypes.settings import read_settings

room = Room()


@room.post(
    "/info",
    summary="Change settings",
    openapi_extra=takes("Settings as at creation", "application/json", {"VoxelSize": "8,8,40"}),
    responses=gives("Changed", "text/plain", "Changed 'segmentation'"),
)
def post_info(data: Annotated[LabelMap, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """VoxelSize, VoxelUnits, Background, ScaleLevel, MaxDownresLevel of all versions; MinPoint and MaxPoint of this
    one. BlockSize cannot change. Where MaxDownresLevel grows, the new scales are computed in the background.
    """
    change_settings(data, read_settings(body))
    return text_reply(f"Changed {data.instance.name!r}\n")


@room.get(
    "/map-stats",
    summary="Mappings in memory",
    responses=gives(
        "By instance, of the whole server",
        "application/json",
        {"segmentation": {"MapEntries": 3, "MapSize": "48 B", "NumVersions": 1, "MaxVersion": 2}},
    ),
)
def get_map_stats(data: Annotated[LabelMap, Here]) -> Reply:
    """Entries, bytes and versions of the mappings that are kept, and the newest of these versions."""
    return json_reply(map_stats(data.datastore))
