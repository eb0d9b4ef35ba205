"""Neuroglancer's compressed segmentation, of blocks of 8 x 8 x 8 voxels and one channel.

Source: https://github.com/google/neuroglancer, src/sliceview/compressed_segmentation/README.md. All numbers are
little-endian words of 32 bits, offsets count words from the channel's first one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels.blocks import LabelBlock
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
    layout = _lay_out(counts, entries)
    label_words.pack_words(layout.bits, layout.starts, codes, layout.channel)
    return layout.encoded()


def from_block(block: LabelBlock) -> bytes:
    """The same of a label block, whose codes are moved over as they are."""
    if not block.counts.size:
        return _solid(block)
    counts, entries = block.counts, block.labels[block.indices]
    empty = np.flatnonzero(counts == 0)
    if empty.size:  # a sub-block without entries has label 0
        ends = np.cumsum(counts.astype(np.int64))
        entries = np.insert(entries, ends[empty], 0)
    layout = _lay_out(np.maximum(counts, 1), entries)
    label_words.repack_words(counts, block.values, layout.bits, layout.starts, layout.channel)
    return layout.encoded()


def _solid(block: LabelBlock) -> bytes:
    """All sub-blocks have the one table."""
    cubes = block.volume // SIDE**3
    words = np.empty(1 + 2 * cubes + 2, "<u4")
    words[0], words[1:-2], words[-2:] = 1, 2 * cubes, block.labels[:1].astype("<u8", copy=False).view("<u4")
    return words.tobytes()


class _Layout(NamedTuple):
    """Where everything stands in the words of a segmentation; heads and tables are written."""

    words: label_words.Words
    bits: label_blocks.Box
    starts: label_blocks.Box

    @property
    def channel(self) -> label_words.Words:
        """The words that offsets count."""
        return self.words[1:]

    def encoded(self) -> bytes:
        """As sent."""
        return self.words.astype("<u4", copy=False).tobytes()


def _lay_out(counts: NDArray[np.uint16], entries: Labels) -> _Layout:
    """Of each sub-block the number of labels, of all one after the other their labels."""
    bits, number = _BITS[counts], counts.astype(np.int64)
    sizes = 16 * bits + 2 * number
    starts = 2 * counts.size + np.cumsum(sizes) - sizes
    tables = starts + 16 * bits
    if tables[-1] > _HIGHEST_OFFSET:
        raise BadRequest(f"{counts.size * SIDE**3} voxels are too many for one compressed segmentation")
    words = np.empty(1 + int(starts[-1] + sizes[-1]), np.uint32)
    words[0] = 1
    heads = words[1 : 1 + 2 * counts.size].reshape(-1, 2)
    heads[:, 0], heads[:, 1] = tables | bits << 24, starts
    _write_tables(words[1:], tables, number, entries)
    return _Layout(words, bits, starts)


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
