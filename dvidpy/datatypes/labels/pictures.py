"""Slices of labels as pictures: the labels themselves in 16-bit colours, or a colour made up for each label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.exchange import Reply
from dvidpy.datatypes.voxels.kinds import KINDS
from dvidpy.datatypes.voxels.pictures import Format, picture
from dvidpy.kernels.label_blocks import Labels

Colours = NDArray[np.uint32]
"""Red in the lowest byte, then green, blue and alpha, as rgba8 voxels are."""
_UINT64, _RGBA8 = (kind for kind in KINDS if kind.name in ("uint64", "rgba8"))


def label_picture(slice_yx: Labels, form: Format) -> Reply:
    """(height, width) labels as an answer: a pixel of a 16-bit RGBA PNG has the 8 bytes of its label, lowest first."""
    return picture(_UINT64, slice_yx, form)


def colour_picture(colours: Colours, form: Format) -> Reply:
    """(height, width) colours as an answer, such as a PNG."""
    return picture(_RGBA8, colours, form)


def pseudocolours(labels: Labels) -> Colours:
    """An opaque colour for each label: the upper three bytes of MurmurHash3 (32 bits, seed 0) of its 8 bytes.

    Source: https://github.com/aappleby/smhasher, MurmurHash3_x86_32.
    """
    state = np.zeros(labels.shape, np.uint32)
    for word in (labels & np.uint64(0xFFFFFFFF), labels >> np.uint64(32)):
        mixed = word.astype(np.uint32) * np.uint32(0xCC9E2D51)
        state ^= _turned(mixed, 15) * np.uint32(0x1B873593)
        state = _turned(state, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    state ^= np.uint32(8)
    state = (state ^ (state >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    state = (state ^ (state >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    state ^= state >> np.uint32(16)
    # The hash is written highest byte first; its fourth byte gives way to the alpha.
    return np.ascontiguousarray(state).byteswap() & np.uint32(0x00FFFFFF) | np.uint32(0xFF000000)


def shaded(colours: Colours, gray: NDArray[np.uint8]) -> Colours:
    """Colours times gray / 256, as labels are laid over an image; alpha stays."""
    parts = np.ascontiguousarray(colours).view(np.uint8).reshape(*colours.shape, 4).astype(np.uint16)
    parts[..., :3] = parts[..., :3] * gray[..., None].astype(np.uint16) >> 8
    return parts.astype(np.uint8).view(np.uint32)[..., 0]


def _turned(words: Colours, bits: int) -> Colours:
    return (words << np.uint32(bits)) | (words >> np.uint32(32 - bits))
