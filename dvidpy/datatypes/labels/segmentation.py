"""Neuroglancer's compressed segmentation, of blocks of 8 x 8 x 8 voxels and one channel.

Source: https://github.com/google/neuroglancer, src/sliceview/compressed_segmentation/README.md. All numbers are
little-endian words of 32 bits, offsets count words from the channel's first one.
"""

from __future__ import annotations

import numpy as np

from dvidpy.errors import BadRequest
from dvidpy.kernels import label_blocks, label_words
from dvidpy.kernels.label_blocks import SIDE, Labels

_HIGHEST_OFFSET = (1 << 24) - 1
"""Words: the offset of a table has 24 bits."""
_BITS = np.zeros(513, np.int64)
for _count in range(513):
    _BITS[_count] = next(size for size in (0, 1, 2, 4, 8, 16) if size >= label_blocks.bits_for(_count))


def encode(volume: Labels) -> bytes:
    """(z, y, x) labels with any strides -> bytes; BadRequest where a side is no multiple of 8, or it is too much.

    Bytes are: the word 1, where the channel begins; two words for each block; then each block's codes and table.
    """
    demand_sides(volume.shape)
    counts, entries, codes = label_blocks.distinct(np.require(volume, np.uint64, "A"))
    bits, number = _BITS[counts], counts.astype(np.int64)
    sizes = 16 * bits + 2 * number
    starts = 2 * counts.size + np.cumsum(sizes) - sizes
    tables = starts + 16 * bits
    if tables[-1] > _HIGHEST_OFFSET:
        raise BadRequest(f"{volume.size} voxels are too many for one compressed segmentation")
    words = np.empty(1 + int(starts[-1] + sizes[-1]), np.uint32)
    words[0] = 1
    channel = words[1:]
    heads = channel[: 2 * counts.size].reshape(-1, 2)
    heads[:, 0], heads[:, 1] = tables | bits << 24, starts
    label_words.pack_words(bits, starts, codes, channel)
    _write_tables(channel, tables, number, entries)
    return words.astype("<u4", copy=False).tobytes()


def demand_sides(size: tuple[int, ...]) -> None:
    """BadRequest where a side, in voxels, is no multiple of 8."""
    if any(side % SIDE or not side for side in size):
        raise BadRequest(f"sides of {[*size[::-1]]} voxels are no multiples of {SIDE}")


def _write_tables(
    channel: label_words.Words, tables: label_blocks.Box, number: label_blocks.Box, entries: Labels
) -> None:
    """The labels of each block, two words each, from its table on."""
    firsts = np.cumsum(number) - number
    places = np.repeat(tables - 2 * firsts, number) + 2 * np.arange(entries.size)
    halves = entries.astype("<u8", copy=False).view("<u4").reshape(-1, 2)
    channel[places], channel[places + 1] = halves[:, 0], halves[:, 1]
