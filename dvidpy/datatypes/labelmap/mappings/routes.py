"""Routes of the whole mapping."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, UTF8, Reply, pieces_reply
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.mappings import as_lines, as_pairs, put_mappings
from dvidpy.datatypes.labels.messages import parse_mappings
from dvidpy.datatypes.params import Throttle, gives, gives_any, takes
from dvidpy.datatypes.rooms import Room, WholeBody

room = Room()


@room.get(
    "/mappings",
    summary="Bodies of all supervoxels",
    responses=gives_any("A line of supervoxel and body each, or uint64 pairs", UTF8.decode(), OCTETS.decode()),
)
def get_mappings(
    data: Annotated[LabelMap, Here],
    form: Annotated[
        str, Query(alias="format", description="`binary`: little-endian uint64 instead of text.", examples=["binary"])
    ] = "",
    consistent: Annotated[str, Query(description="Nothing depends on it: the answer is always of one moment.")] = "",
    throttle: Throttle = "",
) -> Reply:
    """Only supervoxels that are not bodies of their own. Body 0: the supervoxel, or the label, is no more."""
    if form == "binary":
        return pieces_reply(as_pairs(data), OCTETS)
    return pieces_reply(as_lines(data), UTF8)


@room.post(
    "/mappings",
    summary="Map supervoxels to bodies",
    openapi_extra=takes("A MappingOps message", OCTETS.decode()),
    responses=gives("Stored", "text/plain", ""),
)
def post_mappings(data: Annotated[LabelMap, Here], body: Annotated[bytes, WholeBody], throttle: Throttle = "") -> Reply:
    """All or none; indices stay as they are (see `indices`)."""
    put_mappings(data, parse_mappings(body))
    return DONE
