"""Codes of voxels as Neuroglancer's compressed segmentation packs them, and labels looked up in sorted arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel
from dvidpy.kernels.label_blocks import Bytes, Labels, codes_plain

Words = NDArray[np.uint32]


def pack_words(bits: NDArray[np.int64], starts: NDArray[np.int64], codes: NDArray[np.uint16], out: Words) -> None:
    """Write the (n, 512) codes of sub-blocks, `bits[i]` bits each, lowest first, from word `starts[i]` of `out` on."""
    _pack_words(bits, starts, codes, out)


def repack_words(
    counts: NDArray[np.uint16], values: Bytes, bits: NDArray[np.int64], starts: NDArray[np.int64], out: Words
) -> None:
    """The same from the codes of a label block (`label_blocks`): sub-block i has `counts[i]` entries, and its codes in
    `values` as few bits as these need. A code beyond the entries becomes the first one's.
    """
    _repack_words(counts, values, bits, starts, out)


def look_up(labels: Labels, known: Labels, targets: Labels) -> Labels:
    """`targets[i]` for each label that is `known[i]`; the label itself where it is not known. Known ones ascend."""
    out = np.empty(labels.size, np.uint64)
    _look_up(labels, known, targets, out)
    return out


@kernel(
    "void(Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True),"
    "Array(uint16, 2, 'C', readonly=True), uint32[::1])"
)
def _pack_words(bits: Any, starts: Any, codes: Any, out: Any) -> None:
    for cube in range(bits.size):
        size = bits[cube]
        if size == 0:
            continue
        each, at = 32 // size, 0
        for word in range(starts[cube], starts[cube] + 16 * size):
            packed = np.uint32(0)
            for i in range(each):
                packed |= np.uint32(codes[cube, at + i]) << np.uint32(size * i)
            out[word] = packed
            at += each


def pack_words_plain(bits: NDArray[np.int64], starts: NDArray[np.int64], codes: NDArray[np.uint16], out: Words) -> None:
    """The plain twin."""
    for size, start, cube in zip(bits.tolist(), starts.tolist(), codes, strict=True):
        if size:
            digits = (cube[:, None] >> np.arange(size)) & 1
            packed = np.packbits(digits.astype(np.uint8).ravel(), bitorder="little")
            out[start : start + 16 * size] = packed.view("<u4")


@kernel(
    "void(Array(uint16, 1, 'C', readonly=True), Array(uint8, 1, 'C', readonly=True),"
    "Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), uint32[::1])"
)
def _repack_words(counts: Any, values: Any, bits: Any, starts: Any, out: Any) -> None:
    at = 0
    for cube in range(counts.size):
        count = np.int64(counts[cube])
        own, left = 0, count - 1
        while left > 0:
            own += 1
            left >>= 1
        if own == 0:
            continue
        size, mask = bits[cube], (1 << own) - 1
        each, waiting, have = 32 // size, 0, 0
        for word in range(starts[cube], starts[cube] + 16 * size):
            packed = np.uint32(0)
            for i in range(each):
                while have < own:
                    waiting = ((waiting & 511) << 8) | np.int64(values[at])
                    at += 1
                    have += 8
                have -= own
                code = (waiting >> have) & mask
                if code < count:
                    packed |= np.uint32(code) << np.uint32(size * i)
            out[word] = packed


def repack_words_plain(
    counts: NDArray[np.uint16], values: Bytes, bits: NDArray[np.int64], starts: NDArray[np.int64], out: Words
) -> None:
    """The plain twin."""
    codes = codes_plain(counts, values)
    codes[codes >= np.maximum(counts, 1)[:, None]] = 0
    pack_words_plain(bits, starts, codes.astype(np.uint16), out)


@kernel(
    "void(Array(uint64, 1, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(uint64, 1, 'C', readonly=True), uint64[::1])"
)
def _look_up(labels: Any, known: Any, targets: Any, out: Any) -> None:
    """Voxels come in runs of a label: one like the one before is not searched for."""
    if labels.size == 0:
        return
    last, answer, searched = labels[0], labels[0], False
    for i in range(labels.size):
        label = labels[i]
        if label != last or not searched:
            low, high = 0, known.size
            while low < high:
                middle = (low + high) >> 1
                if known[middle] < label:
                    low = middle + 1
                else:
                    high = middle
            last, answer, searched = label, label, True
            if low < known.size and known[low] == label:
                answer = targets[low]
        out[i] = answer


def look_up_plain(labels: Labels, known: Labels, targets: Labels, out: Labels) -> None:
    """The plain twin."""
    table = dict(zip(known.tolist(), targets.tolist(), strict=True))
    out[...] = np.array([table.get(label, label) for label in labels.tolist()], np.uint64)
