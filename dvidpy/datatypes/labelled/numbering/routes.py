"""Routes of maxlabel, nextlabel and set-nextlabel."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Reply, json_reply
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.edits import editing, touched
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels.numbers import parse_label, parse_number
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Parse, Room, admins_only
from dvidpy.errors import BadRequest

room = Room()

HIGHEST = 1 << 48
"""Largest label that may be posted as such: a wrong one would never go away."""
NAMED = 1000
"""Labels that are reserved while others edit; more of them when nobody does."""
Number = Annotated[int, Path(description="A label.", examples=["1000"]), Parse(parse_label)]
Ceiling = Annotated[
    int | None, Query(description="Labels given away stay below it, or are it; 0 for none."), Parse(parse_number)
]


@room.get("/maxlabel", summary="Largest label", responses=gives("Label", "application/json", {"maxlabel": 4711}))
def get_maxlabel(data: Annotated[LabelMap, Here]) -> Reply:
    """Of this version or its ancestors; 400 where there is none."""
    data.demand_indexed()
    label = ids.max_label(data)
    if not label:
        # neuclease looks for the first three words, then asks the versions before
        raise BadRequest(f"No maximum label found for {data.instance.name!r} in this version")
    return json_reply({"maxlabel": label})


@room.post("/maxlabel/{label}", summary="Raise the largest label", responses=gives("Raised", "text/plain", ""))
@admins_only
def post_maxlabel(data: Annotated[LabelMap, Here], label: Number) -> Reply:
    """For admins. Nothing happens where it is not larger; 400 above 2^48."""
    data.demand_indexed()
    if label > HIGHEST:
        raise BadRequest(f"label {label} is beyond {HIGHEST}")
    with editing(data, touched(data)) as edit:
        edit.use_labels(label)
    return DONE


@room.get("/nextlabel", summary="The next new label", responses=gives("Label", "application/json", {"nextlabel": 4712}))
def get_nextlabel(data: Annotated[LabelMap, Here]) -> Reply:
    """It is not reserved."""
    data.demand_indexed()
    return json_reply({"nextlabel": ids.next_label(data)})


@room.post(
    "/nextlabel/{count}",
    summary="Reserve new labels",
    responses=gives("First and last", "application/json", {"start": 4712, "end": 4721}),
)
def post_nextlabel(
    data: Annotated[LabelMap, Here],
    count: Annotated[int, Path(description="How many.", examples=["10"]), Parse(parse_number)],
) -> Reply:
    """Nobody else gets them, in no version of the repo."""
    data.demand_indexed()
    with editing(data, touched(data) if count <= NAMED else None) as edit:
        first = ids.take_unnamed(data, count)
        edit.use_labels(first + count - 1)
    return json_reply({"start": first, "end": first + count - 1})


@room.post("/set-nextlabel/{label}", summary="Where new labels go on", responses=gives("Set", "text/plain", ""))
@admins_only
def post_set_nextlabel(data: Annotated[LabelMap, Here], label: Number, ceiling: Ceiling = None) -> Reply:
    """For admins: the next new label of the repo is this one plus one. That may meet labels in use; without `ceiling`
    the one set before holds.
    """
    ids.set_next(data, label, ceiling)
    return DONE
