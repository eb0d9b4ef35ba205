"""Routes that change elements."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.annotation import reload
from dvidpy.datatypes.annotation.instance import Annotations, point_of
from dvidpy.datatypes.annotation.routes import BARE, ELEMENT, demand_alone
from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Call, Reply, json_reply
from dvidpy.datatypes.params import Flag, gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, admins_only
from dvidpy.errors import BadRequest

room = Room()

STORED = gives("Stored", "text/plain", "")
KafkaLog = Annotated[str, Query(description="`off`: the edit leaves no record in the mutation log.")]
Start = Annotated[str, Path(description="x_y_z of the element.", examples=["10_20_30"])]


@room.post(
    "/elements",
    summary="Add or replace elements",
    openapi_extra=takes("Elements", "application/json", [ELEMENT]),
    responses=STORED,
)
def post_elements(
    data: Annotated[Annotations, Here], body: Annotated[bytes, WholeBody], kafkalog: KafkaLog = ""
) -> Reply:
    """An element takes the place of the one at its point; two of a post may not share one. All are stored, or none.

    More than 65,536 are stored as several edits, so that memory does not grow with them: all are looked at before the
    first, but readers see one after the other, and a crash may come between; posting them again does no harm.
    """
    data.post(body)
    return DONE


@room.delete("/element/{point}", summary="Delete an element", responses=gives("Deleted", "text/plain", ""))
def delete_element(data: Annotated[Annotations, Here], point: Start, kafkalog: KafkaLog = "") -> Reply:
    """Relationships of other elements that lead to it are removed too, wherever those lie."""
    data.delete(point_of(point))
    return DONE


@room.post("/move/{start}/{end}", summary="Move an element", responses=gives("Moved", "text/plain", ""))
def post_move(
    data: Annotated[Annotations, Here],
    start: Start,
    end: Annotated[str, Path(description="x_y_z of where it goes.", examples=["11_22_33"])],
    kafkalog: KafkaLog = "",
) -> Reply:
    """Relationships that lead to it follow. A point where there is an element already is refused."""
    data.move(point_of(start), point_of(end))
    return DONE


@room.post(
    "/blocks",
    summary="Replace whole blocks",
    openapi_extra=takes("Elements by their block x,y,z", "application/json", {"0,0,0": [ELEMENT]}),
    responses=STORED,
)
def post_blocks(
    data: Annotated[Annotations, Here], body: Annotated[bytes, WholeBody], kafkalog: KafkaLog = ""
) -> Reply:
    """The quickest way in. Lists of tags and labels, and what follows this instance, learn of it by `reload`."""
    data.put_blocks(body)
    return DONE


@room.post(
    "/labels",
    summary="Replace the lists of labels",
    openapi_extra=takes("Text of a list of elements by label", "application/json", {"23": f"[{BARE}]"}),
    responses=STORED,
)
def post_labels(
    data: Annotated[Annotations, Here], call: Annotated[Call, TheCall], body: Annotated[bytes, WholeBody]
) -> Reply:
    """What `label` answers from now on, whatever the blocks have; `reload` makes them agree again."""
    demand_alone(call)
    data.put_labels(body)
    return DONE


@room.post("/delete-all", summary="Delete all elements", responses=gives("Deleted", "text/plain", ""))
@admins_only
def post_delete_all(
    data: Annotated[Annotations, Here],
    imsure: Annotated[bool, Query(description="`true`; else nothing is done."), Flag] = False,
    kafkalog: KafkaLog = "",
) -> Reply:
    """For admins: of this version, with all lists. An addition: in the reference a command of its program."""
    if not imsure:
        raise BadRequest("all elements are deleted only with imsure=true")
    data.delete_all()
    return DONE


@room.post("/reload", summary="Make all lists again", responses=gives("Begun", "text/plain", ""))
def post_reload(
    data: Annotated[Annotations, Here],
    check: Annotated[bool, Query(description="`true`: what was wrong is told in the log."), Flag] = False,
    inmemory: Annotated[str, Query(description="Accepted; memory is bounded in any case.")] = "",
) -> Reply:
    """In the background, from the blocks and the segmentation; `info` tells how far it is. Edits go on meanwhile."""
    reload.ask(data, check=check)
    return DONE


@room.post("/info", summary="Nothing can be changed", responses=gives("As GET", "application/json", {}))
def post_info(data: Annotated[Annotations, Here]) -> Reply:
    """Answers as GET does: an annotation instance has no settings that could change."""
    return json_reply(data.info())
