"""Which voxels of a label block have some labels, a bit a voxel; and such masks as the bytes of binary blocks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import helper, kernel
from dvidpy.kernels.label_blocks import CUBE, Bytes, Labels, codes_plain
from dvidpy.kernels.label_reads import Counts, Indices

Bits = NDArray[np.uint8]
"""(…, 64): a bit a voxel of each sub-block, its rows one byte each, lowest bit first."""
NOTHING, ALL, SOME = 0, 1, 2
"""How much of a sub-block is inside: the flags of binary blocks."""

_ONE, _TWO, _THREE, _FOUR, _SIX, _BYTE = (np.uint64(number) for number in (1, 2, 3, 4, 6, 8))
_ALL_BITS, _ALL_BYTE, _ALL_WORD = np.uint8(255), np.uint64(255), np.uint64(2**64 - 1)
_LOWER, _LOWER_TWO, _LOWER_FOUR = (np.uint64(part * 0x0101010101010101) for part in (0x55, 0x33, 0x0F))
"""In a word of eight bytes: every second bit, two of every four, four of every eight."""
_FIRSTS, _SECONDS, _THIRDS, _FOURTHS = (np.uint64(place * 0x0101010101010101) for place in (1, 2, 4, 8))
"""A bit of each byte of a word."""
_EVEN_BYTES = np.uint64(0x00FF00FF00FF00FF)


def mask(
    ends: NDArray[np.int64], labels: Labels, counts: Counts, indices: Indices, values: Bytes, wanted: Labels, cubes: int
) -> tuple[Bytes, Bits]:
    """Voxels of some blocks whose labels are among those wanted.

    Args:
        ends: (n, 4) for each block the ends of what it has of the four arrays: those of all blocks stand in them, one
            behind the other. A solid block has no counts.
        labels: the labels that its indices point to.
        counts: entries of each sub-block.
        indices: of the entries.
        values: codes of the voxels.
        wanted: ascending.
        cubes: sub-blocks of a block.

    Returns:
        ((n, cubes) flags, (n, cubes, 64) bits) of all sub-blocks.
    """
    flags, bits = np.zeros((len(ends), cubes), np.uint8), np.zeros((len(ends), cubes, 64), np.uint8)
    _mask(ends, labels, counts, indices, values, np.ascontiguousarray(wanted), flags, bits)
    return flags, bits


def cells(flags: Bytes, bits: Bits) -> Bytes:
    """Flag and, where some voxels are inside, the 64 bytes of each sub-block, one behind the other."""
    out = np.empty(flags.size + 64 * np.count_nonzero(flags == SOME), np.uint8)
    _cells(flags, bits, out)
    return out


@helper
def _word(values: Any, at: Any) -> Any:
    """Eight bytes, the first one lowest."""
    word = np.uint64(0)
    for i in range(8):
        word |= np.uint64(values[at + i]) << np.uint64(8 * i)
    return word


@helper
def _mask_of_two(values: Any, at: Any, second: Any, out: Any, block: Any, cube: Any) -> Any:
    """Rows of a sub-block of two entries, whose codes are its bits: those of the second one, or of the first.

    (bits that all words of rows have, bits that any has) are returned, here and below.
    """
    flip, every, some = np.uint64(0) if second else _ALL_WORD, _ALL_WORD, np.uint64(0)
    for row in range(0, 64, 8):
        word = _word(values, at + row) ^ flip
        word = ((word & _LOWER) << _ONE) | ((word >> _ONE) & _LOWER)
        word = ((word & _LOWER_TWO) << _TWO) | ((word >> _TWO) & _LOWER_TWO)
        word = ((word & _LOWER_FOUR) << _FOUR) | ((word >> _FOUR) & _LOWER_FOUR)
        every &= word
        some |= word
        for i in range(8):
            out[block, cube, row + i] = np.uint8((word >> np.uint64(8 * i)) & _ALL_BYTE)
    return every, some


@helper
def _mask_of_four(values: Any, at: Any, table: Any, out: Any, block: Any, cube: Any) -> Any:
    """Rows of a sub-block of up to four entries, four rows at a time: a word has the codes of 32 voxels."""
    first, second = np.uint64(table[0]) * _LOWER, np.uint64(table[1]) * _LOWER
    third, fourth = np.uint64(table[2]) * _LOWER, np.uint64(table[3]) * _LOWER
    every, some = _ALL_WORD, np.uint64(0)
    for row in range(0, 64, 4):
        word = _word(values, at + 2 * row)
        high, low = word >> _ONE, word
        word = (high & ((low & fourth) | (~low & third))) | (~high & ((low & second) | (~low & first)))
        # Of each byte the bits 6, 4, 2, 0 are four voxels; they become its bits 0 to 3, and those of two a byte.
        word = (
            ((word >> _SIX) & _FIRSTS)
            | ((word >> _THREE) & _SECONDS)
            | (word & _THIRDS)
            | ((word << _THREE) & _FOURTHS)
        )
        word |= word >> _FOUR
        every &= word
        some |= word
        for i in range(4):
            out[block, cube, row + i] = np.uint8((word >> np.uint64(16 * i)) & _ALL_BYTE)
    return every | ~_EVEN_BYTES, some & _EVEN_BYTES


@helper
def _mask_of_many(values: Any, at: Any, size: Any, table: Any, out: Any, block: Any, cube: Any) -> Any:
    """Rows of any sub-block, voxel by voxel; `size` bits each."""
    bits, every, some = np.uint64(size), _ALL_WORD, np.uint64(0)
    mask = (_ONE << bits) - _ONE
    for row in range(64):
        packed = 0
        if size == 9:
            for x in range(8):
                pair = (np.int64(values[at + x]) << 8) | np.int64(values[at + x + 1])
                packed |= np.int64(table[(pair >> (7 - x)) & 511]) << x
        else:
            word = np.uint64(0)
            for i in range(size):
                word = (word << _BYTE) | np.uint64(values[at + i])
            for x in range(7, -1, -1):
                packed |= np.int64(table[word & mask]) << x
                word >>= bits
        at += size
        out[block, cube, row] = packed
        every &= np.uint64(packed) | ~_ALL_BYTE
        some |= np.uint64(packed)
    return every, some


@helper
def _mask_block(inside: Any, counts: Any, indices: Any, values: Any, flags: Any, out: Any, block: Any) -> None:
    table, entry, at = np.zeros(512, np.uint8), 0, 0
    for cube in range(counts.size):
        number = np.int64(counts[cube])
        size, left, found = 0, number - 1, 0
        while left > 0:
            size += 1
            left >>= 1
        for i in range(number):
            table[i] = inside[indices[entry + i]]
            found += np.int64(table[i])
        entry += number
        place = at
        at += 64 * size
        if found == 0:
            continue
        if found == number:
            flags[block, cube] = 1
            out[block, cube, :] = _ALL_BITS
            continue
        for i in range(number, 1 << size):
            table[i] = 0
        if size == 1:
            every, some = _mask_of_two(values, place, table[1], out, block, cube)
        elif size == 2:
            every, some = _mask_of_four(values, place, table, out, block, cube)
        else:
            every, some = _mask_of_many(values, place, size, table, out, block, cube)
        flags[block, cube] = (1 if every == _ALL_WORD else 2) if some else 0


@kernel(
    "void(Array(int64, 2, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(uint16, 1, 'C', readonly=True), Array(uint32, 1, 'C', readonly=True), Array(uint8, 1, 'C', readonly=True),"
    "Array(uint64, 1, 'C', readonly=True), uint8[:, ::1], uint8[:, :, ::1])"
)
def _mask(ends: Any, labels: Any, counts: Any, indices: Any, values: Any, wanted: Any, flags: Any, out: Any) -> None:
    at = np.zeros(4, np.int64)
    for block in range(ends.shape[0]):
        own = labels[at[0] : ends[block, 0]]
        inside, found = np.zeros(own.size, np.uint8), False
        for i in range(own.size):
            low, high = 0, wanted.size
            while low < high:
                middle = (low + high) >> 1
                if wanted[middle] < own[i]:
                    low = middle + 1
                else:
                    high = middle
            if low < wanted.size and wanted[low] == own[i]:
                inside[i], found = 1, True
        if found and at[1] == ends[block, 1]:
            flags[block, :] = 1
            out[block, :, :] = _ALL_BITS
        elif found:
            _mask_block(
                inside,
                counts[at[1] : ends[block, 1]],
                indices[at[2] : ends[block, 2]],
                values[at[3] : ends[block, 3]],
                flags,
                out,
                block,
            )
        at[:] = ends[block]


def mask_plain(
    ends: NDArray[np.int64],
    labels: Labels,
    counts: Counts,
    indices: Indices,
    values: Bytes,
    wanted: Labels,
    flags: Bytes,
    out: Bits,
) -> None:
    """The plain twin."""
    for block, (begin, end) in enumerate(pairwise([[0] * 4, *ends.tolist()])):
        own, sizes = labels[begin[0] : end[0]], counts[begin[1] : end[1]]
        entries, codes = indices[begin[2] : end[2]], values[begin[3] : end[3]]
        inside = np.isin(own, wanted)
        if not sizes.size:
            flags[block], out[block] = inside[0] * ALL, inside[0] * _ALL_BITS
            continue
        voxels, firsts = codes_plain(sizes, codes), np.cumsum(sizes.astype(np.int64)) - sizes
        for cube, number in enumerate(sizes.astype(np.int64)):
            table = np.zeros(CUBE, np.bool_)
            table[:number] = inside[entries[firsts[cube] : firsts[cube] + number]]
            found = table[voxels[cube]]
            flags[block, cube] = ALL if found.all() else SOME if found.any() else NOTHING
            out[block, cube] = np.packbits(found, bitorder="little")


@kernel("void(Array(uint8, 1, 'C', readonly=True), Array(uint8, 2, 'C', readonly=True), uint8[::1])")
def _cells(flags: Any, bits: Any, out: Any) -> None:
    at = 0
    for cube in range(flags.size):
        out[at] = flags[cube]
        at += 1
        if flags[cube] == 2:
            for row in range(64):
                out[at + row] = bits[cube, row]
            at += 64


def cells_plain(flags: Bytes, bits: Bits, out: Bytes) -> None:
    """The plain twin."""
    whole = np.column_stack((flags, bits))
    kept = np.zeros(whole.shape, np.bool_)
    kept[:, 0] = True
    kept[flags == SOME] = True
    out[:] = whole[kept]
