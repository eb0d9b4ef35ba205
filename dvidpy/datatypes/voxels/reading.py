"""Pictures that come in: looked at by their head first, then unpacked."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dvidpy.datatypes.voxels.kinds import RGBA8, UINT8, UINT16, Kind, Voxels
from dvidpy.errors import BadRequest

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 1 << 26
"""Of a picture that is unpacked."""
_GRAY = {"1": UINT8, "L": UINT8, "I;16": UINT16, "I;16B": UINT16, "I": UINT16}


def open_picture(body: bytes, formats: Sequence[str]) -> Image:
    """A picture of one of some formats (PNG, JPEG), not unpacked yet; BadRequest for anything else, or a huge one."""
    from PIL import Image

    names = " or ".join(formats)
    try:
        found = Image.open(io.BytesIO(body), formats=tuple(formats))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadRequest(f"a picture has at most {MOST_PIXELS} pixels") from None
    except (OSError, SyntaxError, ValueError, TypeError, OverflowError):
        raise BadRequest(f"this is no {names} picture") from None
    if found.width * found.height > MOST_PIXELS:
        raise BadRequest(f"a picture of {found.width} x {found.height} pixels has more than {MOST_PIXELS}")
    return found


def unpack_picture(found: Image) -> Image:
    """The same with its pixels; BadRequest where they are damaged or end early."""
    try:
        found.load()
    except Exception as error:  # whatever a decoder makes of damaged bytes
        raise BadRequest(f"the picture is damaged: {error}") from None
    return found


def check_picture(found: Image) -> None:
    """BadRequest where a picture that was only opened is not whole: a PNG may lack what no pixel needs."""
    try:
        found.verify()
    except Exception as error:  # the same
        raise BadRequest(f"the picture is damaged: {error}") from None


def kind_of(found: Image) -> Kind:
    """What its pixels are kept as: gray of 8 or 16 bits, or colour."""
    return _GRAY.get(found.mode, RGBA8)


def pixels_as(kind: Kind, found: Image) -> Voxels:
    """(height, width) pixels of a picture as 8-bit gray, 16-bit gray or colour, whatever it is itself."""
    own = kind_of(found)
    if kind == RGBA8:
        colour = _as_colour(pixels_as(UINT8, found)) if own is UINT16 else np.asarray(found.convert("RGBA"))
        return RGBA8.voxels(colour)
    if own is UINT16:
        wide: Voxels = np.clip(np.asarray(found), 0, 0xFFFF).astype("<u2")
        return wide if kind == UINT16 else (wide >> 8).astype(np.uint8)
    gray: Voxels = np.asarray(found.convert("L"))
    return gray if kind == UINT8 else gray.astype("<u2") << 8


def _as_colour(gray: Voxels) -> Voxels:
    return np.stack([gray, gray, gray, np.full_like(gray, 255)], axis=-1)
