"""A stored list of elements that changes: by its text while few of many are asked for, else by a dictionary."""

from __future__ import annotations

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.elements import List, Point

LONG = 1 << 13
"""Bytes of a list that is not taken apart at once."""
FEW = 24
"""Times that something is looked for in the text of such a list. To take 1,500 elements apart takes a millisecond, to
find one 10 us."""


class Texts:
    """The elements of a list by their points, in the order in which they stand there."""

    def __init__(self, stored: bytes | None) -> None:
        self._text = b"[]" if stored is None else stored
        self._left = FEW if len(self._text) >= LONG else 0
        self._found: List | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._taken_apart()) if self._left <= 0 else len(self._text) > len(b"[]")

    def get(self, at: Point) -> bytes | None:
        """The element at a point."""
        if self._in_text():
            begin, end = elements.place_of(self._text, at)
            return self._text[begin:end] or None
        return self._taken_apart().get(at)

    def put(self, at: Point, text: bytes) -> None:
        """Instead of the one at its point, or behind all others."""
        if not self._in_text():
            self._taken_apart()[at] = text
            return
        begin, end = elements.place_of(self._text, at)
        comma = b"," if begin == end and len(self._text) > len(b"[]") else b""
        self._text = b"".join((self._text[:begin], comma, text, self._text[end:]))

    def remove(self, at: Point) -> bool:
        """Whether there was one."""
        if not self._in_text():
            return self._taken_apart().pop(at, None) is not None
        begin, end = elements.place_of(self._text, at)
        if begin == end:
            return False
        is_first = begin == len(b"[")
        is_only = end + len(b"]") == len(self._text)
        begin, end = (begin, end + (not is_only)) if is_first else (begin - len(b","), end)
        self._text = self._text[:begin] + self._text[end:]
        return True

    def stored(self) -> bytes:
        """As it is stored."""
        return self._text if self._found is None else elements.write_list(self._found.values())

    def _in_text(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def _taken_apart(self) -> List:
        if self._found is None:
            self._found = elements.read_list(self._text)
        return self._found
