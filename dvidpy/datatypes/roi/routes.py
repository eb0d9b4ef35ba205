"""Routes of regions: spans, masks, points, partitions."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import (
    DONE,
    JSON,
    OCTETS,
    WHOLE,
    Call,
    Reply,
    json_reply,
    octets,
    pieces_reply,
)
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.parts import gather_parts
from dvidpy.datatypes.roi.erosion import eroded
from dvidpy.datatypes.roi.instance import Roi, demand_answerable
from dvidpy.datatypes.roi.partition import LARGEST_BATCH, as_json, equal, fitted
from dvidpy.datatypes.roi.region import parse_points, parse_spans
from dvidpy.datatypes.rooms import Parse, Room, TheCall, WholeBody, at_once, reading
from dvidpy.datatypes.voxels.planes import parse_box, parse_shape
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer

room = Room()

SPANS = [[0, 0, 0, 1], [0, 2, 3, 5], [0, 2, 8, 9], [1, 2, 3, 4]]
SUBVOLUME = {
    "MinPoint": [0, 0, 0],
    "MaxPoint": [127, 127, 127],
    "MinChunk": [0, 0, 0],
    "MaxChunk": [3, 3, 3],
    "TotalBlocks": 64,
    "ActiveBlocks": 9,
}
PARTITION = {
    "NumTotalBlocks": 64,
    "NumActiveBlocks": 9,
    "NumSubvolumes": 1,
    "ROI": {"MinChunk": [0, 0, 0], "MaxChunk": [2, 2, 0]},
    "Subvolumes": [SUBVOLUME],
}


@room.get("/roi", summary="The region", responses=gives("Spans [z, y, x0, x1] of blocks", "application/json", SPANS))
@at_once
def get_roi(
    roi: Annotated[Roi, Here],
    call: Annotated[Call, TheCall],
    erode: Annotated[
        int,
        Query(description="Blocks that it loses on every side: of a block all neighbours so far away must be inside."),
        Parse(parse_integer),
    ] = 0,
) -> Reply | Awaitable[Reply]:
    """Sorted by z, y, x0, x1, which are numbers of blocks; both ends of a span are inside.

    `erode` is what the reference describes as `erode/<size>`, and does not have.
    """
    if erode < 0:
        raise BadRequest("a region loses 0 or more blocks on every side")
    return call.pool.run(_show, roi, erode) if erode or not roi.is_small() else _show(roi, 0)


def _show(roi: Roi, erode: int) -> Reply:
    region = eroded(roi.region, erode) if erode else roi.region
    return pieces_reply(region.as_json(), JSON)


@room.post(
    "/roi",
    summary="Replace the region",
    openapi_extra=takes("Spans [z, y, x0, x1] of blocks, in any order", "application/json", SPANS),
    responses=gives("Stored", "text/plain", ""),
)
def post_roi(roi: Annotated[Roi, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """In this version, all or nothing; what it inherited is replaced too."""
    roi.replace(parse_spans(body))
    return DONE


@room.delete("/roi", summary="Delete the region", responses=gives("Deleted", "text/plain", ""))
async def delete_roi(roi: Annotated[Roi, Here]) -> Reply:
    """In this version only; what it inherited is hidden."""
    await roi.delete()
    return DONE


@room.get(
    "/mask/{dims}/{size}/{offset}",
    summary="The region as a volume",
    responses=gives("A byte a voxel, x fastest: 1 inside, 0 outside", "application/octet-stream"),
)
def get_mask(
    roi: Annotated[Roi, Here],
    dims: Annotated[str, Path(description="0_1_2: there are no masks of slices.", examples=["0_1_2"])],
    size: Annotated[str, Path(description="Voxels along x, y, z.", examples=["64_64_32"])],
    offset: Annotated[str, Path(description="First voxel x, y, z.", examples=["0_0_0"])],
) -> Reply:
    """Any box of voxels, however it lies to the blocks."""
    if parse_shape(dims) is not None:
        raise BadRequest("there are masks of volumes (0_1_2) only")
    box = parse_box(size, offset)
    demand_answerable(roi, box)
    mask = roi.mask(box)
    return pieces_reply(mask, OCTETS) if box.volume <= WHOLE else octets(gather_parts(mask), box.volume)


@room.post(
    "/ptquery",
    summary="Which points are inside",
    openapi_extra=takes("Voxels [x, y, z]", "application/json", [[0, 100, 910], [0, 121, 900]]),
    responses=gives("One truth value a point, in their order", "application/json", [False, True]),
)
@reading
def post_ptquery(roi: Annotated[Roi, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """It changes nothing: locked versions allow it."""
    return json_reply(roi.holds(parse_points(body)).tolist())


@room.get(
    "/partition",
    summary="Subvolumes that cover the region",
    responses=gives("Subvolumes with their corners in voxels and blocks", "application/json", PARTITION),
)
def get_partition(
    roi: Annotated[Roi, Here],
    batchsize: Annotated[
        int | None, Query(description="Blocks of a subvolume along each axis; must be given."), Parse(parse_integer)
    ] = None,
    optimized: Annotated[
        str, Query(description="`true` or `on`: subvolumes of different sizes, fitted to the region.")
    ] = "",
) -> Reply:
    """Cubes of equal size, centred over the region, without those that hold none of it; or fitted ones."""
    if batchsize is None or not 1 <= batchsize <= LARGEST_BATCH:
        raise BadRequest(f"batchsize must be given, as a whole number from 1 to {LARGEST_BATCH}")
    divide = fitted if optimized in ("true", "on") else equal
    return pieces_reply(as_json(roi, divide(roi.region.without_overlaps(), batchsize)), JSON)


@room.post("/info", summary="Nothing can be changed", responses=gives("As GET", "application/json", {}))
def post_info(roi: Annotated[Roi, Here]) -> Reply:
    """Answers as GET does: an roi instance has no settings that could change."""
    return json_reply(roi.info())
