"""A volume on its way in: cut and packed layer by layer as it arrives, stored as one edit when it is whole.

Of the body only a few layers are held at a time; its packed blocks are, until they are committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import numpy as np

from dvidpy.datatypes.exchange import Call
from dvidpy.datatypes.imageblk.blocks import Stored, demand_answerable, is_quick, pack, put_blocks
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.pyramid import ask
from dvidpy.datatypes.voxels.cutting import cut
from dvidpy.datatypes.voxels.masks import Mask
from dvidpy.datatypes.voxels.volume import describe
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, to_wire

AHEAD = 2
"""Layers that wait for a worker while the next one arrives."""


def demand_storable(data: ImageBlk, box: Box, call: Call) -> None:
    """BadRequest for computed voxels, a box that is not made of blocks, or a body that cannot be its voxels."""
    data.demand_own()
    if not box.is_aligned(data.block):
        raise BadRequest(f"the volume {describe(box)} is not made of whole blocks of {to_wire(data.block)} voxels")
    demand_answerable(data, box.volume, box.blocks(data.block).volume)
    if call.content_length is not None and not call.gzipped:
        demand_size(data, box, call.content_length)


def demand_size(data: ImageBlk, box: Box, size: int) -> None:
    """BadRequest unless the voxels of a box have so many bytes."""
    expected = box.volume * data.kind.itemsize
    if size != expected:
        raise BadRequest(f"the body has {size} bytes; {describe(box)} voxels of {data.kind.name} have {expected}")


async def store_volume(data: ImageBlk, box: Box, call: Call, mask: Mask | None) -> None:
    """Write the body of a request as the voxels of a box, all or nothing; blocks outside a mask stay as they are."""
    change = data.change(sync=False)
    layers = [box.layer(z, z + data.block[0]) for z in range(box.start[0], box.stop[0], data.block[0])]
    size = layers[0].volume * data.kind.itemsize
    quick = is_quick(data, box.blocks(data.block).volume)
    pending: deque[asyncio.Future[list[Stored]]] = deque()
    try:
        number = 0
        async for pieces in _layers_of(data, box, call, size):
            if quick:
                put_blocks(data, change, _pack_layer(data, layers[number], pieces, mask))
            else:
                run = call.pool.go_on if number else call.pool.run  # only at its beginning a request is refused
                pending.append(asyncio.ensure_future(run(_pack_layer, data, layers[number], pieces, mask)))
            number += 1
            if len(pending) > AHEAD:
                put_blocks(data, change, await pending.popleft())
        while pending:
            put_blocks(data, change, await pending.popleft())
    finally:
        await asyncio.gather(*pending, return_exceptions=True)
    ask(data, change, box.blocks(data.block).points())
    with call.gate():
        if data.extents().holds(box):
            await data.view.commit_soon(change)
        else:
            await call.pool.go_on(data.commit_grown, change, box)


async def _layers_of(data: ImageBlk, box: Box, call: Call, size: int) -> AsyncIterator[list[bytes]]:
    """The body in layers of `size` bytes, each in pieces; BadRequest where it does not end with a layer."""
    pieces: list[bytes] = []
    held = total = 0
    expected = box.volume * data.kind.itemsize
    async for piece in call.stream():
        total += len(piece)
        if total > expected:
            break
        while held + len(piece) >= size:
            pieces.append(piece[: size - held])
            yield pieces
            piece = piece[size - held :]  # noqa: PLW2901  # what is left of it
            pieces, held = [], 0
        if piece:
            pieces.append(piece)
            held += len(piece)
    demand_size(data, box, total)


def _pack_layer(data: ImageBlk, layer: Box, pieces: list[bytes], mask: Mask | None) -> list[Stored]:
    """Packed blocks of a layer, without those outside a mask."""
    volume = np.frombuffer(b"".join(pieces), data.kind.dtype).reshape(layer.size)
    pieces.clear()  # held nowhere else, and as large as the volume
    blocks = layer.blocks(data.block)
    inside = None if mask is None else mask.inside(blocks, data.block)
    (z, y, x), found = blocks.start, []
    for index, block in cut(volume, layer.start, data.block):
        if inside is None or inside[index[0] - z, index[1] - y, index[2] - x]:
            found.append((index, pack(data, block)))
    return found
