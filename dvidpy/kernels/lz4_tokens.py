"""The sequences of a raw LZ4 block: literals, and a match behind each but the last.

A sequence is a token (4 bits each: number of literals, length of the match less 4; 15 goes on in bytes of up to 255),
the literals, and two bytes that say how far back the match lies. The last one ends with its literals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dvidpy.kernels.jit import kernel
from dvidpy.kernels.label_blocks import Bytes


def last_token(block: bytes) -> int:
    """Place of the token of the last sequence; -1 where the block ends in the middle of one, or is empty."""
    return int(_last_token(np.frombuffer(block, np.uint8)))


@kernel("int64(Array(uint8, 1, 'C', readonly=True))")
def _last_token(block: Any) -> Any:
    at, size = 0, block.size
    while at < size:
        token = at
        literals, match = np.int64(block[at]) >> 4, np.int64(block[at]) & 15
        at += 1
        more = literals == 15
        while more and at < size:
            literals += np.int64(block[at])
            more = block[at] == 255
            at += 1
        at += literals
        if at >= size:
            return token if at == size and not more else -1
        at += 2
        more = match == 15
        while more and at < size:
            more = block[at] == 255
            at += 1
    return -1


def last_token_plain(block: Bytes) -> int:
    """The plain twin."""
    text, at = block.tobytes(), 0
    while at < len(text):
        token = at
        literals, at = length(text, at + 1, text[at] >> 4)
        at += literals
        if at == len(text):
            return token
        _, at = length(text, at + 2, text[token] & 15)
    return -1


def length(block: bytes, at: int, nibble: int) -> tuple[int, int]:
    """(a length of literals or of a match that goes on at a place, the place behind it)."""
    if nibble < 15:
        return nibble, at
    while at < len(block):
        nibble += block[at]
        at += 1
        if block[at - 1] < 255:
            break
    return nibble, at


def spell(literals: int, match: int) -> bytes:
    """Token of a sequence and what goes on of its number of literals. `match` are the bits of its match."""
    if literals < 15:
        return bytes((literals << 4 | match,))
    longer, rest = divmod(literals - 15, 255)
    return bytes((0xF0 | match,)) + b"\xff" * longer + bytes((rest,))
