"""The voxels of a label block, decoded and encoded.

A block is a grid of sub-blocks of 8 x 8 x 8 voxels, x fastest. Each has `counts[i]` entries in `indices`, which point
into the labels of the block, and 512 codes in `values`, which point to those entries: each of as many bits as are
needed (none for a single entry), highest bit first, each sub-block from a new byte. Eight codes of `bits` bits are
`bits` bytes, so that every row of voxels begins with a byte too. See docs/internals/label-formats.md.

A code beyond its entries reads as label 0: no bytes lead out of an array, whatever they are.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel

SIDE = 8
"""Voxels along each side of a sub-block."""
CUBE = SIDE**3
"""Voxels of a sub-block, and so the most entries that one can have."""

Labels = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Box = NDArray[np.int64]

_FACTOR = np.uint64(secrets.randbits(64) | 1)
"""Of a hash; another one in each process, so that nobody makes up labels that collide."""
_ONE, _BYTE, _PROBE = np.uint64(1), np.uint64(8), np.uint64(1023)


def bits_for(count: int) -> int:
    """Bits of a code among that many entries: 0 for one or none."""
    return max(int(count) - 1, 0).bit_length()


def layout(counts: NDArray[np.uint16]) -> tuple[int, int]:
    """(entries, bytes of codes) that the counts ask for; (-1, -1) where one of them is above 512."""
    entries, size = _layout(counts)
    return int(entries), int(size)


def encode(volume: Labels) -> tuple[Labels, NDArray[np.uint16], NDArray[np.uint32], Bytes]:
    """(labels, counts, indices, values) of a (z, y, x) array with any strides and sides that are multiples of 8."""
    counts, entries, codes = distinct(volume)
    with np.errstate(over="ignore"):  # hashes wrap around; numpy minds where the kernel runs as plain Python
        labels, indices = _number(entries, _FACTOR)
    room = np.zeros(int(_layout(counts)[1]), np.uint8)
    _pack(counts, codes, room)
    return labels, counts, indices, room


def distinct(volume: Labels) -> tuple[NDArray[np.uint16], Labels, NDArray[np.uint16]]:
    """Per sub-block: number of labels; all their labels, in order of appearance; (n, 512) codes of the voxels."""
    cubes = volume.size // CUBE
    counts, entries = np.empty(cubes, np.uint16), np.empty(volume.size, np.uint64)
    codes = np.empty((cubes, CUBE), np.uint16)
    total = _distinct(volume, counts, entries, codes)
    return counts, entries[:total].copy(), codes


@kernel("UniTuple(int64, 2)(Array(uint16, 1, 'C', readonly=True))")
def _layout(counts: Any) -> Any:
    entries, size = 0, 0
    for count in counts:
        if count > 512:
            return -1, -1
        entries += count
        bits, left = 0, np.int64(count) - 1
        while left > 0:
            bits += 1
            left >>= 1
        size += 64 * bits
    return entries, size


def layout_plain(counts: NDArray[np.uint16]) -> tuple[int, int]:
    """The plain twin."""
    if counts.max(initial=0) > CUBE:
        return -1, -1
    return int(counts.sum(dtype=np.int64)), sum(64 * bits_for(count) for count in counts)


def codes_plain(counts: NDArray[np.uint16], values: Bytes) -> NDArray[np.int64]:
    """(n, 512) codes of all sub-blocks, with numpy alone."""
    codes, at = np.zeros((counts.size, CUBE), np.int64), 0
    for cube, bits in enumerate(map(bits_for, counts)):
        packed = np.unpackbits(values[at : at + 64 * bits]).reshape(CUBE, bits) if bits else np.zeros((CUBE, 0))
        codes[cube] = packed @ (1 << np.arange(bits)[::-1])
        at += 64 * bits
    return codes


@kernel("int64(Array(uint64, 3, 'A', readonly=True), uint16[::1], uint64[::1], uint16[:, ::1])")
def _distinct(volume: Any, counts: Any, entries: Any, codes: Any) -> Any:
    """Number of entries. A label unlike the one before it is looked up in a hash table that stamps its slots."""
    depth, height, width = volume.shape
    slots, stamps = np.zeros(1024, np.int64), np.full(1024, -1, np.int64)
    total, cube = 0, -1
    for z0 in range(0, depth, 8):
        for y0 in range(0, height, 8):
            for x0 in range(0, width, 8):
                cube += 1
                first = total
                last, code = volume[z0, y0, x0], 0
                entries[total] = last
                total += 1
                slot = np.int64((last ^ (last >> np.uint64(10)) ^ (last >> np.uint64(23))) & _PROBE)
                slots[slot], stamps[slot] = 0, cube
                place = 0
                for row in range(64):
                    line = volume[z0 + (row >> 3), y0 + (row & 7)]
                    other = np.uint64(0)
                    for x in range(x0, x0 + 8):
                        other |= line[x] ^ last
                    if other == 0:
                        for x in range(8):
                            codes[cube, place + x] = code
                        place += 8
                        continue
                    for x in range(x0, x0 + 8):
                        label = line[x]
                        if label != last:
                            last = label
                            slot = np.int64((last ^ (last >> np.uint64(10)) ^ (last >> np.uint64(23))) & _PROBE)
                            while stamps[slot] == cube and entries[first + slots[slot]] != last:
                                slot = (slot + 1) & 1023
                            if stamps[slot] != cube:
                                slots[slot], stamps[slot] = total - first, cube
                                entries[total] = last
                                total += 1
                            code = slots[slot]
                        codes[cube, place] = code
                        place += 1
                counts[cube] = total - first
    return total


def distinct_plain(volume: Labels, counts: NDArray[np.uint16], entries: Labels, codes: NDArray[np.uint16]) -> int:
    """The plain twin."""
    total = 0
    for cube, voxels in enumerate(cubes_of(volume)):
        seen = {int(label): None for label in voxels}
        place = {label: at for at, label in enumerate(seen)}
        counts[cube], codes[cube] = len(seen), [place[int(label)] for label in voxels]
        entries[total : total + len(seen)] = list(seen)
        total += len(seen)
    return total


def cubes_of(volume: Labels) -> Labels:
    """(n, 512) voxels of the sub-blocks of a (z, y, x) array."""
    gz, gy, gx = (side // SIDE for side in volume.shape)
    return volume.reshape(gz, SIDE, gy, SIDE, gx, SIDE).transpose(0, 2, 4, 1, 3, 5).reshape(-1, CUBE)


@kernel("Tuple((uint64[::1], uint32[::1]))(Array(uint64, 1, 'C', readonly=True), uint64)")
def _number(entries: Any, factor: Any) -> Any:
    """(labels in order of appearance, index of each entry among them)."""
    room = np.int64(16)
    while room < 2 * entries.size:
        room *= 2
    slots, mask = np.full(room, -1, np.int64), np.uint64(room - 1)
    labels, indices, found = np.empty(entries.size, np.uint64), np.empty(entries.size, np.uint32), 0
    for i in range(entries.size):
        label = entries[i]
        mixed = (label ^ (label >> np.uint64(32))) * factor
        slot = np.int64((mixed >> np.uint64(20)) & mask)
        while slots[slot] >= 0 and labels[slots[slot]] != label:
            slot = (slot + 1) & np.int64(mask)
        if slots[slot] < 0:
            slots[slot] = found
            labels[found] = label
            found += 1
        indices[i] = slots[slot]
    return labels[:found].copy(), indices


def number_plain(entries: Labels) -> tuple[Labels, NDArray[np.uint32]]:
    """The plain twin."""
    place = {label: at for at, label in enumerate(dict.fromkeys(entries.tolist()))}
    return np.array(list(place), np.uint64), np.array([place[label] for label in entries.tolist()], np.uint32)


@kernel("void(Array(uint16, 1, 'C', readonly=True), Array(uint16, 2, 'C', readonly=True), uint8[::1])")
def _pack(counts: Any, codes: Any, out: Any) -> None:
    at = 0
    for cube in range(counts.size):
        bits, left = 0, np.int64(counts[cube]) - 1
        while left > 0:
            bits += 1
            left >>= 1
        if bits == 0:
            continue
        for row in range(0, 512, 8):
            if bits == 9:
                for x in range(8):
                    pair = np.int64(codes[cube, row + x]) << (7 - x)
                    out[at + x] |= np.uint8(pair >> 8)
                    out[at + x + 1] = np.uint8(pair & 255)
            else:
                word = np.uint64(0)
                for x in range(8):
                    word = (word << np.uint64(bits)) | np.uint64(codes[cube, row + x])
                for i in range(bits):
                    out[at + i] = np.uint8((word >> np.uint64(8 * (bits - 1 - i))) & np.uint64(255))
            at += bits


def pack_plain(counts: NDArray[np.uint16], codes: NDArray[np.uint16], out: Bytes) -> None:
    """The plain twin."""
    at = 0
    for cube, bits in zip(codes, map(bits_for, counts), strict=True):
        digits = (cube[:, None] >> np.arange(bits)[::-1]) & 1
        out[at : at + 64 * bits] = np.packbits(digits.astype(np.uint8))
        at += 64 * bits
