"""What every instance of voxels answers, whatever its type: metadata, extents, resolution."""

from __future__ import annotations

from typing import Annotated

import orjson

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Reply
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody, at_once
from dvidpy.datatypes.settings import read_json
from dvidpy.datatypes.voxels.extents import read_extents
from dvidpy.datatypes.voxels.volume import Volume

room = Room()

ND_DATA = b"application/vnd.dvid-nd-data+json"


@room.get(
    "/metadata",
    summary="Axes of the volume",
    responses=gives(
        "Axes and Properties",
        ND_DATA.decode(),
        {"Axes": [{"Label": "X", "Resolution": 8, "Units": "nanometers", "Size": 250, "Offset": 0}], "Properties": {}},
    ),
)
@at_once
def get_metadata(volume: Annotated[Volume, Here]) -> Reply:
    """Label, resolution, units, size and offset of each axis; sizes are 0 before any voxels were posted."""
    return Reply(orjson.dumps(volume.metadata()), ND_DATA)


@room.post(
    "/extents",
    summary="Set the extents",
    openapi_extra=takes("Both corners", "application/json", {"MinPoint": [0, 0, 0], "MaxPoint": [249, 249, 249]}),
    responses=gives("Stored", "text/plain", ""),
)
def post_extents(volume: Annotated[Volume, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """Replaces those of this version; a missing point counts as 0, 0, 0. Voxels posted later widen them again."""
    volume.set_extents(read_extents(body))
    return DONE


@room.post(
    "/resolution",
    summary="Set the size of voxels",
    openapi_extra=takes("x, y, z in the units of the instance", "application/json", [8, 8, 40]),
    responses=gives("Stored", "text/plain", ""),
)
def post_resolution(volume: Annotated[Volume, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """All versions share it."""
    volume.set_resolution(read_json(body))
    return DONE
