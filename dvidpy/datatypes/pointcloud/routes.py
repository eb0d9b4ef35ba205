"""Routes of points: of a label, of several, of a block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Call, Reply
from dvidpy.datatypes.labels.numbers import parse_labels, parse_number
from dvidpy.datatypes.params import Flag, gives, gives_any, takes
from dvidpy.datatypes.pointcloud import edits
from dvidpy.datatypes.pointcloud.forms import (
    MEDIA_TYPES,
    Labelled,
    answer_labelled,
    answer_points,
    wanted_form,
)
from dvidpy.datatypes.pointcloud.instance import Cloud, Part, checked_block, each_once, parse_box
from dvidpy.datatypes.pointcloud.intake import read_rows
from dvidpy.datatypes.pointcloud.packing import Points
from dvidpy.datatypes.rooms import Parse, Room, TheCall, WholeBody
from dvidpy.errors import BadRequest

room = Room()

Label = Annotated[
    int,
    Path(description="Label, from 0: a body where the instance follows a segmentation.", examples=["103"]),
    Parse(parse_number),
]
Block = Annotated[str, Path(description="Name of a block: any text without a slash.", examples=["0_0_1"])]
Supervoxels = Annotated[
    bool, Query(description="`true`: labels as they are stored, not the bodies that have them."), Flag
]
Box = Annotated[
    str | None,
    Query(
        description="FIRST:END in the first coordinates; END is outside. Points elsewhere are left away.",
        examples=["0,0,0:64,64,64"],
    ),
]
Form = Annotated[
    str | None,
    Query(
        alias="format",
        description="`arrow`, `parquet`, `json` or `binary`; without it what Accept names, or json.",
        examples=["arrow"],
    ),
]
BodyForm = Annotated[
    str | None,
    Query(
        alias="format",
        description="`arrow`, `parquet`, `json` or `binary`; without it what Content-Type names, or the body shows.",
        examples=["arrow"],
    ),
]
POSTED = takes("A table, JSON or plain numbers; see the help", "application/json", {"103": [[1, 2, 3], [1, 2, 4]]})


@room.get(
    "/points/{label}",
    summary="Points of a label",
    responses=gives_any("Rows of coordinates: a table, a JSON list, or plain numbers", *MEDIA_TYPES.values()),
)
def get_points(
    cloud: Annotated[Cloud, Here],
    call: Annotated[Call, TheCall],
    label: Label,
    box: Box = None,
    block: Annotated[str | None, Query(description="Only points of this block.", examples=["0_0_1"])] = None,
    supervoxels: Supervoxels = False,
    form: Form = None,
) -> Reply:
    """By stored label, then block, in each in order and once; none for a label that has none.

    Columns of tables are c0, c1, …; plain numbers are rows in the type of the instance, little-endian.
    """
    wanted, cloud = wanted_form(call, form), cloud.frozen()
    labels = cloud.stored_labels(label, supervoxels=supervoxels)
    parts = cloud.parts(labels, None if block is None else checked_block(block))
    return answer_points(cloud.kind, wanted, (points for _, points in _within(cloud, parts, box)))


@room.get(
    "/points",
    summary="Points of several labels",
    openapi_extra=takes("Labels, in the body of a GET", "application/json", [103, 100]),
    responses=gives_any("Rows of label and coordinates, label by label as asked", *MEDIA_TYPES.values()),
)
def get_many_points(
    cloud: Annotated[Cloud, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    box: Box = None,
    supervoxels: Supervoxels = False,
    form: Form = None,
) -> Reply:
    """As for one label. JSON has a member for every label asked for; tables have a column `label`; plain numbers have
    the label, u64, in front of each point. A label that is asked for twice is answered once.
    """
    wanted, asked, cloud = wanted_form(call, form), each_once(parse_labels(body)), cloud.frozen()
    return answer_labelled(cloud.kind, wanted, _of_labels(cloud, asked, box, supervoxels=supervoxels), asked)


def _of_labels(cloud: Cloud, asked: Iterable[int], box: str | None, *, supervoxels: bool) -> Iterator[Labelled]:
    for label in asked:
        parts = cloud.parts(cloud.stored_labels(label, supervoxels=supervoxels))
        yield from (Labelled(label, points) for _, points in _within(cloud, parts, box))


def _within(cloud: Cloud, parts: Iterable[Part], box: str | None) -> Iterator[tuple[Part, Points]]:
    return cloud.points(parts, None if box is None else parse_box(box, cloud.kind.dimensions))


@room.post(
    "/points",
    summary="Add points",
    openapi_extra=POSTED,
    responses=gives("Stored", "text/plain", ""),
)
def post_points(
    cloud: Annotated[Cloud, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    block: Annotated[
        str | None,
        Query(description="Block of all points; a table may have a column block_id instead.", examples=["0_0_1"]),
    ] = None,
    form: BodyForm = None,
) -> Reply:
    """All or nothing. A point that its label has in the block already stays there once, so a post may be repeated."""
    edits.add_points(cloud, read_rows(cloud.kind, call, body, block, form))
    return DONE


@room.get(
    "/block/{block}",
    summary="Points of a block",
    responses=gives_any("Rows of stored label and coordinates", *MEDIA_TYPES.values()),
)
def get_block(
    cloud: Annotated[Cloud, Here], call: Annotated[Call, TheCall], block: Block, box: Box = None, form: Form = None
) -> Reply:
    """Of all labels as they are stored, ascending; in the forms of many labels."""
    wanted, cloud = wanted_form(call, form), cloud.frozen()
    parts = cloud.parts(cloud.labels_in(checked_block(block)), block)
    found = (Labelled(part.label, points) for part, points in _within(cloud, parts, box))
    return answer_labelled(cloud.kind, wanted, found)


@room.post(
    "/block/{block}",
    summary="Replace a block",
    openapi_extra=POSTED,
    responses=gives("Stored", "text/plain", ""),
)
def post_block(
    cloud: Annotated[Cloud, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    block: Block,
    form: BodyForm = None,
) -> Reply:
    """The block has these points afterwards, and no others."""
    found = read_rows(cloud.kind, call, body, block, form)
    if len(found) != 1:
        raise BadRequest("a block is replaced by its own points")
    edits.replace_block(cloud, found[0])
    return DONE


@room.delete("/block/{block}", summary="Delete a block", responses=gives("Deleted", "text/plain", ""))
def delete_block(cloud: Annotated[Cloud, Here], block: Block) -> Reply:
    """Its points, in this version only; no error where it has none."""
    edits.delete_block(cloud, checked_block(block))
    return DONE
