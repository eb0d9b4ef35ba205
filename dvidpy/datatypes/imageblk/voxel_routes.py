"""Routes of volumes and slices."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Call, Reply
from dvidpy.datatypes.imageblk.blocks import demand_answerable
from dvidpy.datatypes.imageblk.instance import ImageBlk
from dvidpy.datatypes.imageblk.intake import demand_storable, store_volume
from dvidpy.datatypes.imageblk.volumes import layers, read_box, read_masking, read_oblique
from dvidpy.datatypes.params import Throttle, gives, gives_any, takes
from dvidpy.datatypes.rooms import Room, TheCall
from dvidpy.datatypes.voxels.pictures import Format, parse_format, picture
from dvidpy.datatypes.voxels.planes import Plane, parse_box, parse_shape, parse_slice_size
from dvidpy.datatypes.voxels.resample import source_size, stretch
from dvidpy.datatypes.voxels.streams import answer, view_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_point

room = Room()

Dims = Annotated[
    str, Path(description="xy, xz, yz (or 0_1, 0_2, 1_2) for a slice; 0_1_2 for a volume.", examples=["0_1_2"])
]
Size = Annotated[str, Path(description="Voxels along these axes.", examples=["64_64_64"])]
Offset = Annotated[str, Path(description="First voxel, x_y_z; may be negative.", examples=["0_0_0"])]
PictureFormat = Annotated[str, Path(description="png, jpg, jpg:80, tif or bmp.", examples=["jpg:80"])]
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
def get_raw(
    image: Annotated[ImageBlk, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    roi: Roi = "",
    attenuation: Attenuation = "",
    throttle: Throttle = "",
) -> Reply:
    """Any offset, also outside the extents; voxels that were never written are 0. A slice is a PNG."""
    return _show(image, dims, size, offset, "", roi, attenuation, isotropic=False)


@room.get("/raw/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
def get_raw_as(
    image: Annotated[ImageBlk, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    roi: Roi = "",
    attenuation: Attenuation = "",
    throttle: Throttle = "",
) -> Reply:
    """A volume as jpg or jpeg is one picture, its z slices below each other; other formats of volumes are ignored."""
    return _show(image, dims, size, offset, format, roi, attenuation, isotropic=False)


@room.get("/isotropic/{dims}/{size}/{offset}", summary="Slice with square pixels", responses=VOXELS)
def get_isotropic(
    image: Annotated[ImageBlk, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    roi: Roi = "",
    attenuation: Attenuation = "",
    throttle: Throttle = "",
) -> Reply:
    """The finer of the two resolutions counts; the size is that of the picture. A volume comes as with raw."""
    return _show(image, dims, size, offset, "", roi, attenuation, isotropic=True)


@room.get("/isotropic/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
def get_isotropic_as(
    image: Annotated[ImageBlk, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    roi: Roi = "",
    attenuation: Attenuation = "",
    throttle: Throttle = "",
) -> Reply:
    """Formats as with raw."""
    return _show(image, dims, size, offset, format, roi, attenuation, isotropic=True)


def _show(
    image: ImageBlk, dims: str, size: str, offset: str, form: str, roi: str, attenuation: str, *, isotropic: bool
) -> Reply:
    plane = parse_shape(dims)
    if plane is not None:
        return _show_slice(image, plane, size, offset, parse_format(form), roi, attenuation, isotropic=isotropic)
    box = parse_box(size, offset)
    masking = read_masking(image, roi, attenuation)
    if form in ("jpg", "jpeg"):
        depth, height, width = box.size
        as_jpeg = parse_format(form)
        as_jpeg.demand_fits(width, height * depth)
        return picture(image.kind, read_box(image, box, masking).reshape(depth * height, width), as_jpeg)
    demand_answerable(image, box.volume, box.blocks(image.block).volume)
    return answer(map(view_of, layers(image, box, masking)), box.volume * image.kind.itemsize)


def _show_slice(
    image: ImageBlk, plane: Plane, size: str, offset: str, form: Format, roi: str, attenuation: str, *, isotropic: bool
) -> Reply:
    width, height = parse_slice_size(size)
    form.demand_fits(width, height)
    demand_answerable(image, width * height, 0)
    source = (width, height)
    if isotropic:
        z, y, x = reversed(image.voxel_size)
        source = source_size(width, height, (z, y, x)[plane.across], (z, y, x)[plane.down])
    box = plane.box(*source, parse_point(offset))
    found = plane.picture(read_box(image, box, read_masking(image, roi, attenuation)))
    return picture(image.kind, stretch(image.kind, found, width, height), form)


@room.post(
    "/raw/{dims}/{size}/{offset}",
    summary="Write a volume",
    openapi_extra=takes("Voxels, x fastest, little-endian", "application/octet-stream"),
    responses=gives("All stored", "text/plain", ""),
)
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
