"""Routes of whole blocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Call, Reply, octets, pieces_reply
from dvidpy.datatypes.imageblk.block_streams import (
    AS_JPEG,
    UNCOMPRESSED,
    FromFiles,
    Stream,
    box_stream,
    chunk_stream,
    demand_form,
    demand_span,
    is_kept_as_jpeg,
    list_stream,
    pack_span,
    parse_indices,
    span_stream,
)
from dvidpy.datatypes.imageblk.blocks import demand_answerable, demand_on_grid, is_quick
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.params import Throttle, gives, takes
from dvidpy.datatypes.rooms import Parse, Room, TheCall, WholeBody, at_once
from dvidpy.datatypes.voxels.pictures import parse_format
from dvidpy.datatypes.voxels.planes import parse_box
from dvidpy.datatypes.voxels.volume import describe
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, parse_integer, parse_point, to_wire

room = Room()

NEUROGLANCER = "Neuroglancer"
"""What it calls itself. It takes every answer for one picture (docs/decisions/012-one-picture.md)."""

FirstBlock = Annotated[Zyx, Path(description="Block, x_y_z.", examples=["10_20_30"]), Parse(parse_point)]
Span = Annotated[int, Path(description="Number of blocks along x.", examples=["8"]), Parse(parse_integer)]
Compression = Annotated[
    str, Query(description="`uncompressed` for voxels; `jpeg` where blocks are kept so; without it as they are stored.")
]
STREAM = gives(
    "Of each block int32 x, y, z and number of bytes, then the bytes; LZ4 is its uint32 size and one raw block",
    "application/octet-stream",
)


@room.get(
    "/blocks/{block}/{span}",
    summary="Blocks in a row",
    responses=gives("Voxels of one block after the other", "application/octet-stream"),
)
@at_once
def get_blocks(
    image: Annotated[ImageBlk, Here], call: Annotated[Call, TheCall], block: FirstBlock, span: Span
) -> Reply | Awaitable[Reply]:
    """Along x. Blocks that were never written are full of the background value."""
    blocks = demand_on_grid(block, span)
    if not span:
        return Reply(b"", OCTETS)
    demand_answerable(image, span * Box((0, 0, 0), image.block).volume, span)
    return _stream(image, call, span, lambda: span_stream(image, blocks))


@room.post(
    "/blocks/{block}/{span}",
    summary="Write blocks in a row",
    openapi_extra=takes("Voxels of one block after the other", "application/octet-stream"),
    responses=gives("All stored", "text/plain", ""),
)
async def post_blocks(
    image: Annotated[ImageBlk, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    block: FirstBlock,
    span: Span,
    mutate: Annotated[
        str, Query(description="`true` says that the blocks may exist already; nothing depends on it.")
    ] = "",
) -> Reply:
    """All or nothing. The extents do not change; bytes behind the last block are ignored."""
    demand_span(image, block, span, body)
    quick = is_quick(image, span)
    change = pack_span(image, block, span, body) if quick else await call.pool.run(pack_span, image, block, span, body)
    await image.view.commit_soon(change)
    return DONE


@room.get("/subvolblocks/{size}/{offset}", summary="Blocks of a box", responses=STREAM)
@at_once
def get_subvolblocks(
    image: Annotated[ImageBlk, Here],
    call: Annotated[Call, TheCall],
    size: Annotated[str, Path(description="Voxels, multiples of the block size.", examples=["64_64_64"])],
    offset: Annotated[str, Path(description="First voxel, x_y_z, where a block begins.", examples=["0_0_0"])],
    compression: Compression = "",
    throttle: Throttle = "",
    app: Annotated[str, Query(description="The client's name.", examples=["Neuroglancer"])] = "",
) -> Reply | Awaitable[Reply]:
    """Only blocks that were written. Where blocks are kept as JPEG, a box that is not made of whole ones, and any that
    Neuroglancer asks for, comes as one picture behind one head, its z slices below each other.
    """
    box = parse_box(size, offset)
    form = demand_form(compression)
    if is_kept_as_jpeg(image) and form != UNCOMPRESSED and (app == NEUROGLANCER or not box.is_aligned(image.block)):
        return _chunk(image, call, box)
    if not box.is_aligned(image.block):
        raise BadRequest(f"the box {describe(box)} is not made of whole blocks of {to_wire(image.block)} voxels")
    if form == AS_JPEG and not is_kept_as_jpeg(image):
        raise BadRequest(f"{image.instance.name!r} does not keep its blocks as JPEG")
    blocks = box.blocks(image.block)
    demand_answerable(image, box.volume, blocks.volume)
    return _stream(image, call, blocks.volume, lambda: box_stream(image, blocks, form))


@room.get("/specificblocks", summary="Some blocks", responses=STREAM)
@at_once
def get_specificblocks(
    image: Annotated[ImageBlk, Here],
    call: Annotated[Call, TheCall],
    blocks: Annotated[str, Query(description="x,y,z of each block.", examples=["0,0,0,1,0,0"])] = "",
    compression: Compression = "",
    prefetch: Annotated[str, Query(description="`on` or `true`: nothing is sent.")] = "",
) -> Reply | Awaitable[Reply]:
    """Only blocks that were written, in the order asked."""
    form = demand_form(compression)
    indices = parse_indices(blocks)
    if prefetch in ("on", "true") or (form == AS_JPEG and not is_kept_as_jpeg(image)):
        return Reply(b"", OCTETS)
    demand_answerable(image, len(indices) * Box((0, 0, 0), image.block).volume, len(indices))
    return _stream(image, call, len(indices), lambda: list_stream(image, indices, form))


def _chunk(image: ImageBlk, call: Call, box: Box) -> Reply | Awaitable[Reply]:
    depth, height, width = box.size
    parse_format("jpg").demand_fits(width, height * depth)
    blocks = box.blocks(image.block).volume
    demand_answerable(image, box.volume, blocks)
    return _stream(image, call, blocks, lambda: chunk_stream(image, box))


def _stream(
    image: ImageBlk, call: Call, blocks: int, make: Callable[[], Stream | FromFiles]
) -> Reply | Awaitable[Reply]:
    """A few blocks at once, more from a worker thread."""

    def answer() -> Reply:
        stream = make()
        if isinstance(stream, FromFiles):
            return octets(stream.pieces, stream.length)
        return pieces_reply(stream.pieces, OCTETS, stream.length)

    return answer() if is_quick(image, blocks) else call.on_worker(answer)
