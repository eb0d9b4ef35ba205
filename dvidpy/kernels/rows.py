"""JSON lists of rows of whole numbers, such as spans and points, read without an object for each number.

The grammar is that of JSON (RFC 8259), narrowed to [[n, n, …], …] with numbers that fit into 32 bits.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel

SMALL = 4096
"""Bytes up to which the plain twin is quicker than loading numba."""
Rows = NDArray[np.int32]
"""(number, width) array."""
_Number = Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)]


def parse_rows(text: bytes, width: int) -> Rows:
    """(n, width) numbers of a JSON list of n lists; ValueError, which says where, for anything else."""
    if len(text) <= SMALL:
        return parse_rows_plain(text, width)
    shortest = 2 * width + 1  # "[0,0,0]", and a comma
    rows = np.empty((min(text.count(b"["), len(text) // shortest), width), np.int32)
    found = int(_parse_rows(np.frombuffer(text, np.uint8), rows))
    if found < 0:
        raise ValueError(f"byte {-found - 1}: expected lists of {width} whole numbers of 32 bits")
    return rows[:found]


def parse_rows_plain(text: bytes, width: int) -> Rows:
    """The plain twin."""
    try:
        return np.array(_decoder(width).decode(text), np.int32).reshape(-1, width)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


@cache
def _decoder(width: int) -> Any:
    row: Any = tuple.__class_getitem__((_Number,) * width)
    return msgspec.json.Decoder(list[row])


@kernel("int64(Array(uint8, 1, 'C', readonly=True), Array(int32, 2, 'C'))")
def _parse_rows(text: Any, rows: Any) -> Any:  # a whole grammar: no kernel calls another
    """Number of rows written; -1 - position where the text is no such list."""
    size, width = len(text), rows.shape[1]

    def skip(at: Any) -> Any:
        while at < size and (text[at] == 32 or (9 <= text[at] <= 13 and text[at] != 11 and text[at] != 12)):
            at += 1
        return at

    at, count = skip(0), 0
    if at >= size or text[at] != 91:  # [
        return -1 - at
    at = skip(at + 1)
    more = at < size and text[at] != 93  # ]
    while more:
        if at >= size or text[at] != 91:
            return -1 - at
        for column in range(width):
            at = skip(at + 1)
            negative = at < size and text[at] == 45  # -
            first = at + (1 if negative else 0)
            at, number = first, 0
            while at < size and 48 <= text[at] <= 57 and at < first + 11:
                number = number * 10 + (int(text[at]) - 48)
                at += 1
            number = -number if negative else number
            if at == first or (text[first] == 48 and at > first + 1) or not -(1 << 31) <= number < 1 << 31:
                return -1 - first
            at = skip(at)
            if at >= size or text[at] != (93 if column == width - 1 else 44):
                return -1 - at
            rows[count, column] = number
        count += 1
        at = skip(at + 1)
        more = at < size and text[at] == 44  # ,
        if more:
            at = skip(at + 1)
    if at >= size or text[at] != 93:
        return -1 - at
    at = skip(at + 1)
    return count if at == size else -1 - at
