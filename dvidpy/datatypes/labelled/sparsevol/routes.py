"""Routes of sparse volumes."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import OCTETS, Call, Reply, json_reply, pieces_reply
from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.asked import Label, OfSupervoxel, about_any, about_label
from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.options import Scale
from dvidpy.datatypes.labelled.sparsevol.bounds import BOUNDS, read_bounds
from dvidpy.datatypes.labelled.sparsevol.coarse import coarse_of, coarse_of_many
from dvidpy.datatypes.labelled.sparsevol.regions import find_region, within
from dvidpy.datatypes.labelled.sparsevol.streams import as_blocks, as_rles, as_srles
from dvidpy.datatypes.labelled.state import Bodies
from dvidpy.datatypes.labels.blocks import label_at
from dvidpy.datatypes.labels.numbers import parse_label
from dvidpy.datatypes.labels.runs import EVERYWHERE
from dvidpy.datatypes.params import Throttle, gives
from dvidpy.datatypes.rooms import Parse, Room, TheCall, at_once
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx, parse_point, to_wire

room = Room()

Format = Annotated[
    str,
    Query(
        alias="format",
        description="`rles` (as without it), `srles` for runs without a head, `blocks` for binary blocks.",
    ),
]
Packing = Annotated[str, Query(alias="compression", description="`lz4` or `gzip`, of `rles`.")]
Exact = Annotated[str, Query(description="`false`: blocks at the bounds are sent whole, which is quicker.")]
First = Annotated[int, Path(description="Smallest label.", examples=["1"]), Parse(parse_label)]
Last = Annotated[int, Path(description="Largest label, itself included.", examples=["99"]), Parse(parse_label)]
VOLUME = gives("Runs: a head of 12 bytes, then int32 x, y, z and length of each", OCTETS.decode())
HTML = b"text/html"
"""What the reference calls the answer of a HEAD, which has no body."""
WITHIN: dict[str, Any] = {"parameters": BOUNDS}


@room.get("/sparsevol/{label}", summary="Voxels of a body", openapi_extra=WITHIN, responses=VOLUME)
def get_sparsevol(
    data: Annotated[LabelMap, Here],
    call: Annotated[Call, TheCall],
    label: Label,
    supervoxels: OfSupervoxel = False,
    scale: Scale = 0,
    form: Format = "",
    packing: Packing = "",
    exact: Exact = "",
    throttle: Throttle = "",
) -> Reply:
    """404 where there is no such body, or none of its blocks within the bounds; empty where only its blocks are.
    Bounds are coordinates of the scale.
    """
    return _sparsevol(data, call, label, scale, supervoxel=supervoxels)


def _sparsevol(data: LabelMap, call: Call, label: int, scale: int, *, supervoxel: bool) -> Reply:
    data.demand_indexed()
    query, bounds = call.query, read_bounds(call.query)
    form = "" if data.runs_alone else query.get("format")
    scale = 0 if data.runs_alone else scale
    region = find_region(data, label, scale, bounds, supervoxel=supervoxel)
    if form in ("blocks", "srles"):
        data.demand_scale(scale)
    if form == "blocks":
        return as_blocks(region, label)
    if query.get("exact") == "false":
        bounds = EVERYWHERE
    if form == "srles":
        return as_srles(region, bounds)
    return as_rles(region, bounds, query.get("compression", ""), call.until_sent, call.limit)


@room.head(
    "/sparsevol/{label}",
    summary="Whether a body has voxels",
    openapi_extra=WITHIN,
    responses={200: {"description": "It has"}, 204: {"description": "It has not"}},
)
@at_once
def head_sparsevol(
    data: Annotated[LabelMap, Here],
    call: Annotated[Call, TheCall],
    label: Label,
    supervoxels: OfSupervoxel = False,
    scale: Scale = 0,
) -> Reply | Awaitable[Reply]:
    """200 or 204. With bounds, whether it has blocks there; of a labelmap, whether it has blocks outside of them: so
    the reference answers, whatever its documentation says. To know what is inside, GET `sparsevol-coarse`.
    """
    data.demand_indexed()
    bounds = read_bounds(call.query)

    def answer(body: Body | None) -> Reply:
        if body is None:
            return Reply(media_type=HTML, status=204)
        inside, blocks = len(within(body.blocks, bounds, data.block)), len(body.blocks)
        there = bounds == EVERYWHERE or (inside < blocks if data.tells_of_outside else inside > 0)
        return Reply(media_type=HTML, status=200 if there else 204)

    return about_any(data, label, supervoxel=supervoxels, answer=answer)


@room.get(
    "/sparsevol-by-point/{point}", summary="Voxels of the body at a point", openapi_extra=WITHIN, responses=VOLUME
)
def get_sparsevol_by_point(
    data: Annotated[LabelMap, Here],
    call: Annotated[Call, TheCall],
    point: Annotated[Zyx, Path(description="Voxel, x_y_z.", examples=["10_20_30"]), Parse(parse_point)],
    supervoxels: OfSupervoxel = False,
    scale: Scale = 0,
    form: Format = "",
    packing: Packing = "",
    exact: Exact = "",
    throttle: Throttle = "",
) -> Reply:
    """As `sparsevol`, of the label that stands at a voxel of the scale; 400 where that is background. In a labelarray
    or labelvol the scale is 0.
    """
    data.demand_indexed()
    scale = scale if data.points_have_scales else 0
    label = _label_at(data, scale, point, supervoxel=supervoxels)
    if not label:
        raise BadRequest(f"the voxel {to_wire(point)} is background")
    return _sparsevol(data, call, label, scale, supervoxel=supervoxels)


def _label_at(data: LabelMap, scale: int, point: Zyx, *, supervoxel: bool) -> int:
    def look(still: LabelMap, bodies: Bodies) -> int:
        (z, y, x), (depth, height, width) = point, still.block
        block = stored_blocks.load_one(still, scale, (z // depth, y // height, x // width))
        found = 0 if block is None else label_at(block, (z % depth, y % height, x % width))
        return found if supervoxel else bodies.of(found)

    return data.steady(look)


# ---------------------------------------------------------------------- from the index alone
@room.get(
    "/sparsevol-size/{label}",
    summary="Size of a sparse volume",
    responses=gives(
        "Voxels, blocks and the box of whole blocks around them",
        "application/json",
        {"voxels": 231387, "numblocks": 108, "minvoxel": [0, 64, 0], "maxvoxel": [1727, 1279, 4863]},
    ),
)
@at_once
def get_sparsevol_size(
    data: Annotated[LabelMap, Here], label: Label, supervoxels: OfSupervoxel = False
) -> Reply | Awaitable[Reply]:
    """No block is read."""
    return about_label(data, label, supervoxel=supervoxels, answer=lambda body: json_reply(data.described(body)))


@room.get(
    "/sparsevol-coarse/{label}",
    summary="Blocks of a body",
    openapi_extra=WITHIN,
    responses=gives("As `sparsevol`, with blocks for voxels", OCTETS.decode()),
)
@at_once
def get_sparsevol_coarse(
    data: Annotated[LabelMap, Here], call: Annotated[Call, TheCall], label: Label, supervoxels: OfSupervoxel = False
) -> Reply | Awaitable[Reply]:
    """Bounds are voxels of full resolution. No block is read."""
    data.demand_indexed()
    bounds = EVERYWHERE if data.runs_alone else read_bounds(call.query)
    return about_label(data, label, supervoxel=supervoxels, answer=lambda body: coarse_of(data, body, bounds))


@room.get(
    "/sparsevols-coarse/{first}/{last}",
    summary="Blocks of many bodies",
    openapi_extra=WITHIN,
    responses=gives("Of each body its uint64 label, int32 number of runs, and the runs", OCTETS.decode()),
)
def get_sparsevols_coarse(
    data: Annotated[LabelMap, Here], call: Annotated[Call, TheCall], first: First, last: Last
) -> Reply:
    """All bodies with labels from one to the other, ascending; of one without blocks in the bounds the label alone."""
    return pieces_reply(coarse_of_many(data, first, last, read_bounds(call.query)), OCTETS)
