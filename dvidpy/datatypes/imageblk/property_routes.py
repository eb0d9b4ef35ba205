"""Routes of properties: metadata, extents, resolution, keys."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Reply, json_reply
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.keys import block_key
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Parse, Room, WholeBody, at_once
from dvidpy.datatypes.settings import read_json
from dvidpy.datatypes.voxels.extents import read_extents
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer
from dvidpy.storage.keys import cell

room = Room()

ND_DATA = b"application/vnd.dvid-nd-data+json"
Coordinate = Annotated[int | None, Query(description="Of the block.", examples=["3"]), Parse(parse_integer)]


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
def get_metadata(image: Annotated[ImageBlk, Here]) -> Reply:
    """Label, resolution, units, size and offset of each axis; sizes are 0 before any voxels were posted."""
    return Reply(orjson.dumps(image.metadata()), ND_DATA)


@room.post(
    "/extents",
    summary="Set the extents",
    openapi_extra=takes("Both corners", "application/json", {"MinPoint": [0, 0, 0], "MaxPoint": [249, 249, 249]}),
    responses=gives("Stored", "text/plain", ""),
)
def post_extents(image: Annotated[ImageBlk, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """Replaces those of this version; a missing point counts as 0, 0, 0. Voxels posted later widen them again."""
    image.set_extents(read_extents(body))
    return DONE


@room.post(
    "/resolution",
    summary="Set the size of voxels",
    openapi_extra=takes("x, y, z in the units of the instance", "application/json", [8, 8, 40]),
    responses=gives("Stored", "text/plain", ""),
)
def post_resolution(image: Annotated[ImageBlk, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """All versions share it."""
    image.set_resolution(read_json(body))
    return DONE


@room.get(
    "/rawkey",
    summary="Key of a block in the store",
    responses=gives("In hexadecimal digits", "application/json", {"Key": "10000000010180000003"}),
)
@at_once
def get_rawkey(
    image: Annotated[ImageBlk, Here], x: Coordinate = None, y: Coordinate = None, z: Coordinate = None
) -> Reply:
    """The key under which this version itself keeps the block, whether it has it or not."""
    if x is None or y is None or z is None:
        raise BadRequest("rawkey needs the block's coordinates as x, y and z")
    key = image.view.prefix + block_key((z, y, x)) + cell(image.version)
    return json_reply({"Key": key.hex().upper()})
