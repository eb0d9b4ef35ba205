"""Route of repair-maxlabel."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import Reply, text_reply
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelmap.repair.largest import repair
from dvidpy.datatypes.params import Flag, gives
from dvidpy.datatypes.rooms import Room, admins_only

room = Room()


@room.post(
    "/repair-maxlabel",
    summary="Find the largest labels anew",
    responses=gives("What was found, a line a version", "text/plain", "in all versions: 4711\n"),
)
@admins_only
def post_repair_maxlabel(
    data: Annotated[LabelMap, Here],
    commit: Annotated[bool, Query(description="`true`: what was found is stored. Edits wait meanwhile."), Flag] = False,
) -> Reply:
    """For admins: of every version of the repo, from its blocks, indices and mappings. Alone may lower the number."""
    data.demand_indexed()
    return text_reply("\n".join(repair(data, commit=commit)) + "\n")
