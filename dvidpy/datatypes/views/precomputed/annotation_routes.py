"""Routes of annotation collections."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import Path

from dvidpy.datatypes.base import Data, Here
from dvidpy.datatypes.bodies import find_labels
from dvidpy.datatypes.exchange import JSON, OCTETS, Call, Reply
from dvidpy.datatypes.labels.numbers import parse_number
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Room, TheCall
from dvidpy.datatypes.views.caching import kept_reply, small_reply
from dvidpy.datatypes.views.precomputed import nothing
from dvidpy.datatypes.views.precomputed.annotations import (
    Pointed,
    collection_info,
    encode_cell,
    encode_many,
    encode_single,
    parse_cell,
    place_of,
)
from dvidpy.errors import NotFound

room = Room(heads=True, routes=nothing.room.routes)
MANY = gives("Points with kinds, then their numbers", "application/octet-stream")


@room.get(
    "/precomputed/info",
    summary="precomputed:// annotations",
    responses=gives(
        "The collection",
        "application/json",
        {"@type": "neuroglancer_annotations_v1", "annotation_type": "POINT", "spatial": [], "relationships": []},
    ),
)
def get_collection(data: Annotated[Data, Here], call: Annotated[Call, TheCall]) -> Reply:
    """Elements as points with their kind, read as precomputed://http://…/precomputed. The body of a point is its
    relationship, where the instance is synced with a segmentation.
    """
    bodies = find_labels(data) is not None
    return small_reply(call, orjson.dumps(collection_info(_pointed(data), bodies=bodies)), JSON)


@room.get("/precomputed/spatial/{origin}/{level}/{cell}", summary="Annotations by place", responses=MANY)
def get_cell(
    data: Annotated[Data, Here],
    call: Annotated[Call, TheCall],
    origin: Annotated[str, Path(description="Where the grid begins, x_y_z.", examples=["0_0_0"])],
    level: Annotated[str, Path(description="Side of cells, level, number of levels.", examples=["512-0-1"])],
    cell: Annotated[str, Path(description="Its place in the grid, x_y_z.", examples=["0_0_0"])],
) -> Reply:
    """Points of a cell that belong to a level; `info` has the keys of the levels. Every point belongs to one."""
    asked = parse_cell(origin, level, cell)
    return kept_reply(call, [data], lambda: encode_cell(_pointed(data), asked), OCTETS, packed=True)


@room.get("/precomputed/body/{body}", summary="Annotations of a body", responses=MANY)
def get_of_body(
    data: Annotated[Data, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[str, Path(description="A body.", examples=["23"])],
) -> Reply:
    """All points that lie in a body, as `label` has them."""
    label = parse_number(body)
    return kept_reply(call, [data], lambda: encode_many(_pointed(data).points_of(label)), OCTETS, packed=True)


@room.get(
    "/precomputed/by_id/{number}",
    summary="One annotation",
    responses=gives("A point with its kind and body", "application/octet-stream"),
)
def get_by_number(
    data: Annotated[Data, Here],
    call: Annotated[Call, TheCall],
    number: Annotated[str, Path(description="As the lists have it: its place.", examples=["576465150349836288"])],
) -> Reply:
    """404 where there is no such point in this version."""
    place, labels = place_of(parse_number(number)), find_labels(data)
    sources = [data, labels] if isinstance(labels, Data) else [data]

    def make() -> bytes:
        points = _pointed(data)
        found, body = points.point_at(place), points.body_at(place)
        if not len(found):
            raise NotFound(f"there is no element at {[*place[::-1]]}")
        return encode_single(found, None if body is None else [body] if body else [])

    return kept_reply(call, sources, make, OCTETS, also="the segmentation that it follows")


def _pointed(data: Data) -> Pointed:
    assert isinstance(data, Pointed)
    return data
