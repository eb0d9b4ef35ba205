"""Routes of volumes and slices."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Reply
from dvidpy.datatypes.labelled.instance import SHOWN_SCALES, LabelMap
from dvidpy.datatypes.labelled.options import (
    Dims,
    Offset,
    Plane,
    Roi,
    Scale,
    Size,
    SliceSize,
    Supervoxels,
)
from dvidpy.datatypes.labelled.raw.answers import (
    SEGMENTATIONS,
    demand_form,
    halved_reply,
    read_slice,
    volume_reply,
)
from dvidpy.datatypes.labelled.raw.reading import begin
from dvidpy.datatypes.labelled.raw.taking import store_volume
from dvidpy.datatypes.labels.pictures import colour_picture, label_picture, pseudocolours
from dvidpy.datatypes.params import PictureFormat, Throttle, gives, gives_any, takes
from dvidpy.datatypes.rooms import Room, WholeBody
from dvidpy.datatypes.voxels import planes
from dvidpy.datatypes.voxels.pictures import Format, parse_format
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_point
from dvidpy.kernels.label_blocks import Labels

room = Room()

Compression = Annotated[
    str, Query(description="Of volumes: lz4, gzip, google or googlegzip (Neuroglancer's compressed segmentation).")
]
Posted = Annotated[str, Query(description="How the body is packed: lz4 or gzip; without it it is not.")]
VOXELS = gives("uint64 labels, x fastest, little-endian; of a slice a picture", "application/octet-stream")
PICTURE = gives_any("The picture", "image/png", "image/jpeg", "image/tiff", "image/bmp", "application/octet-stream")


class Asked(NamedTuple):
    """What a reading request asks for, as it says it."""

    size: str
    offset: str
    form: str
    scale: int
    supervoxels: bool
    roi: str
    isotropic: bool = False


@room.get("/raw/{dims}/{size}/{offset}", summary="Labels of a volume or slice", responses=VOXELS)
def get_raw(
    data: Annotated[LabelMap, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    compression: Compression = "",
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    roi: Roi = "",
    throttle: Throttle = "",
) -> Reply:
    """Any offset, also outside the extents; voxels that were never written are 0. A slice is a 16-bit RGBA PNG, whose
    pixels have the 8 bytes of their label. Of lz4 the answer is one raw block; googlegzip says Content-Encoding: gzip.
    """
    return _answer(data, dims, compression, Asked(size, offset, "", scale, supervoxels, roi))


@room.get("/raw/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
def get_raw_as(
    data: Annotated[LabelMap, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    compression: Compression = "",
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    roi: Roi = "",
    throttle: Throttle = "",
) -> Reply:
    """The format is that of a slice; of a volume it is ignored."""
    return _answer(data, dims, compression, Asked(size, offset, format, scale, supervoxels, roi))


@room.get("/isotropic/{dims}/{size}/{offset}", summary="Slice with square pixels", responses=VOXELS)
def get_isotropic(
    data: Annotated[LabelMap, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    compression: Compression = "",
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    roi: Roi = "",
    throttle: Throttle = "",
) -> Reply:
    """The finer of the two resolutions counts; labels are repeated, never mixed. A volume comes as with raw."""
    return _answer(data, dims, compression, Asked(size, offset, "", scale, supervoxels, roi, isotropic=True))


@room.get("/isotropic/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
def get_isotropic_as(
    data: Annotated[LabelMap, Here],
    dims: Dims,
    size: Size,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    compression: Compression = "",
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    roi: Roi = "",
    throttle: Throttle = "",
) -> Reply:
    """Formats as with raw."""
    return _answer(data, dims, compression, Asked(size, offset, format, scale, supervoxels, roi, isotropic=True))


@room.get("/pseudocolor/{dims}/{size}/{offset}", summary="Slice in made-up colours", responses=PICTURE)
def get_pseudocolor(
    data: Annotated[LabelMap, Here],
    dims: Plane,
    size: SliceSize,
    offset: Offset,
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    roi: Roi = "",
    throttle: Throttle = "",
) -> Reply:
    """The same label has the same colour everywhere."""
    return _show_colours(data, dims, Asked(size, offset, "", scale, supervoxels, roi))


@room.get("/pseudocolor/{dims}/{size}/{offset}/{format}", summary="The same in a format", responses=PICTURE)
def get_pseudocolor_as(
    data: Annotated[LabelMap, Here],
    dims: Plane,
    size: SliceSize,
    offset: Offset,
    format: PictureFormat,  # noqa: A002  # its name in the path
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    roi: Roi = "",
    throttle: Throttle = "",
) -> Reply:
    """Formats as of raw slices."""
    return _show_colours(data, dims, Asked(size, offset, format, scale, supervoxels, roi))


def _answer(data: LabelMap, dims: str, compression: str, asked: Asked) -> Reply:
    plane = planes.parse_shape(dims)
    if plane is not None:
        found, form = _slice(data, plane, asked)
        return label_picture(found, form)
    box, form_of_volume = planes.parse_box(asked.size, asked.offset), demand_form(compression)
    computed = data.has_scales and form_of_volume in SEGMENTATIONS and data.scales < asked.scale <= SHOWN_SCALES
    scale = asked.scale - 1 if computed else asked.scale
    reading = begin(data, scale=scale, supervoxels=asked.supervoxels, roi=asked.roi)
    return halved_reply(reading, box, form_of_volume) if computed else volume_reply(reading, box, form_of_volume)


def _show_colours(data: LabelMap, dims: str, asked: Asked) -> Reply:
    plane = planes.parse_shape(dims)
    if plane is None:
        raise BadRequest("only slices (xy, xz, yz) are shown in colours, no volumes")
    found, form = _slice(data, plane, asked)
    return colour_picture(pseudocolours(found), form)


def _slice(data: LabelMap, plane: planes.Plane, asked: Asked) -> tuple[Labels, Format]:
    form = parse_format(asked.form)
    size = planes.parse_slice_size(asked.size)
    form.demand_fits(*size)
    reading = begin(data, scale=asked.scale, supervoxels=asked.supervoxels, roi=asked.roi)
    return read_slice(reading, plane, size, parse_point(asked.offset), isotropic=asked.isotropic), form


@room.post(
    "/raw/{dims}/{size}/{offset}",
    summary="Write supervoxels of a volume",
    openapi_extra=takes("uint64 labels, x fastest, little-endian", "application/octet-stream"),
    responses=gives("All stored, at all scales", "text/plain", ""),
)
def post_raw(
    data: Annotated[LabelMap, Here],
    body: Annotated[bytes, WholeBody],
    dims: Dims,
    size: Size,
    offset: Offset,
    compression: Posted = "",
    scale: Scale = 0,
    roi: Roi = "",
    mutate: Annotated[
        str, Query(description="`true` says that the blocks may exist already; nothing depends on it.")
    ] = "",
    throttle: Throttle = "",
) -> Reply:
    """A volume of whole blocks at full resolution, all or nothing. Extents, largest label, indices of bodies and all
    coarser scales follow in the same step. With roi, blocks outside stay as they are.
    """
    if planes.parse_shape(dims) is not None:
        raise BadRequest("only volumes (0_1_2) can be posted, no slices")
    if scale:
        raise BadRequest("raw voxels have full resolution; post coarser blocks to /blocks or /ingest-supervoxels")
    store_volume(data, planes.parse_box(size, offset), body, compression, roi)
    return DONE
