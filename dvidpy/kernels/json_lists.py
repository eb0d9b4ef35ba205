"""Where the members of a long JSON list begin and end, without making anything of them."""

from __future__ import annotations

from json import JSONDecoder
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel

_QUOTE, _ESCAPE, _COMMA, _OPEN, _CLOSE, _LIST, _END = b'"\\,{}[]'
_BLANK, _TAB, _LINE, _RETURN = b" \t\n\r"
Bounds = NDArray[np.int64]


def list_members(text: NDArray[np.uint8]) -> Bounds:
    """(n, 2) first byte and one past the last of each member; ValueError where the text is no list from end to end.

    What the members are is not looked at: of a list that is no JSON they can be anything, or have no bytes.
    """
    count = int(_list_members(text, np.empty((0, 2), np.int64)))
    if count < 0:
        raise ValueError(f"there is no JSON list, as byte {-1 - count} shows")
    bounds = np.empty((count, 2), np.int64)
    _list_members(text, bounds)
    return bounds


@kernel("int64(Array(uint8, 1, 'C', readonly=True), int64[:, ::1])")
def _list_members(text: Any, bounds: Any) -> Any:
    """How many members; -1 less the place where something is wrong. `bounds` is filled, or empty."""
    at = 0
    while at < text.size and text[at] in (_BLANK, _TAB, _LINE, _RETURN):
        at += 1
    if at == text.size or text[at] != _LIST:
        return -1 - at
    at += 1
    count, depth, begin, past, inside = 0, 0, -1, 0, False
    while at < text.size:
        byte = text[at]
        blank = not inside and byte in (_BLANK, _TAB, _LINE, _RETURN)
        if inside:
            at += int(byte == _ESCAPE)
            inside = byte != _QUOTE
        elif depth == 0 and byte in (_COMMA, _END):
            if begin >= 0 or count or byte == _COMMA:
                if bounds.size:
                    bounds[count, 0], bounds[count, 1] = (begin, past) if begin >= 0 else (at, at)
                count += 1
            if byte == _END:
                break
            begin = -1
        elif not blank:
            begin = at if begin < 0 else begin
            inside = byte == _QUOTE
            depth += int(byte in (_OPEN, _LIST)) - int(byte in (_CLOSE, _END))
        past = past if blank else at + 1
        at += 1
    if at >= text.size:
        return -1 - text.size
    for place in range(at + 1, text.size):
        if text[place] not in (_BLANK, _TAB, _LINE, _RETURN):
            return -1 - place
    return count


def list_members_plain(text: bytes) -> list[tuple[int, int]]:
    """The plain twin, of a list that is JSON."""
    decoder, whole, found = JSONDecoder(), text.decode("ascii"), []
    at = whole.index("[") + 1
    while whole[at:].lstrip()[:1] not in ("", "]"):
        begin = len(whole) - len(whole[at:].lstrip(" ,\t\n\r"))
        at = decoder.raw_decode(whole, begin)[1]
        found.append((begin, at))
    return found
