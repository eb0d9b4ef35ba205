"""Where a block is kept."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import Reply, json_reply
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.keys import block_key
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Parse, Room, at_once
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer
from dvidpy.storage.keys import cell

room = Room()

Coordinate = Annotated[int | None, Query(description="Of the block.", examples=["3"]), Parse(parse_integer)]


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
