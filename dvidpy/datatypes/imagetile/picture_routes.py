"""Routes of pictures stitched from tiles."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import Reply
from dvidpy.datatypes.imagetile.instance import ImageTile, demand_few_tiles
from dvidpy.datatypes.imagetile.keys import parse_plane
from dvidpy.datatypes.imagetile.routes import PICTURE, Dims
from dvidpy.datatypes.imagetile.tiles import shown_as
from dvidpy.datatypes.params import PictureFormat
from dvidpy.datatypes.rooms import Room
from dvidpy.datatypes.voxels.pictures import parse_format, picture
from dvidpy.datatypes.voxels.planes import parse_slice_size
from dvidpy.datatypes.voxels.resample import source_size, stretch
from dvidpy.datatypes.voxels.sources import find_source
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_point

room = Room()

Size = Annotated[str, Path(description="Pixels along the axes of the plane.", examples=["512_256"])]
Offset = Annotated[str, Path(description="First voxel, x_y_z.", examples=["0_0_100"])]


@room.get("/raw/{dims}/{size}/{offset}", summary="A picture from tiles", responses=PICTURE)
def get_raw(data: Annotated[ImageTile, Here], dims: Dims, size: Size, offset: Offset) -> Reply:
    """Any rectangle of scale 0, as PNG; black where there are no tiles. The source says what its pixels are."""
    return _show(data, dims, size, offset, "", isotropic=False)


@room.get("/raw/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
def get_raw_as(
    data: Annotated[ImageTile, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
) -> Reply:
    """Formats as of slices of images."""
    return _show(data, dims, size, offset, format, isotropic=False)


@room.get("/isotropic/{dims}/{size}/{offset}", summary="A picture with square pixels", responses=PICTURE)
def get_isotropic(data: Annotated[ImageTile, Here], dims: Dims, size: Size, offset: Offset) -> Reply:
    """The finer of the source's two resolutions counts; the size is that of the picture."""
    return _show(data, dims, size, offset, "", isotropic=True)


@room.get("/isotropic/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
def get_isotropic_as(
    data: Annotated[ImageTile, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
) -> Reply:
    """Formats as of slices of images."""
    return _show(data, dims, size, offset, format, isotropic=True)


def _show(data: ImageTile, dims: str, size: str, offset: str, form: str, *, isotropic: bool) -> Reply:
    plane, wanted = parse_plane(dims), parse_format(form)
    width, height = parse_slice_size(size)
    wanted.demand_fits(width, height)
    start = parse_point(offset)
    level = data.demand_levels()[0]
    source = find_source(data, data.instance.settings["Source"])
    across, down = width, height
    if isotropic:
        resolution = source.voxel_size[::-1]
        across, down = source_size(width, height, resolution[plane.across], resolution[plane.down])
    kind = shown_as(source.kind)
    pixels = max(width * height, across * down)
    if data.call is not None and pixels * kind.itemsize > data.call.limit:
        raise BadRequest(f"this asks for {pixels} pixels; the server gives at most {data.call.limit} bytes")
    box = plane.box(across, down, start)
    demand_few_tiles(box, level.cell(plane))
    found = data.stitch(plane, 0, level, box, kind, placeholders=data.instance.settings["Placeholder"])
    return picture(kind, stretch(kind, found, width, height), wanted)
