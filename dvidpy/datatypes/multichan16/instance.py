"""Channels of a multichan16 instance, as one version sees them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
import orjson

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.multichan16.keys import (
    BLOCK,
    BLOCK_KEY,
    CHANNELS,
    COMPOSITE,
    EXTENTS,
    channel_key,
)
from dvidpy.datatypes.multichan16.v3draw import V3DRaw
from dvidpy.datatypes.voxels.cutting import paste
from dvidpy.datatypes.voxels.extents import decode
from dvidpy.datatypes.voxels.grid import index_of, row_spans
from dvidpy.datatypes.voxels.kinds import RGBA8, UINT8, UINT16, Kind, Voxels
from dvidpy.datatypes.voxels.volume import Volume
from dvidpy.errors import BadRequest, StoreError
from dvidpy.geometry import Box, from_wire
from dvidpy.versioning.duties import Kept

MOST_BLOCKS = 1 << 22
"""Blocks that one request may ask for, present or not."""
_KINDS = {kind.name: kind for kind in (UINT8, UINT16)}


class MultiChan16(Volume):
    """Channels of 8 or 16 bits, numbered from 1, and their composite, number 0."""

    __slots__ = ()

    extents_key = EXTENTS

    @property
    def kind(self) -> Kind:
        """What the voxels of the composite are (`voxels.sources`)."""
        return RGBA8

    # ------------------------------------------------------------------ channels
    def channels(self) -> list[dict[str, str]]:
        """Type and name of each channel; none before a file was loaded."""
        stored = self.view.get(CHANNELS)
        found: list[dict[str, str]] = [] if stored is None else orjson.loads(stored)
        return found

    def demand_channel(self, channel: int) -> Kind:
        """What the voxels of a channel are; BadRequest where nothing was loaded, or there is no such channel."""
        channels = self.channels()
        if not channels:
            raise BadRequest(f"{self.instance.name!r} has no channels in this version: load a file first")
        if not 0 <= channel <= len(channels):
            raise BadRequest(f"there is no channel {channel}, but 1 to {len(channels)}, and 0, their composite")
        return RGBA8 if channel == COMPOSITE else _KINDS[channels[channel - 1]["DataType"]]

    def file(self) -> V3DRaw:
        """What a file of all channels says in its head; BadRequest where nothing was loaded."""
        kind, extents = self.demand_channel(1), self.extents()
        assert extents.MaxPoint is not None  # it comes with the channels
        box = Box((0, 0, 0), from_wire([last + 1 for last in extents.MaxPoint]))
        return V3DRaw(kind, box, len(self.channels()), big_endian=False)

    def pieces(self, file: V3DRaw) -> Iterator[bytes]:
        """Voxels of all channels, one after the other, a layer of blocks at a time."""
        still = copy(self)
        still.view = self.view.frozen()
        for channel in range(1, file.channels + 1):
            for z in range(0, file.box.stop[0], self.block[0]):
                yield still.read_channel(channel, file.kind, file.box.layer(z, z + self.block[0])).tobytes()

    def info(self) -> dict[str, Any]:
        """Base and Extended."""
        return Data.info(self)

    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words."""
        channels = self.channels()
        return {**self.properties(), "Values": channels or None, "NumChannels": len(channels)}

    # ------------------------------------------------------------------ voxels
    def read(self, box: Box) -> Voxels:
        """(z, y, x) voxels of the composite, 0 where there are none (`voxels.sources`)."""
        return self.read_channel(COMPOSITE, RGBA8, box)

    def read_channel(self, channel: int, kind: Kind, box: Box) -> Voxels:
        """(z, y, x) voxels of a channel; BadRequest where they are too many."""
        blocks = box.blocks(self.block)
        limit = box.volume * kind.itemsize if self.call is None else self.call.limit
        if box.volume * kind.itemsize > limit or blocks.volume > MOST_BLOCKS:
            raise BadRequest(f"this asks for {box.volume * kind.itemsize} bytes; the server gives at most {limit}")
        out = np.zeros(box.size, kind.dtype)
        depth, height, width = self.block
        for key, found in self.view.ranges(row_spans(channel_key(channel), blocks)):
            z, y, x = index_of(key)
            voxels = np.frombuffer(found.read(), kind.dtype)
            if len(voxels) != self.block_volume:
                raise StoreError(f"a stored block has {len(voxels)} voxels, not {self.block_volume}")
            paste(out, box.start, voxels.reshape(self.block), (z * depth, y * height, x * width))
        return out


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with a stored value."""
    key, value = kept.typekey, kept.read()
    width, height, depth = kept.instance.settings["BlockSize"]
    try:
        if key == EXTENTS:
            decode(value)
        elif key == CHANNELS:
            wrong = [one for one in orjson.loads(value) if one["DataType"] not in _KINDS]
            yield from (f"there are no channels of {one['DataType']}" for one in wrong)
        elif key[:1] != BLOCK or len(key) != BLOCK_KEY:
            yield "this is no key of a block"
        elif len(value) not in [width * height * depth * size for size in ((4,) if key[1] == COMPOSITE else (1, 2))]:
            yield f"a stored block has {len(value)} bytes"
    except (ValueError, KeyError, TypeError) as error:
        yield f"it cannot be read: {error}"
