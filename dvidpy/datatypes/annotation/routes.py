"""Routes that read elements: by box, block, tag, label and region."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.annotation import reading
from dvidpy.datatypes.annotation.instance import Annotations
from dvidpy.datatypes.annotation.keys import label_prefix, tag_prefix
from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import JSON, Call, Reply, json_bytes, json_reply, pieces_reply
from dvidpy.datatypes.labels.numbers import parse_label
from dvidpy.datatypes.params import Flag, gives
from dvidpy.datatypes.rooms import Room, TheCall, at_once
from dvidpy.errors import BadRequest

room = Room()

BARE = {"Pos": [12, 20, 30], "Kind": "PostSyn", "Tags": ["T1"], "Prop": {"conf": "0.9"}}
ELEMENT = {**BARE, "Rels": [{"Rel": "PostSynTo", "To": [10, 20, 30]}]}
ELEMENTS = gives("Elements, in no order", "application/json", [ELEMENT])
BARE_ELEMENTS = gives("Elements, in no order", "application/json", [BARE])
BLOCKS = gives("Elements by their block x,y,z", "application/json", {"0,0,0": [ELEMENT]})

Size = Annotated[str, Path(description="Voxels along x, y, z.", examples=["256_256_256"])]
Offset = Annotated[str, Path(description="First voxel x, y, z.", examples=["0_0_0"])]
Relationships = Annotated[
    str,
    Query(
        description="`true`: elements as their blocks have them, with relationships; `verbose`: with kind, tags and"
        " properties of the partners too."
    ),
]


def demand_alone(call: Call) -> None:
    """BadRequest where something stands behind the keyword."""
    if len(call.parts) > 1:
        raise BadRequest(f"nothing is expected behind {call.parts[0]!r}")


@room.get("/elements/{size}/{offset}", summary="Elements in a box", responses=ELEMENTS)
def get_elements(data: Annotated[Annotations, Here], size: Size, offset: Offset) -> Reply:
    """With relationships; null where there are none."""
    return pieces_reply(reading.in_box(data, reading.parse_box(size, offset)), JSON)


@room.get("/blocks/{size}/{offset}", summary="Elements of the blocks that a box touches", responses=BLOCKS)
def get_blocks(data: Annotated[Annotations, Here], size: Size, offset: Offset) -> Reply:
    """The quickest way to the elements of a box: all of each block, as it is stored."""
    return pieces_reply(reading.blocks_of(data, reading.parse_box(size, offset)), JSON)


@room.get("/all-elements", summary="All elements", responses=BLOCKS)
def get_all_elements(data: Annotated[Annotations, Here], call: Annotated[Call, TheCall]) -> Reply:
    """As `blocks`, of everything."""
    demand_alone(call)
    return pieces_reply(reading.everything(data), JSON)


@room.get("/tag/{tag}", summary="Elements with a tag", responses=BARE_ELEMENTS)
@at_once
def get_tag(
    data: Annotated[Annotations, Here],
    call: Annotated[Call, TheCall],
    tag: Annotated[str, Path(description="Any text without a slash.", examples=["T1"])],
    relationships: Relationships = "",
) -> Reply | Awaitable[Reply]:
    """Without relationships, unless they are asked for."""
    return _listed_soon(data, call, tag_prefix(tag), relationships)


@room.get("/label/{label}", summary="Elements in a label", responses=BARE_ELEMENTS)
@at_once
def get_label(
    data: Annotated[Annotations, Here],
    call: Annotated[Call, TheCall],
    label: Annotated[str, Path(description="Label (body) of the segmentation that is followed.", examples=["23"])],
    relationships: Relationships = "",
) -> Reply | Awaitable[Reply]:
    """Without relationships, unless they are asked for. Edits of the segmentation show a little later: see `info`."""
    return _listed_soon(data, call, label_prefix(parse_label(label)), relationships)


def _listed_soon(data: Annotations, call: Call, prefix: bytes, relationships: str) -> Reply | Awaitable[Reply]:
    """At once where that is quick."""
    few = None if relationships in ("true", "verbose") else reading.listed_if_few(data, prefix)
    return call.on_worker(_listed, data, prefix, relationships) if few is None else json_bytes(few)


def _listed(data: Annotations, prefix: bytes, relationships: str) -> Reply:
    if relationships in ("true", "verbose"):
        return pieces_reply(reading.related(data, prefix, verbose=relationships == "verbose"), JSON)
    return pieces_reply(reading.listed(data, prefix), JSON)


@room.get("/roi/{named}", summary="Elements in a region of interest", responses=ELEMENTS)
def get_roi(
    data: Annotated[Annotations, Here],
    named: Annotated[str, Path(description="Name of an roi instance, or name,version.", examples=["region"])],
) -> Reply:
    """Of all blocks in the region, whose blocks must have the same size."""
    return pieces_reply(reading.in_region(data, named), JSON)


@room.get(
    "/scan",
    summary="How many blocks are stored",
    responses=gives("Counts", "application/json", {"num kv pairs": 3, "num empty blocks": 0}),
)
def get_scan(
    data: Annotated[Annotations, Here],
    call: Annotated[Call, TheCall],
    byCoord: Annotated[  # noqa: N803  # as the reference spells it
        str, Query(description="`true` or not, all blocks are looked at, wherever they lie.")
    ] = "",
    keysOnly: Annotated[  # noqa: N803
        bool, Query(description="`true`: values are not looked at."), Flag
    ] = False,
) -> Reply:
    """A block that lost its last element still counts; its list is empty, which is not nothing."""
    demand_alone(call)
    return json_reply(reading.scan(data, keys_only=keysOnly))
