"""Blocks of the grid as keys: 12 bytes that sort by z, then y, then x, negative ones first."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dvidpy.geometry import HIGHEST, LOWEST, Box, Zyx
from dvidpy.storage.keys import after

_INDEX = struct.Struct(">3I")
_SIGN = 1 << 31


def index_key(index: Zyx) -> bytes:
    """(z, y, x) of a block -> 12 bytes: each number as u32, big-endian, its sign bit turned."""
    z, y, x = index
    return _INDEX.pack(z + _SIGN, y + _SIGN, x + _SIGN)


def index_of(key: bytes) -> Zyx:
    """The last 12 bytes of a key -> (z, y, x)."""
    z, y, x = _INDEX.unpack_from(key, len(key) - _INDEX.size)
    return z - _SIGN, y - _SIGN, x - _SIGN


def indices_of(keys: Sequence[bytes]) -> NDArray[np.int64]:
    """(n, 3) the same of many keys of one length."""
    numbers = b"".join([key[-_INDEX.size :] for key in keys])
    return np.frombuffer(numbers, ">u4").astype(np.int64).reshape(-1, 3) - _SIGN


def is_index(index: Zyx) -> bool:
    """Every number has 32 bits."""
    return min(index) >= LOWEST and max(index) <= HIGHEST


def row_spans(prefix: bytes, blocks: Box) -> Iterator[tuple[bytes, bytes]]:
    """(first key, key behind the last) of every row of blocks along x, in order; the box is not empty."""
    first, last = blocks.start[2], blocks.stop[2] - 1
    return ((prefix + index_key((z, y, first)), after(prefix + index_key((z, y, last)))) for z, y in blocks.rows())
