"""Routes of files that come in, and of slices and volumes that go out."""

from __future__ import annotations

from itertools import chain
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import OCTETS, Call, Reply, json_reply, octets, pieces_reply
from dvidpy.datatypes.multichan16.instance import MultiChan16
from dvidpy.datatypes.multichan16.intake import load
from dvidpy.datatypes.multichan16.v3draw import HEAD, head_of
from dvidpy.datatypes.params import PictureFormat, gives, gives_any, takes
from dvidpy.datatypes.rooms import Parse, Room, TheCall, streaming
from dvidpy.datatypes.voxels.pictures import parse_format, picture
from dvidpy.datatypes.voxels.planes import Plane, parse_box, parse_shape, parse_slice_size
from dvidpy.geometry import parse_integer, parse_point

room = Room()

SHAPES = ("xy", "xz", "yz", "0_1", "0_2", "1_2", "0_1_2")
"""Keywords of slices, and of volumes."""
Size = Annotated[str, Path(description="Voxels along the axes of the slice or volume.", examples=["200_200"])]
Offset = Annotated[str, Path(description="First voxel, x_y_z.", examples=["0_0_100"])]
Channel = Annotated[
    int,
    Query(description="1, 2…; 0, as without it: the first three as red, green and blue.", examples=["1"]),
    Parse(parse_integer),
]
SHOWN = gives_any(
    "A picture; of 0_1_2 voxels, x fastest, little-endian",
    "image/png",
    "image/jpeg",
    "image/tiff",
    "image/bmp",
    "application/octet-stream",
)


def get_slice(
    data: Annotated[MultiChan16, Here],
    call: Annotated[Call, TheCall],
    size: Size,
    offset: Offset,
    channel: Channel = 0,
) -> Reply:
    """The composite has a byte each of red, green, blue and alpha; a channel is gray of 8 or 16 bits. 400 before a file
    was loaded. `channel` and volumes are additions.
    """
    return _show(data, call, size, offset, "", channel)


def get_slice_as(
    data: Annotated[MultiChan16, Here],
    call: Annotated[Call, TheCall],
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    channel: Channel = 0,
) -> Reply:
    """Formats as of slices of images; of volumes it is ignored."""
    return _show(data, call, size, offset, format, channel)


for shape in SHAPES:
    thing = "A volume" if shape == "0_1_2" else f"A slice {shape}"
    room.get(f"/{shape}/{{size}}/{{offset}}", summary=thing, responses=SHOWN)(get_slice)
    room.get(f"/{shape}/{{size}}/{{offset}}/{{format}}", summary=f"{thing} in a format", responses=SHOWN)(get_slice_as)


def _show(data: MultiChan16, call: Call, size: str, offset: str, form: str, channel: int) -> Reply:
    plane = parse_shape(call.parts[0])
    if plane is None:
        box = parse_box(size, offset)
        return octets(data.read_channel(channel, data.demand_channel(channel), box).tobytes())
    return _show_slice(data, plane, size, offset, form, channel)


def _show_slice(data: MultiChan16, plane: Plane, size: str, offset: str, form: str, channel: int) -> Reply:
    wanted = parse_format(form)
    width, height = parse_slice_size(size)
    wanted.demand_fits(width, height)
    box = plane.box(width, height, parse_point(offset))
    kind = data.demand_channel(channel)
    return picture(kind, plane.picture(data.read_channel(channel, kind, box)), wanted)


@room.post(
    "/load",
    summary="Load a V3D Raw file",
    openapi_extra=takes("The file; it streams through", "application/octet-stream"),
    responses=gives("What it holds", "application/json", {"NumChannels": 3, "Size": [174, 153, 34]}),
)
@streaming
async def post_load(data: Annotated[MultiChan16, Here], call: Annotated[Call, TheCall]) -> Reply:
    """An addition: in the reference a command of its program. Replaces all that this version has, all or nothing."""
    head = await load(data, call)
    return json_reply({"NumChannels": head.channels, "Size": [*reversed(head.box.size)]})


@room.get(
    "/v3draw",
    summary="All channels as a V3D Raw file",
    responses=gives("The file: its voxels begin at 0, 0, 0", "application/octet-stream"),
)
def get_v3draw(data: Annotated[MultiChan16, Here]) -> Reply:
    """An addition. What was loaded in this version, or in the ancestor it comes from. 400 before a file was loaded."""
    file = data.file()
    return pieces_reply(chain((head_of(file),), data.pieces(file)), OCTETS, HEAD + file.size)


@room.post("/info", summary="Nothing can be changed", responses=gives("As GET", "application/json", {}))
def post_info(data: Annotated[MultiChan16, Here]) -> Reply:
    """Answers as GET does."""
    return json_reply(data.info())
