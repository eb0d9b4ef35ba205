"""Blocks that were read lately, unpacked. Who looks at a volume looks at the same places, and near them, again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.packing import GzipPart

ROOM = 32 << 20
"""Bytes of the blocks of an instance that stay unpacked: some 500 of 64^3, of a usual segmentation."""
SHORT = 512
"""Bytes of a stored block that takes no longer to unpack than to look up."""
ENTRY = 1000
"""Bytes of an entry beside those of its block, about."""


class _Kept:
    """A block beside the bytes that it was stored as."""

    def __init__(self, stored: bytes, block: LabelBlock) -> None:
        self.stored = stored
        self.block = block
        self.end: GzipPart | None = None
        """What is behind its labels, gzipped; once that was wanted."""

    @property
    def weight(self) -> int:
        end = 0 if self.end is None else len(self.end.body)
        return ENTRY + len(self.stored) + sum(part.nbytes for part in self.block[1:]) + end


class Lately:
    """Blocks are asked for by the bytes that they were stored as, so that no edit need tell it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def find(self, stored: bytes) -> LabelBlock | None:
        """The block that was stored so, if it is here."""
        with self._lock:
            kept = self._find(stored)
        return None if kept is None else kept.block

    def block(self, stored: bytes, load: Callable[[], LabelBlock]) -> LabelBlock:
        """The block that was stored so, as `load` gives it."""
        if len(stored) < SHORT:
            return load()
        return self.find(stored) or self._keep(stored, load())

    def find_end(self, stored: bytes) -> GzipPart | None:
        """What the block that was stored so has behind its labels, if that is here."""
        with self._lock:
            kept = self._find(stored)
        return None if kept is None else kept.end

    def end(self, stored: bytes, pack: Callable[[], GzipPart]) -> GzipPart:
        """The same, as `pack` gives it."""
        known = self.find_end(stored)
        if known is not None:
            return known
        end = pack()
        with self._lock:
            kept = self._find(stored)
            if kept is not None:
                self._size -= kept.weight
                kept.end = end
                self._size += kept.weight
                self._make_room()
        return end

    def _find(self, stored: bytes) -> _Kept | None:
        mark = _mark(stored)
        kept = self._kept.get(mark)
        if kept is None or kept.stored != stored:
            return None
        self._kept.move_to_end(mark)
        return kept

    def _keep(self, stored: bytes, block: LabelBlock) -> LabelBlock:
        mark = _mark(stored)
        with self._lock:
            self._drop(mark)
            self._kept[mark] = _Kept(stored, block)
            self._size += self._kept[mark].weight
            self._make_room()
        return block

    def _make_room(self) -> None:
        while self._size > ROOM:
            self._drop(next(iter(self._kept)))

    def _drop(self, mark: bytes) -> None:
        kept = self._kept.pop(mark, None)
        if kept is not None:
            self._size -= kept.weight


def _mark(stored: bytes) -> bytes:
    """Tells most blocks apart: their labels stand at the beginning, the sum of a gzip member at the end."""
    return stored[:64] + stored[-16:]
