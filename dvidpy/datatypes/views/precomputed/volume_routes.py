"""Routes of volumes: info and chunks."""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import JSON, OCTETS, Body, Call, Reply
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Parse, Room, TheCall
from dvidpy.datatypes.views.caching import kept_reply, small_reply
from dvidpy.datatypes.views.precomputed.info import volume_info
from dvidpy.datatypes.views.volumes import Level, Scaled, need_level, raw_bytes
from dvidpy.errors import BadRequest, NotFound
from dvidpy.geometry import Box, box_between, demand_sensible, parse_integer, to_wire

room = Room(heads=True)

_CHUNK = re.compile(r"(-?[0-9]+)-(-?[0-9]+)_(-?[0-9]+)-(-?[0-9]+)_(-?[0-9]+)-(-?[0-9]+)\Z", re.ASCII)


def parse_chunk(text: str) -> Box:
    """x0-x1_y0-y1_z0-z1 -> voxels; BadRequest where that is no box."""
    found = _CHUNK.match(text)
    if found is None:
        raise BadRequest(f"{text[:80]!r} names no chunk, such as 0-64_0-64_0-64")
    x, xx, y, yy, z, zz = map(parse_integer, found.groups())
    return demand_sensible(box_between((z, y, x), (zz, yy, xx)))


Encoding = Annotated[
    str, Path(description="Of chunks: raw, jpeg (of bytes) or compressed_segmentation (of labels).", examples=["raw"])
]
Scale = Annotated[str, Path(description="s0 is full resolution, each one more halves it.", examples=["s0"])]
Chunk = Annotated[
    Box,
    Path(description="Its voxels x0-x1_y0-y1_z0-z1, ends excluded.", examples=["0-64_0-64_0-64"]),
    Parse(parse_chunk),
]
INFO = gives(
    "The volume, as the precomputed format has it",
    "application/json",
    {"@type": "neuroglancer_multiscale_volume", "type": "image", "data_type": "uint8", "num_channels": 1, "scales": []},
)


def info_reply(call: Call, volume: Scaled, also: dict[str, Any]) -> Reply:
    """`info` with the best encoding, and what else there is."""
    encoding = volume.encodings[0]
    return small_reply(call, orjson.dumps(volume_info(volume, encoding, f"{encoding}/") | also), JSON)


@room.get("/precomputed/{encoding}/info", summary="precomputed:// volume in one encoding", responses=INFO)
def get_encoded_info(volume: Annotated[Scaled, Here], call: Annotated[Call, TheCall], encoding: Encoding) -> Reply:
    """The same voxels alone, with chunks of the encoding that is asked for."""
    _demand_encoding(volume, encoding)
    return small_reply(call, orjson.dumps(volume_info(volume, encoding)), JSON)


@room.get(
    "/precomputed/{encoding}/{scale}/{chunk}",
    summary="precomputed:// chunk",
    responses=gives("Voxels in that encoding", "application/octet-stream"),
)
def get_chunk(
    volume: Annotated[Scaled, Here],
    call: Annotated[Call, TheCall],
    encoding: Encoding,
    scale: Scale,
    chunk: Chunk,
) -> Reply:
    """A chunk of the grid, clipped or not; voxels that were never written are 0. Labels are packed for clients that
    accept gzip. 404 where the grid has no such chunk.
    """
    _demand_encoding(volume, encoding)
    number, level = need_level(volume, scale)
    _demand_on_grid(level, chunk)
    media_type = b"image/jpeg" if encoding == "jpeg" else OCTETS

    def make() -> Body:
        return volume.level_chunk(number, chunk, encoding)

    length = raw_bytes(volume, chunk)
    return kept_reply(call, [level.data], make, media_type, packed=volume.are_labels, length=length)


def _demand_encoding(volume: Scaled, encoding: str) -> None:
    if encoding not in volume.encodings:
        raise NotFound(f"there are no chunks as {encoding[:40]!r}; there are {' and '.join(volume.encodings)}")


def _demand_on_grid(level: Level, box: Box) -> None:
    """NotFound for a box that is no chunk. Extents may grow: one may be clipped where it was, and is no more."""
    aligned = not any(at % side for at, side in zip(box.start, level.chunk, strict=True))
    if not aligned or any(side > whole for side, whole in zip(box.size, level.chunk, strict=True)):
        raise NotFound(f"chunks have {to_wire(level.chunk)} voxels, and begin at multiples of that")
