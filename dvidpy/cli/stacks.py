"""Pictures as voxels: files of any format that Pillow reads, several slices a file (TIFF) or one."""

from __future__ import annotations

from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvidpy.cli.client import CommandError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    Slice = npt.NDArray[np.generic]

GRAY8 = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"})
"""Pillow's modes of at most 8 bits a channel."""


def files_of(patterns: list[str]) -> list[str]:
    """Files that glob patterns match, or that a shell has matched already; CommandError where one matches none."""
    found: list[str] = []
    for pattern in patterns:
        names = sorted(glob(pattern))  # noqa: PTH207  # the pattern may hold folders, which Path.glob does not take
        if not names:
            raise CommandError(f"no file matches {pattern!r}")
        found += names
    return found


def slices_of(names: list[str], kind: str) -> Iterator[tuple[int, Slice]]:
    """(number of the file, slice) of a stack, in order; slices are (height, width) of the dtype of a kind of voxels.

    CommandError for what is no picture, not as large as those before, or does not fit the kind.
    """
    size: tuple[int, ...] = ()
    for number, name in enumerate(names):
        for found in _slices_of(name, kind):
            if size and found.shape != size:
                raise CommandError(f"{name} is not as large as the slices before it")
            size = found.shape
            yield number, found


def _slices_of(name: str, kind: str) -> Iterator[Slice]:
    from PIL import Image, ImageSequence, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # a section of EM has more pixels than a picture from a stranger may have
    try:
        with Image.open(name) as picture:
            for frame in ImageSequence.Iterator(picture):
                yield _voxels(name, frame, kind)
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise CommandError(f"{name} is no picture: {error}") from None


def _voxels(name: str, picture: Image.Image, kind: str) -> Slice:
    """(height, width) voxels of a picture. Colour is shown as gray where voxels are, gray as colour."""
    import numpy as np

    mode = picture.mode
    if kind == "rgba8" or (kind == "uint32" and mode == "RGBA"):  # 32-bit slices are shown as such
        if mode not in GRAY8:
            raise _unfit(name, mode, kind)
        return np.asarray(picture.convert("RGBA")).view("<u4")[..., 0]
    if kind == "labels":
        return _labels(name, picture)
    if kind == "uint8" or mode in GRAY8:
        if mode not in GRAY8 or kind == "uint64":
            raise _unfit(name, mode, kind)
        return np.asarray(picture.convert("L")).astype(_dtype(kind))
    return _deep(name, np.asarray(picture), kind, mode)


def _labels(name: str, picture: Image.Image) -> Slice:
    """(height, width) labels of a picture: gray is the label; of 8-bit RGBA the 4 bytes are, of 16-bit RGBA the 8."""
    import numpy as np

    if _is_deep_colour(name, picture):
        return _deep_colour(name)
    mode = picture.mode
    if mode == "RGBA":
        return np.asarray(picture).view("<u4")[..., 0].astype("<u8")
    if mode == "I":
        return np.asarray(picture, "<i4").view("<u4").astype("<u8")
    if mode in ("1", "L") or mode.startswith("I;16"):
        return np.asarray(picture).astype("<u8")
    if mode == "P":  # the numbers of colours are the labels, not the colours
        return np.asarray(picture).astype("<u8")
    raise CommandError(f"{name} holds no labels (Pillow's mode {mode}): they are gray, or RGBA")


def _is_deep_colour(name: str, picture: Image.Image) -> bool:
    """A PNG of 16 bits a channel with colour, which Pillow would show in 8."""
    if picture.format != "PNG" or picture.mode not in ("RGB", "RGBA"):
        return False
    with Path(name).open("rb") as file:
        return file.read(25)[24:] == b"\x10"


def _deep_colour(name: str) -> Slice:
    """Labels of a PNG of 16-bit RGBA, as slices of labels are shown: its 8 bytes, lowest first."""
    import numpy as np
    import png

    try:
        with Path(name).open("rb") as file:
            width, height, rows, info = png.Reader(file=file).read()
            if info["planes"] != 4:
                raise CommandError(f"{name} has 16 bits a channel and no alpha: that is no 64-bit label")
            channels = np.vstack([np.asarray(row, np.uint16) for row in rows]).astype(">u2")
    except png.Error as error:
        raise CommandError(f"{name} is no picture: {error}") from None
    return channels.reshape(height, width, 4).view("<u8")[..., 0]


def _deep(name: str, gray: Any, kind: str, mode: str) -> Slice:
    """Gray of more than 8 bits."""
    import numpy as np

    if kind == "float32" and (mode == "F" or mode.startswith("I;16")):
        return np.asarray(gray, "<f4")
    if kind in ("uint16", "uint32") and mode.startswith("I;16"):
        return np.asarray(gray, _dtype(kind))
    if kind == "uint32" and mode == "I":  # Pillow reads unsigned numbers of 32 bits as signed ones
        return np.asarray(gray, "<i4").view("<u4")
    if kind == "uint16" and mode == "I" and gray.min() >= 0 and gray.max() <= 0xFFFF:
        return np.asarray(gray, "<u2")
    raise _unfit(name, mode, kind)


def _dtype(kind: str) -> str:
    return {"uint8": "u1", "uint16": "<u2", "uint32": "<u4", "float32": "<f4"}[kind]


def _unfit(name: str, mode: str, kind: str) -> CommandError:
    if kind == "uint64":
        return CommandError("no picture holds voxels of 64 bits; POST /raw takes them as they are")
    more = "has more than 8 bits a voxel" if kind == "uint8" else f"does not fit {kind} voxels"
    return CommandError(f"{name} {more} (Pillow's mode {mode})")
