"""Columns of indices and mappings in one pass: entries summed up and written, one mapping laid over another.

Most edits concern a few hundred entries: there, each call of numpy costs more than what it does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel
from dvidpy.kernels.label_blocks import Bytes
from dvidpy.kernels.label_index import Numbers, varint

Keys = NDArray[np.int64]
Voxels = NDArray[np.int64]
PAIR_BYTES, BLOCK_BYTES = 24, 34
"""The most that an entry of counts takes, and the head of a block."""
_LOW, _MORE, _SEVEN = np.uint64(127), np.uint64(128), np.uint64(7)


def net(blocks: Keys, supervoxels: Numbers, voxels: Voxels) -> tuple[Keys, Numbers, Voxels] | None:
    """Each block and supervoxel once, with the sum of its voxels; none where they are not in order.

    Those whose sum is 0 are left out.
    """
    out = np.empty(blocks.size, np.int64), np.empty(blocks.size, np.uint64), np.empty(blocks.size, np.int64)
    size = _net(blocks, supervoxels, voxels, *out)
    return None if size < 0 else (out[0][:size], out[1][:size], out[2][:size])


def overlay(supervoxels: Numbers, bodies: Numbers, under: Numbers, their_bodies: Numbers) -> tuple[Numbers, Numbers]:
    """Two mappings, each of ascending supervoxels, as one: where both name a supervoxel, the first holds."""
    out = np.empty(supervoxels.size + under.size, np.uint64), np.empty(supervoxels.size + under.size, np.uint64)
    size = _overlay(supervoxels, bodies, under, their_bodies, *out)
    return out[0][:size], out[1][:size]


def write(blocks: Keys, supervoxels: Numbers, voxels: Voxels, starts: NDArray[np.int64]) -> tuple[bytes, Keys]:
    """Entries -> (those of `blocks` in a LabelIndex message, one behind the other; bytes of each).

    Args:
        blocks: keys (`datatypes.labels.block_keys`).
        supervoxels: one an entry.
        voxels: the same; above 0.
        starts: where each block's entries begin.
    """
    out = np.empty(PAIR_BYTES * blocks.size + BLOCK_BYTES * starts.size, np.uint8)
    sizes = np.empty(starts.size, np.int64)
    return out[: _write(blocks, supervoxels, voxels, starts, out, sizes)].tobytes(), sizes


@kernel(
    "int64(Array(int64, 1, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(int64, 1, 'C', readonly=True), int64[::1], uint64[::1], int64[::1])"
)
def _net(blocks: Any, supervoxels: Any, voxels: Any, out_blocks: Any, out_supervoxels: Any, out_voxels: Any) -> Any:
    size = 0
    for i in range(blocks.size):
        same = i > 0 and blocks[i] == blocks[i - 1]
        if i and (blocks[i] < blocks[i - 1] or (same and supervoxels[i] < supervoxels[i - 1])):
            return -1
        if same and supervoxels[i] == supervoxels[i - 1]:
            out_voxels[size - 1] += voxels[i]
            continue
        if size and out_voxels[size - 1] == 0:
            size -= 1
        out_blocks[size], out_supervoxels[size], out_voxels[size] = blocks[i], supervoxels[i], voxels[i]
        size += 1
    if size and out_voxels[size - 1] == 0:
        size -= 1
    return size


def net_plain(
    blocks: Keys, supervoxels: Numbers, voxels: Voxels, out_blocks: Keys, out_supervoxels: Numbers, out_voxels: Voxels
) -> int:
    """The plain twin."""
    pairs = list(zip(blocks.tolist(), supervoxels.tolist(), strict=True))
    if pairs != sorted(pairs):
        return -1
    sums = dict.fromkeys(pairs, 0)
    for pair, number in zip(pairs, voxels.tolist(), strict=True):
        sums[pair] += number
    kept = [(pair, number) for pair, number in sums.items() if number]
    for at, ((block, supervoxel), number) in enumerate(kept):
        out_blocks[at], out_supervoxels[at], out_voxels[at] = block, supervoxel, number
    return len(kept)


_LABELS = "Array(uint64, 1, 'C', readonly=True)"


@kernel(f"int64({_LABELS}, {_LABELS}, {_LABELS}, {_LABELS}, uint64[::1], uint64[::1])")
def _overlay(supervoxels: Any, bodies: Any, under: Any, their_bodies: Any, out: Any, out_bodies: Any) -> Any:
    i, size = 0, 0
    for j in range(under.size):
        while i < supervoxels.size and supervoxels[i] < under[j]:
            out[size], out_bodies[size] = supervoxels[i], bodies[i]
            i, size = i + 1, size + 1
        out[size], out_bodies[size] = under[j], their_bodies[j]
        if i < supervoxels.size and supervoxels[i] == under[j]:
            out_bodies[size] = bodies[i]
            i += 1
        size += 1
    while i < supervoxels.size:
        out[size], out_bodies[size] = supervoxels[i], bodies[i]
        i, size = i + 1, size + 1
    return size


def overlay_plain(
    supervoxels: Numbers, bodies: Numbers, under: Numbers, their_bodies: Numbers, out: Numbers, out_bodies: Numbers
) -> int:
    """The plain twin."""
    both = dict(zip(under.tolist(), their_bodies.tolist(), strict=True))
    both |= dict(zip(supervoxels.tolist(), bodies.tolist(), strict=True))
    for at, (supervoxel, body) in enumerate(sorted(both.items())):
        out[at], out_bodies[at] = supervoxel, body
    return len(both)


# An entry of `blocks` says its length before anything else, so that its counts are measured first.
@kernel(
    "int64(Array(int64, 1, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), uint8[::1], int64[::1])"
)
def _write(blocks: Any, supervoxels: Any, voxels: Any, starts: Any, out: Any, sizes: Any) -> Any:
    def measure(number: Any) -> Any:
        size = 1
        while number >= _MORE:
            number >>= _SEVEN
            size += 1
        return size

    def put(at: Any, tag: Any, number: Any) -> Any:
        out[at] = tag
        at += 1
        while number >= _MORE:
            out[at] = (number & _LOW) | _MORE
            number >>= _SEVEN
            at += 1
        out[at] = number
        return at + 1

    at = 0
    for one in range(starts.size):
        first, stop = starts[one], starts[one + 1] if one + 1 < starts.size else blocks.size
        inner, key, before = np.uint64(0), np.uint64(0), at
        for shift in (42, 21, 0):
            part = (blocks[first] >> shift & 0x1FFFFF) - 0x100000
            key = key << np.uint64(21) | np.uint64(-part | 0x100000 if part < 0 else part)
        for i in range(first, stop):
            inner += np.uint64(4 + measure(supervoxels[i]) + measure(np.uint64(voxels[i])))
        at = put(at, 10, inner + np.uint64(2 + measure(key) + measure(inner)))
        at = put(put(at, 8, key), 18, inner)
        for i in range(first, stop):
            number = np.uint64(voxels[i])
            at = put(at, 10, np.uint64(2 + measure(supervoxels[i]) + measure(number)))
            at = put(put(at, 8, supervoxels[i]), 16, number)
        sizes[one] = at - before
    return at


def write_plain(
    blocks: Keys, supervoxels: Numbers, voxels: Voxels, starts: NDArray[np.int64], out: Bytes, sizes: Keys
) -> int:
    """The plain twin."""
    at, stops = 0, [*starts.tolist(), blocks.size][1:]
    for one, (start, stop) in enumerate(zip(starts.tolist(), stops, strict=True)):
        counts = b""
        for supervoxel, number in zip(supervoxels[start:stop].tolist(), voxels[start:stop].tolist(), strict=True):
            pair = b"\x08" + varint(supervoxel) + b"\x10" + varint(number)
            counts += b"\x0a" + varint(len(pair)) + pair
        entry = b"\x08" + varint(_wire(int(blocks[start]))) + b"\x12" + varint(len(counts)) + counts
        entry = b"\x0a" + varint(len(entry)) + entry
        out[at : at + len(entry)] = np.frombuffer(entry, np.uint8)
        at, sizes[one] = at + len(entry), len(entry)
    return at


def _wire(key: int) -> int:
    """A key as a number of the wire."""
    found = 0
    for shift in (42, 21, 0):
        part = (key >> shift & 0x1FFFFF) - 0x100000
        found = found << 21 | abs(part) | (0x100000 if part < 0 else 0)
    return found
