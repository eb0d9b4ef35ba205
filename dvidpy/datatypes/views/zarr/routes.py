"""Routes of volumes as zarr: the group, its arrays, their chunks."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import Path

from dvidpy.datatypes.base import Data, Here
from dvidpy.datatypes.exchange import JSON, OCTETS, Call, Reply
from dvidpy.datatypes.labels.packing import pack
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Room, TheCall
from dvidpy.datatypes.views.caching import kept_reply, small_reply
from dvidpy.datatypes.views.volumes import Level, Scaled, need_level
from dvidpy.datatypes.views.zarr.metadata import array_metadata, group_metadata, is_coloured
from dvidpy.errors import BadRequest, NotFound
from dvidpy.geometry import Box, parse_integer

room = Room(heads=True)

Subject = Annotated[Data, Here]
Scale = Annotated[str, Path(description="s0 is full resolution, each one more halves it.", examples=["s0"])]
METADATA: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5"}}}
CHUNK = gives("Voxels, gzip of labels", "application/octet-stream")


def _place(axis: str) -> Any:
    return Path(description=f"Number of the chunk along {axis}.", examples=["0"])


@room.get("/zarr/zarr.json", summary="zarr v3 volume", responses=gives("The group", "application/json", METADATA))
def get_group(data: Subject, call: Annotated[Call, TheCall]) -> Reply:
    """OME-Zarr 0.5: multiscales with their place in nanometers. Arrays s0, s1… are the scales; z, y, x, with channels
    before them. What the arrays say is in it too.
    """
    return small_reply(call, orjson.dumps(group_metadata(_scaled(data), data.instance.name)), JSON)


@room.get(
    "/zarr/{scale}/zarr.json",
    summary="zarr v3 array of a scale",
    responses=gives("The array", "application/json", METADATA | {"node_type": "array"}),
)
def get_array(data: Subject, call: Annotated[Call, TheCall], scale: Scale) -> Reply:
    """Its first voxel is that of the first chunk; `voxel_offset` says where that lies, z, y, x."""
    volume = _scaled(data)
    _, level = need_level(volume, scale)
    return small_reply(call, orjson.dumps(array_metadata(volume, level)), JSON)


@room.get("/zarr/{scale}/c/{z}/{y}/{x}", summary="zarr chunk", responses=CHUNK)
def get_chunk(
    data: Subject,
    call: Annotated[Call, TheCall],
    scale: Scale,
    z: Annotated[str, _place("z")],
    y: Annotated[str, _place("y")],
    x: Annotated[str, _place("x")],
) -> Reply:
    """A whole chunk; voxels that were never written are 0. 404 where the array has no such chunk."""
    volume = _scaled(data)
    if is_coloured(volume):
        raise NotFound("chunks of channels are c/0/Z/Y/X")
    return _chunk(call, data, scale, (z, y, x))


@room.get("/zarr/{scale}/c/{channel}/{z}/{y}/{x}", summary="zarr chunk with channels", responses=CHUNK)
def get_coloured_chunk(
    data: Subject,
    call: Annotated[Call, TheCall],
    scale: Scale,
    channel: Annotated[str, Path(description="Always 0: a chunk has all channels.", examples=["0"])],
    z: Annotated[str, _place("z")],
    y: Annotated[str, _place("y")],
    x: Annotated[str, _place("x")],
) -> Reply:
    """The same of an rgba8blk: channel, z, y, x."""
    volume = _scaled(data)
    if not is_coloured(volume) or channel != "0":
        raise NotFound(f"there is no chunk c/{channel[:20]}/{z[:20]}/{y[:20]}/{x[:20]}")
    return _chunk(call, data, scale, (z, y, x))


@room.get("/zarr/{file}", summary="What a zarr has not", responses={404: {"description": "There is no such file"}})
def get_nothing(file: Annotated[str, Path(description="What clients look for.", examples=[".zattrs"])]) -> Reply:
    """Always 404, as below a scale: clients that try older versions of zarr go on without."""
    raise NotFound(f"there is no {file[:80]!r} here")


@room.get(
    "/zarr/{scale}/{file}", summary="What an array has not", responses={404: {"description": "There is no such file"}}
)
def get_nothing_of_array(
    scale: Scale, file: Annotated[str, Path(description="What clients look for.", examples=[".zarray"])]
) -> Reply:
    """Always 404."""
    raise NotFound(f"there is no {file[:80]!r} here")


def _chunk(call: Call, data: Data, scale: str, place: tuple[str, str, str]) -> Reply:
    volume = _scaled(data)
    number, level = need_level(volume, scale)
    box = _box_of(level, place)
    dtype = np.dtype(volume.voxel_type).newbyteorder("<")

    def make() -> bytes:
        plain = np.ascontiguousarray(volume.level_voxels(number, box), dtype).tobytes()
        return bytes(pack(plain, "gzip")) if volume.are_labels else plain

    sources = [data] if level.data.instance is data.instance else [data, level.data]
    return kept_reply(call, sources, make, OCTETS)


def _box_of(level: Level, place: tuple[str, str, str]) -> Box:
    """Voxels of a chunk; NotFound for one that the array has not."""
    z, y, x = map(parse_integer, place)
    if min(z, y, x) < 0:
        raise BadRequest(f"there is no chunk {z}/{y}/{x}")
    start, (depth, height, width) = level.bounds.start, level.chunk
    first = (start[0] + z * depth, start[1] + y * height, start[2] + x * width)
    if any(at >= stop for at, stop in zip(first, level.bounds.stop, strict=True)):
        raise NotFound(f"there is no chunk {z}/{y}/{x} at this scale")
    return Box(first, level.chunk)


def _scaled(data: Data) -> Scaled:
    volume: Any = data  # what the rooms of volumes are given
    return volume  # type: ignore[no-any-return]
