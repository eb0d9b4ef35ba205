"""Routes of whole blocks."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Call, Reply, pieces_reply
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import store_blocks
from dvidpy.datatypes.labelled.options import Scale, Supervoxels
from dvidpy.datatypes.labelled.raw.reading import begin
from dvidpy.datatypes.labelled.streams.sending import (
    BLOCKS,
    LZ4,
    box_pieces,
    box_soon,
    demand_box,
    demand_form,
    list_pieces,
    parse_indices,
)
from dvidpy.datatypes.labelled.streams.taking import demand_native, read_blocks
from dvidpy.datatypes.params import Flag, Throttle, gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, at_once
from dvidpy.datatypes.voxels.planes import parse_box
from dvidpy.errors import BadRequest

room = Room()

STREAM = gives(
    "Of each block that was written int32 x, y, z and number of bytes, then the bytes", "application/octet-stream"
)
TAKES = takes("Of each block int32 x, y, z and number of bytes, then gzip of the label block", OCTETS.decode())
Compression = Annotated[
    str, Query(description="`blocks`: gzip of the label block; `lz4`, `gzip`, `uncompressed`: of its uint64 voxels.")
]


@room.get("/blocks/{size}/{offset}", summary="Blocks of a box", responses=STREAM)
@at_once
def get_blocks(
    data: Annotated[LabelMap, Here],
    call: Annotated[Call, TheCall],
    size: Annotated[str, Path(description="Voxels, multiples of the block size.", examples=["64_64_64"])],
    offset: Annotated[str, Path(description="First voxel, where a block begins.", examples=["0_0_0"])],
    compression: Compression = LZ4,
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    throttle: Throttle = "",
) -> Reply | Awaitable[Reply]:
    """Only blocks that were written, in the order z, y, x; without compression they are lz4."""
    form = demand_form(compression or LZ4)
    blocks = demand_box(data, parse_box(size, offset))
    if form == BLOCKS and (soon := box_soon(data, blocks, scale, supervoxels=supervoxels)) is not None:
        return Reply(soon, OCTETS)

    def answer() -> Reply:
        reading = begin(data, scale=scale, supervoxels=supervoxels)
        return pieces_reply(box_pieces(reading, blocks, form), OCTETS)

    return call.on_worker(answer)


@room.get("/specificblocks", summary="Some blocks", responses=STREAM)
def get_specificblocks(
    data: Annotated[LabelMap, Here],
    blocks: Annotated[str, Query(description="x,y,z of each block.", examples=["0,0,0,1,0,0"])] = "",
    compression: Compression = BLOCKS,
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    throttle: Throttle = "",
) -> Reply:
    """Only blocks that were written, in the order asked; without compression, and always of a labelarray, they are
    blocks.
    """
    indices = parse_indices(blocks)
    form = demand_form(compression or BLOCKS) if data.packs_specific else BLOCKS
    reading = begin(data, scale=scale, supervoxels=supervoxels)
    return pieces_reply(list_pieces(reading, indices, form), OCTETS)


@room.post(
    "/blocks",
    summary="Write blocks of supervoxels",
    openapi_extra=TAKES,
    responses=gives("All stored", "text/plain", ""),
)
def post_blocks(
    data: Annotated[LabelMap, Here],
    body: Annotated[bytes, WholeBody],
    compression: Annotated[str, Query(description="`blocks`, which is also meant without it.")] = "",
    scale: Scale = 0,
    downres: Annotated[bool, Query(description="`true`: all coarser scales follow."), Flag] = False,
    noindexing: Annotated[bool, Query(description="`true`: indices of bodies stay as they are."), Flag] = False,
    mutate: Annotated[
        bool, Query(description="`true`: where other labels stood before, indices count them there no more."), Flag
    ] = False,
    throttle: Throttle = "",
) -> Reply:
    """All or nothing. At full resolution extents, largest label and indices of bodies follow in the same step; coarser
    scales only with `downres`, otherwise they are the client's to write. To write over other labels, say `mutate`:
    without it the request is an ingest, as in the reference, and indices go on counting what stood there.
    """
    demand_native(compression)
    if downres and scale:
        raise BadRequest("only blocks of full resolution (scale 0) are halved for coarser scales")
    new = read_blocks(data, body)
    store_blocks(data, new, scale=scale, indexing=not noindexing, downres=downres, mutate=mutate)
    return DONE


@room.post(
    "/ingest-supervoxels",
    summary="Write blocks and nothing else",
    openapi_extra=TAKES,
    responses=gives("All stored", "text/plain", ""),
)
def post_ingest(data: Annotated[LabelMap, Here], body: Annotated[bytes, WholeBody], scale: Scale = 0) -> Reply:
    """All or nothing. Indices, largest label, extents and coarser scales are the client's to write."""
    store_blocks(data, read_blocks(data, body), scale=scale, indexing=False, noted=False)
    return DONE
