"""Answers that go out part by part, most of whose bytes this process does not hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dvidpy.datatypes.exchange import PIECE, Mixed, Piece
from dvidpy.storage.file_parts import FilePart

TOGETHER = 1 << 24
"""Bytes of a piece that is in files, or in memory but for its repetitions."""


def gather_parts(parts: Iterable[Piece | FilePart]) -> Iterator[Mixed]:
    """The same bytes in pieces of TOGETHER bytes or more, or PIECE or more in memory; the last one is shorter.

    What is repeated at once is in memory once.
    """
    waiting: list[Piece | FilePart] = []
    size = held = 0
    for part in parts:
        length = part.size if isinstance(part, FilePart) else len(part)
        held += 0 if isinstance(part, FilePart) or (waiting and part is waiting[-1]) else length
        waiting.append(part)
        size += length
        del part
        if size >= TOGETHER or held >= PIECE:
            piece, waiting = Mixed(waiting, size), []
            size = held = 0
            yield piece
            del piece
    if waiting:
        yield Mixed(waiting, size)
