"""Routes of volumes and slices."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, NamedTuple

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Call, Reply, pieces_reply
from dvidpy.datatypes.imageblk.blocks import demand_answerable, is_quick
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.intake import demand_storable, store_volume
from dvidpy.datatypes.imageblk.volumes import layers, read_box, read_masking, read_oblique
from dvidpy.datatypes.params import PictureFormat, Throttle, gives, gives_any, takes
from dvidpy.datatypes.rooms import Room, TheCall, at_once, streaming
from dvidpy.datatypes.voxels.pictures import parse_format, picture
from dvidpy.datatypes.voxels.planes import Plane, parse_box, parse_shape, parse_slice_size
from dvidpy.datatypes.voxels.resample import source_size, stretch
from dvidpy.datatypes.voxels.streams import view_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, parse_point

room = Room()

Dims = Annotated[
    str, Path(description="xy, xz, yz (or 0_1, 0_2, 1_2) for a slice; 0_1_2 for a volume.", examples=["0_1_2"])
]
Size = Annotated[str, Path(description="Voxels along these axes.", examples=["64_64_64"])]
Offset = Annotated[str, Path(description="First voxel, x_y_z; may be negative.", examples=["0_0_0"])]
Roi = Annotated[str, Query(description="Region of interest: voxels outside it are not shown, or not stored.")]
Attenuation = Annotated[
    str, Query(description="1 to 7: with roi, 8-bit voxels outside are divided by 2 to this power.")
]
Corner = Annotated[str, Path(description="x_y_z in nanometers.", examples=["0_0_0"])]
Resolution = Annotated[str, Path(description="Nanometers per pixel.", examples=["8"])]
VOXELS = gives("Voxels, x fastest, little-endian; of a slice a picture", "application/octet-stream")
PICTURE = gives_any(
    "The picture, or its bytes", "image/png", "image/jpeg", "image/tiff", "image/bmp", "application/octet-stream"
)


@room.get("/raw/{dims}/{size}/{offset}", summary="Voxels of a volume or slice", responses=VOXELS)
@at_once
def get_raw(
    image: Annotated[ImageBlk, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    size: Size,
    offset: Offset,
    roi: Roi = "",
    attenuation: Attenuation = "",
    throttle: Throttle = "",
) -> Reply | Awaitable[Reply]:
    """Any offset, also outside the extents; voxels that were never written are 0. A slice is a PNG."""
    return _answer(image, call, Asked(dims, size, offset, "", roi, attenuation, isotropic=False))


@room.get("/raw/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
@at_once
def get_raw_as(
    image: Annotated[ImageBlk, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    roi: Roi = "",
    attenuation: Attenuation = "",
    throttle: Throttle = "",
) -> Reply | Awaitable[Reply]:
    """A volume as jpg or jpeg is one picture, its z slices below each other; other formats of volumes are ignored."""
    return _answer(image, call, Asked(dims, size, offset, format, roi, attenuation, isotropic=False))


@room.get("/isotropic/{dims}/{size}/{offset}", summary="Slice with square pixels", responses=VOXELS)
@at_once
def get_isotropic(
    image: Annotated[ImageBlk, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    size: Size,
    offset: Offset,
    roi: Roi = "",
    attenuation: Attenuation = "",
    throttle: Throttle = "",
) -> Reply | Awaitable[Reply]:
    """The finer of the two resolutions counts; the size is that of the picture. A volume comes as with raw."""
    return _answer(image, call, Asked(dims, size, offset, "", roi, attenuation, isotropic=True))


@room.get("/isotropic/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
@at_once
def get_isotropic_as(
    image: Annotated[ImageBlk, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    roi: Roi = "",
    attenuation: Attenuation = "",
    throttle: Throttle = "",
) -> Reply | Awaitable[Reply]:
    """Formats as with raw."""
    return _answer(image, call, Asked(dims, size, offset, format, roi, attenuation, isotropic=True))


class Asked(NamedTuple):
    """What a reading request asks for, as it says it."""

    dims: str
    size: str
    offset: str
    form: str
    roi: str
    attenuation: str
    isotropic: bool


def _answer(image: ImageBlk, call: Call, asked: Asked) -> Reply | Awaitable[Reply]:
    """Small volumes at once, all else from a worker thread."""
    plane = parse_shape(asked.dims)
    if plane is not None:
        return call.on_worker(_show_slice, image, plane, asked)
    box = parse_box(asked.size, asked.offset)
    if asked.form in ("jpg", "jpeg"):
        return call.on_worker(_show_stack, image, box, asked)
    blocks = box.blocks(image.block).volume
    demand_answerable(image, box.volume, blocks)
    if is_quick(image, blocks) and not asked.roi:
        return _show_volume(image, box, asked)
    return call.on_worker(_show_volume, image, box, asked)


def _show_volume(image: ImageBlk, box: Box, asked: Asked) -> Reply:
    masking = read_masking(image, asked.roi, asked.attenuation)
    return pieces_reply(map(view_of, layers(image, box, masking)), OCTETS, box.volume * image.kind.itemsize)


def _show_stack(image: ImageBlk, box: Box, asked: Asked) -> Reply:
    """A volume as one picture, its z slices below each other."""
    depth, height, width = box.size
    form = parse_format(asked.form)
    form.demand_fits(width, height * depth)
    found = read_box(image, box, read_masking(image, asked.roi, asked.attenuation))
    return picture(image.kind, found.reshape(depth * height, width), form)


def _show_slice(image: ImageBlk, plane: Plane, asked: Asked) -> Reply:
    form = parse_format(asked.form)
    width, height = parse_slice_size(asked.size)
    form.demand_fits(width, height)
    demand_answerable(image, width * height, 0)
    source = (width, height)
    if asked.isotropic:
        resolution = image.voxel_size[::-1]
        source = source_size(width, height, resolution[plane.across], resolution[plane.down])
    box = plane.box(*source, parse_point(asked.offset))
    found = plane.picture(read_box(image, box, read_masking(image, asked.roi, asked.attenuation)))
    return picture(image.kind, stretch(image.kind, found, width, height), form)


@room.post(
    "/raw/{dims}/{size}/{offset}",
    summary="Write a volume",
    openapi_extra=takes("Voxels, x fastest, little-endian", "application/octet-stream"),
    responses=gives("All stored", "text/plain", ""),
)
@streaming
async def post_raw(
    image: Annotated[ImageBlk, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    size: Size,
    offset: Offset,
    roi: Roi = "",
    mutate: Annotated[
        str, Query(description="`true` says that the blocks may exist already; nothing depends on it.")
    ] = "",
    throttle: Throttle = "",
) -> Reply:
    """A volume of whole blocks, all or nothing; the extents grow with it. With roi, blocks outside stay as they are."""
    if parse_shape(dims) is not None:
        raise BadRequest("only volumes (0_1_2) can be posted, no slices")
    box = parse_box(size, offset)
    demand_storable(image, box, call)
    masking = read_masking(image, roi, "")
    await store_volume(image, box, call, masking.mask if masking else None)
    return DONE


# ---------------------------------------------------------------------- planes of any direction
@room.get("/arb/{top_left}/{top_right}/{bottom_left}/{res}", summary="Slice of any direction", responses=PICTURE)
def get_arb(
    image: Annotated[ImageBlk, Here],
    top_left: Corner,
    top_right: Corner,
    bottom_left: Corner,
    res: Resolution,
    throttle: Throttle = "",
) -> Reply:
    """Trilinear between voxels. Each side has one pixel more than steps; unwritten blocks show the background."""
    return picture(image.kind, read_oblique(image, (top_left, top_right, bottom_left), res), parse_format(""))


@room.get("/arb/{top_left}/{top_right}/{bottom_left}/{res}/{format}", summary="The same in a format", responses=PICTURE)
def get_arb_as(
    image: Annotated[ImageBlk, Here],
    top_left: Corner,
    top_right: Corner,
    bottom_left: Corner,
    res: Resolution,
    format: PictureFormat,  # noqa: A002  # its name in the path
    throttle: Throttle = "",
) -> Reply:
    """Formats as of raw slices."""
    form = parse_format(format)
    return picture(image.kind, read_oblique(image, (top_left, top_right, bottom_left), res), form)
