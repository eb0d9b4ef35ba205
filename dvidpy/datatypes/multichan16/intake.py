"""A V3D Raw file on its way in: cut and packed layer by layer as it arrives, stored as one edit when it is whole.

Of the body only a layer is held at a time; its packed blocks are, until they are committed. The composite is made of
them when the last channel has come: only then the lowest and the highest value of each channel are known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import numpy as np
import orjson

from dvidpy.datatypes.events import turn
from dvidpy.datatypes.exchange import Call
from dvidpy.datatypes.multichan16.instance import MOST_BLOCKS, MultiChan16
from dvidpy.datatypes.multichan16.keys import BLOCK, CHANNELS, COMPOSITE, EXTENTS, block_key
from dvidpy.datatypes.multichan16.v3draw import HEAD, V3DRaw, parse_head
from dvidpy.datatypes.voxels.cutting import paste
from dvidpy.datatypes.voxels.extents import Extents
from dvidpy.datatypes.voxels.kinds import RGBA8, Voxels
from dvidpy.datatypes.voxels.streams import view_of
from dvidpy.errors import BadRequest, TooLarge
from dvidpy.geometry import Box, Zyx, to_wire
from dvidpy.storage import codecs
from dvidpy.storage.keys import after
from dvidpy.versioning.commits import Change

COLOURS = 3
"""Channels that the composite shows, as red, green and blue."""
LARGEST_LAYER = 1 << 30
"""Bytes of a layer of blocks."""
Packed = dict[Zyx, bytes]
"""Stored blocks by their index."""


class Channel(NamedTuple):
    """Packed blocks of one channel, and the range of its values."""

    blocks: Packed
    low: int
    high: int


async def load(data: MultiChan16, call: Call) -> V3DRaw:
    """Make the body of a request what this version has, all or nothing; BadRequest where it is no such file."""
    body = _Body(call)
    head = parse_head(await body.take(HEAD))
    _demand_size(data, head, call)
    channels = [await _channel(data, head, body, call) for _ in range(head.channels)]
    await body.demand_end()
    change = data.change(sync=False)
    kept = {(number + 1, index): packed for number, one in enumerate(channels) for index, packed in one.blocks.items()}
    composite = await call.pool.go_on(_composite, data, head, channels[:COLOURS])
    kept |= {(COMPOSITE, index): packed for index, packed in composite.items()}
    for (number, index), packed in kept.items():
        data.view.put_stored(change, block_key(number, index), packed)
    written = {block_key(*place) for place in kept}
    with call.gate():
        await call.pool.go_on(_replace, data, head, change, written)
    return head


def _replace(data: MultiChan16, head: V3DRaw, change: Change, written: set[bytes]) -> None:
    """Nothing of another file stays, were it loaded at the same time."""
    with turn(data):
        for key in _others(data, written):
            data.view.delete(change, key)
        _describe(data, head, change)
        data.view.commit(change)


class _Body:
    """The body of a request in portions of the size that is wanted."""

    def __init__(self, call: Call) -> None:
        self._pieces: AsyncIterator[bytes] = call.stream()
        self._held = bytearray()

    async def take(self, size: int) -> bytes:
        """The next bytes; BadRequest where the body ends before."""
        while len(self._held) < size:
            piece = await self._next()
            if piece is None:
                raise BadRequest("the V3D Raw file ends early")
            self._held += piece
        taken = bytes(memoryview(self._held)[:size])
        del self._held[:size]
        return taken

    async def _next(self) -> bytes | None:
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            return None

    async def demand_end(self) -> None:
        """BadRequest where there are more bytes."""
        if self._held or await self._next():
            raise BadRequest("the V3D Raw file has more bytes than its head says")


def _demand_size(data: MultiChan16, head: V3DRaw, call: Call) -> None:
    """BadRequest where the body cannot be what its head says, or has layers that are too large."""
    if call.content_length is not None and not call.gzipped and call.content_length != HEAD + head.size:
        raise BadRequest(f"the file has {call.content_length} bytes; its head says {HEAD + head.size}")
    blocks = head.box.blocks(data.block).volume * (1 + head.channels)
    if head.size > call.limit or blocks > MOST_BLOCKS:
        raise TooLarge(f"the file has {head.size} bytes in {blocks} blocks; this server takes {call.limit} bytes")
    layer = data.block[0] * head.box.size[1] * head.box.size[2] * RGBA8.itemsize
    if layer > min(LARGEST_LAYER, call.limit):
        raise BadRequest(f"layers of {layer} bytes are too large: choose smaller blocks")


async def _channel(data: MultiChan16, head: V3DRaw, body: _Body, call: Call) -> Channel:
    blocks: Packed = {}
    lows, highs = [], []
    for z in range(0, head.box.stop[0], data.block[0]):
        layer = head.box.layer(z, z + data.block[0])
        plain = await body.take(layer.volume * head.kind.itemsize)
        packed, low, high = await call.pool.go_on(_pack_layer, data, head, layer, plain)
        blocks |= packed
        lows.append(low)
        highs.append(high)
    return Channel(blocks, min(lows), max(highs))


def _pack_layer(data: MultiChan16, head: V3DRaw, layer: Box, plain: bytes) -> tuple[Packed, int, int]:
    """(packed blocks of a layer, its lowest and highest value)."""
    dtype = head.kind.dtype.newbyteorder(">" if head.big_endian else "<")
    volume = np.frombuffer(plain, dtype).reshape(layer.size).astype(head.kind.dtype, copy=False)
    packed = {
        index: data.instance.codec.encode(view_of(_block(data, volume, layer, index)))
        for index in layer.blocks(data.block).points()
    }
    return packed, int(volume.min()), int(volume.max())


def _block(data: MultiChan16, volume: Voxels, layer: Box, index: Zyx) -> Voxels:
    """A block of a layer, 0 beyond its end."""
    out = np.zeros(data.block, volume.dtype)
    paste(out, Box(index, (1, 1, 1)).voxels(data.block).start, volume, layer.start)
    return out


def _composite(data: MultiChan16, head: V3DRaw, channels: list[Channel]) -> Packed:
    """Packed blocks of red, green and blue, each stretched to its range of values; alpha is 255 inside the volume."""
    found: Packed = {}
    for index in head.box.blocks(data.block).points():
        colours = np.zeros((*data.block, 4), np.uint8)
        box = Box(index, (1, 1, 1)).voxels(data.block)
        depth, height, width = box.common(head.box).size
        colours[:depth, :height, :width, 3] = 255
        for number, channel in enumerate(channels):
            voxels = np.frombuffer(codecs.decode(channel.blocks[index]), head.kind.dtype).reshape(data.block)
            inside = voxels[:depth, :height, :width].astype(np.int64) - channel.low
            colours[:depth, :height, :width, number] = 255 * inside // max(1, channel.high - channel.low)
        found[index] = data.instance.codec.encode(view_of(colours))
    return found


def _others(data: MultiChan16, written: set[bytes]) -> list[bytes]:
    """Keys of visible blocks that a file does not write."""
    return [key for key in data.view.keys(BLOCK, after(BLOCK)) if key not in written]


def _describe(data: MultiChan16, head: V3DRaw, change: Change) -> None:
    channels = [{"DataType": head.kind.name, "Label": f"channel{number}"} for number in range(head.channels)]
    data.view.put(change, CHANNELS, orjson.dumps(channels))
    high = [end - 1 for end in to_wire(head.box.stop)]
    data.view.put(change, EXTENTS, Extents([0, 0, 0], high).encode())
