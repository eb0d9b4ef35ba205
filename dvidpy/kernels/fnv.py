"""FNV-128 (FNV-1, 128 bits) of bytes.

Source of the constants: http://www.isthe.com/chongo/tech/comp/fnv/ (prime 2^88 + 0x13b).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dvidpy.kernels.jit import kernel

SMALL = 2048
"""Bytes up to which the plain twin is quicker than loading numba."""
_OFFSET = 0x6C62272E07BB014262B821756295C58D
_PRIME = (1 << 88) + 0x13B
_MASK = (1 << 128) - 1


def fnv128(data: bytes) -> bytes:
    """16 bytes, big-endian."""
    if len(data) <= SMALL:
        return fnv128_plain(data)
    high, low = _fnv128(np.frombuffer(data, np.uint8))
    return int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")


def fnv128_plain(data: bytes) -> bytes:
    """The plain twin."""
    digest = _OFFSET
    for byte in data:
        digest = (digest * _PRIME & _MASK) ^ byte
    return digest.to_bytes(16, "big")


@kernel("UniTuple(uint64, 2)(Array(uint8, 1, 'C', readonly=True))")
def _fnv128(data: Any) -> Any:
    """(high, low) halves. Low times 0x13b is built from 32-bit halves; 2^88 only moves low into high."""
    factor, shift, half, mask = np.uint64(0x13B), np.uint64(24), np.uint64(32), np.uint64(0xFFFFFFFF)
    high, low = np.uint64(0x6C62272E07BB0142), np.uint64(0x62B821756295C58D)
    for byte in data:
        bottom = (low & mask) * factor
        top = (low >> half) * factor + (bottom >> half)
        high = high * factor + (low << shift) + (top >> half)
        low = (top << half) | (bottom & mask)
        low ^= np.uint64(byte)
    return high, low
