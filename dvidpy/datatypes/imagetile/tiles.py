"""One tile: from what is posted to what is stored, and to pixels.

Of formats png and jpg the picture itself is stored. Of format lz4: u32 width, u32 height, u32 bytes a pixel (1 gray,
2 gray, 4 red, green, blue, alpha), all little-endian, then the pixels, x fastest.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from dvidpy.datatypes.voxels.kinds import RGBA8, UINT8, UINT16, Kind, Voxels
from dvidpy.datatypes.voxels.pictures import Format, encode_picture
from dvidpy.datatypes.voxels.reading import check_picture, kind_of, open_picture, pixels_as, unpack_picture
from dvidpy.errors import BadRequest, StoreError

if TYPE_CHECKING:
    from PIL.Image import Image

PNG, JPG = Format("PNG"), Format("JPEG")
_PICTURES = {"png": PNG, "jpg": JPG}
_TAKEN = {"png": ("PNG",), "jpg": ("JPEG",), "lz4": ("PNG", "JPEG")}
_HEAD = struct.Struct("<3I")
_KINDS = {kind.itemsize: kind for kind in (UINT8, UINT16, RGBA8)}


def shown_as(kind: Kind) -> Kind:
    """What pictures of voxels of a kind are: gray of 8 or 16 bits, else colour."""
    return _KINDS.get(kind.itemsize, RGBA8)


def open_tile(form: str, value: bytes) -> Image:
    """A picture of a format; BadRequest where it is none."""
    return open_picture(value, _TAKEN[form])


def take(form: str, body: bytes, most: tuple[int, int] | None) -> bytes:
    """What is stored of a posted picture of at most (width, height) pixels; BadRequest for anything else."""
    found = open_tile(form, body)
    if most is not None and (found.width > most[0] or found.height > most[1]):
        raise BadRequest(
            f"the tile has {found.width} x {found.height} pixels; those of its scale {most[0]} x {most[1]}"
        )
    unpack_picture(found)
    check_picture(open_tile(form, body))
    return body if form in _PICTURES else _wrap(kind_of(found), pixels_as(kind_of(found), found))


def make(form: str, kind: Kind, pixels: Voxels) -> bytes:
    """What is stored of (height, width) pixels."""
    return encode_picture(kind, pixels, _PICTURES[form]) if form in _PICTURES else _wrap(kind, pixels)


def read(form: str, kind: Kind, value: bytes) -> Voxels:
    """(height, width) pixels of a stored tile, as a kind wants them; StoreError where it is damaged."""
    if form not in _PICTURES:
        own, pixels = unwrap(value)
        return pixels if own == kind else pixels_as(kind, open_picture(encode_picture(own, pixels, PNG), ("PNG",)))
    try:
        return pixels_as(kind, unpack_picture(open_tile(form, value)))
    except BadRequest as error:
        raise StoreError(f"a stored tile: {error}") from error


def shown(form: str, value: bytes) -> tuple[bytes, bytes]:
    """(the picture of a stored tile, its media type)."""
    if form in _PICTURES:
        return value, _PICTURES[form].media_type
    return encode_picture(*unwrap(value), PNG), PNG.media_type


def _wrap(kind: Kind, pixels: Voxels) -> bytes:
    height, width = pixels.shape
    return _HEAD.pack(width, height, kind.itemsize) + pixels.astype(kind.dtype, copy=False).tobytes()


def unwrap(value: bytes) -> tuple[Kind, Voxels]:
    """(kind, (height, width) pixels) of format lz4; StoreError where the value has another length."""
    width, height, size = _HEAD.unpack_from(value) if len(value) >= _HEAD.size else (0, 0, 0)
    if size not in _KINDS or len(value) != _HEAD.size + width * height * size:
        raise StoreError(f"a stored tile has {len(value)} bytes, which are not its pixels")
    pixels = np.frombuffer(value, _KINDS[size].dtype, offset=_HEAD.size).reshape(height, width)
    return _KINDS[size], pixels
