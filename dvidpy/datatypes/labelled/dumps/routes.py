"""Route of dumps, which `dvidpy node UUID NAME dump` writes into a file."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import TEXT, Reply, pieces_reply
from dvidpy.datatypes.labelled.dumps.tables import counts, index_entries
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.mappings import as_lines
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Room
from dvidpy.errors import BadRequest

room = Room()

DUMPS = {"svcount": counts, "mappings": as_lines, "indices": index_entries}


@room.get(
    "/dump/{what}",
    summary="All of a version as text",
    responses=gives("A line each", TEXT.decode(), "14 0 1 1 4096\n15 0 1 1 512\n"),
)
def get_dump(
    data: Annotated[LabelMap, Here],
    what: Annotated[str, Path(description="svcount, mappings or indices.", examples=["svcount"])],
) -> Reply:
    """`svcount`: supervoxel, block z, y, x and voxels, counted in the blocks. `indices`: body, then the same, out of
    the indices. `mappings`: supervoxel and body, as /mappings. All of one moment.
    """
    if what not in DUMPS:
        raise BadRequest(f"{what[:40]!r} is no dump; there are {', '.join(DUMPS)}")
    if what == "indices":
        data.demand_indexed()
    return pieces_reply(DUMPS[what](data), TEXT)
