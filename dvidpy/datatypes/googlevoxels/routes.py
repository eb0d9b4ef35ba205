"""Routes of tiles, slices and volumes. All run on worker threads; what Google sends is passed on as it comes."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import OCTETS, Call, Reply, octets
from dvidpy.datatypes.googlevoxels.geometry import tile_start
from dvidpy.datatypes.googlevoxels.instance import GoogleVoxels, Wanted
from dvidpy.datatypes.googlevoxels.settings import parse_tile_size
from dvidpy.datatypes.params import Flag, Throttle, gives, gives_any
from dvidpy.datatypes.rooms import Parse, Room, TheCall
from dvidpy.datatypes.voxels.kinds import UINT8
from dvidpy.datatypes.voxels.pictures import Format, parse_format, picture
from dvidpy.datatypes.voxels.planes import Plane, parse_box, parse_shape, parse_slice_size
from dvidpy.datatypes.voxels.reading import open_picture, unpack_picture
from dvidpy.errors import BadGateway, BadRequest, NotFound
from dvidpy.geometry import parse_point

room = Room()

MOST_SCALES = 256
FAILED = gives("Google failed, or did not answer in time", "text/plain", "Google BrainMaps cannot be reached", 502)
PICTURE = FAILED | gives_any("The picture", "image/png", "image/jpeg")
SHOWN = FAILED | gives_any(
    "A picture; of a volume voxels, x fastest, little-endian", "image/png", "image/jpeg", "application/octet-stream"
)


def _parse_scale(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) < MOST_SCALES):
        raise BadRequest(f"{text[:40]!r} is no scale from 0 to {MOST_SCALES - 1}")
    return int(text)


Dims = Annotated[str, Path(description="xy, xz, yz (or 0_1, 0_2, 1_2); 0_1_2 for a volume.", examples=["xy"])]
Scale = Annotated[int, Path(description="0 for the original resolution.", examples=["0"]), Parse(_parse_scale)]
ScaleOption = Annotated[int, Query(description="0, as without it, for the original resolution."), Parse(_parse_scale)]
Coord = Annotated[
    str, Path(description="x_y_z: counts tiles along the plane, voxels through it.", examples=["10_10_20"])
]
Size = Annotated[str, Path(description="Voxels along these axes.", examples=["512_256"])]
Offset = Annotated[str, Path(description="First voxel, x_y_z.", examples=["0_0_100"])]
PictureFormat = Annotated[str, Path(description="png, jpg or jpg:80.", examples=["jpg:80"])]
TileSize = Annotated[str, Query(description="Pixels along each axis; without it as at creation.", examples=["256"])]
NoBlanks = Annotated[bool, Query(description="`true`: 404 for a tile outside the volume."), Flag]
FormatOption = Annotated[str, Query(description="png, jpg or jpg:80.", examples=["png"])]
Compression = Annotated[str, Query(description="Of volumes: raw, or lz4 for one raw LZ4 block.")]


@room.get("/tile/{dims}/{scale}/{coord}", summary="A tile", responses=PICTURE)
def get_tile(
    data: Annotated[GoogleVoxels, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    scale: Scale,
    coord: Coord,
    tilesize: TileSize = "",
    noblanks: NoBlanks = False,
    format: FormatOption = "",  # noqa: A002  # its name in the query
) -> Reply:
    """A PNG without another format. What lies outside the volume is black."""
    return _tile(data, call, (dims, scale, coord), (tilesize, format), noblanks)


@room.get("/tile/{dims}/{scale}/{coord}/{format}", summary="A tile in a format", responses=PICTURE)
def get_tile_as(
    data: Annotated[GoogleVoxels, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    scale: Scale,
    coord: Coord,
    format: PictureFormat,  # noqa: A002  # its name in the path
    tilesize: TileSize = "",
    noblanks: NoBlanks = False,
) -> Reply:
    """Made by Google, but at the edges of the volume."""
    return _tile(data, call, (dims, scale, coord), (tilesize, format), noblanks)


def _tile(
    data: GoogleVoxels, call: Call, place: tuple[str, int, str], options: tuple[str, str], noblanks: bool
) -> Reply:
    (dims, scale, coord), (tilesize, form) = place, options
    plane, wanted_format = parse_shape(dims), _parse_format(form)
    if plane is None:
        raise BadRequest("tiles are of planes: xy, xz or yz")
    side = parse_tile_size(tilesize) if tilesize else data.tile_size
    wanted = data.wanted(plane, scale, plane.box(side, side, tile_start(plane, parse_point(coord), side)))
    if wanted.outside and noblanks:
        raise NotFound("this tile lies outside the volume")
    return _slice(data, call, plane, wanted, wanted_format)


def _parse_format(text: str) -> Format:
    form = parse_format(text)
    if form.name not in ("PNG", "JPEG"):
        raise BadRequest(f"{text[:40]!r} is no format that Google gives: there are png and jpg")
    return form


@room.get("/raw/{dims}/{size}/{offset}", summary="A slice or volume", responses=SHOWN)
def get_raw(
    data: Annotated[GoogleVoxels, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    size: Size,
    offset: Offset,
    scale: ScaleOption = 0,
    compression: Compression = "",
    throttle: Throttle = "",
) -> Reply:
    """What lies outside the volume is 0. A slice is a PNG."""
    return _raw(data, call, (dims, size, offset), scale, "", compression)


@room.get("/raw/{dims}/{size}/{offset}/{format}", summary="A slice or volume in a format", responses=SHOWN)
def get_raw_as(
    data: Annotated[GoogleVoxels, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    scale: ScaleOption = 0,
    throttle: Throttle = "",
) -> Reply:
    """A volume comes as one picture, which Google makes."""
    return _raw(data, call, (dims, size, offset), scale, format, "")


def _raw(data: GoogleVoxels, call: Call, place: tuple[str, str, str], scale: int, form: str, compression: str) -> Reply:
    dims, size, offset = place
    plane, wanted_format = parse_shape(dims), _parse_format(form)
    if plane is not None:
        box = plane.box(*parse_slice_size(size), parse_point(offset))
        return _slice(data, call, plane, data.wanted(plane, scale, box), wanted_format)
    if compression not in ("", "raw", "lz4"):
        raise BadRequest(f"{compression[:40]!r} is no compression; there are raw and lz4")
    wanted = data.wanted(None, scale, parse_box(size, offset))
    return _stack(data, call, wanted, wanted_format) if form else _volume(data, call, wanted, compression)


# ---------------------------------------------------------------------- answers
def _slice(data: GoogleVoxels, call: Call, plane: Plane, wanted: Wanted, form: Format) -> Reply:
    """A slice as a picture: as Google sends it, or padded where it reaches beyond the volume."""
    if wanted.whole:
        return Reply(data.picture(call, wanted, form), form.media_type)
    width, height = wanted.box.size[plane.across], wanted.box.size[plane.down]
    form.demand_fits(width, height)
    if wanted.outside:
        return picture(UINT8, np.zeros((height, width), np.uint8), form)
    return _padded(b"".join(data.picture(call, wanted, form)), plane, wanted, form)


def _padded(part: bytes, plane: Plane, wanted: Wanted, form: Format) -> Reply:
    """A picture of a part of a slice, put into a black one at its place."""
    import io

    from PIL import Image

    try:
        found = unpack_picture(open_picture(part, (form.name,)))
    except BadRequest as error:
        raise BadGateway(f"what Google BrainMaps sends: {error}") from error
    whole = Image.new(found.mode, (wanted.box.size[plane.across], wanted.box.size[plane.down]))
    moved = [inside - asked for inside, asked in zip(wanted.inside.start, wanted.box.start, strict=True)]
    whole.paste(found, (moved[plane.across], moved[plane.down]))
    out = io.BytesIO()
    whole.save(out, form.name, **({"quality": form.quality} if form.name == "JPEG" else {}))
    return Reply(out.getvalue(), form.media_type)


def _stack(data: GoogleVoxels, call: Call, wanted: Wanted, form: Format) -> Reply:
    """A volume as one picture, its z slices below each other where it is made here."""
    if wanted.whole:
        return Reply(data.stack(call, wanted, form), form.media_type)
    if wanted.geometry.kind != UINT8:
        raise BadRequest("at the edges of the volume, pictures of volumes are made of 8-bit voxels only")
    depth, height, width = wanted.box.size
    form.demand_fits(width, height * depth)
    return picture(UINT8, data.padded(call, wanted).reshape(depth * height, width), form)


def _volume(data: GoogleVoxels, call: Call, wanted: Wanted, compression: str) -> Reply:
    if compression == "lz4":
        import lz4.block

        return octets(lz4.block.compress(data.padded(call, wanted).tobytes(), store_size=False))
    if wanted.whole:
        length = wanted.box.volume * wanted.geometry.itemsize
        return Reply(data.voxels(call, wanted), OCTETS, length=length)
    return octets(data.padded(call, wanted).tobytes())
