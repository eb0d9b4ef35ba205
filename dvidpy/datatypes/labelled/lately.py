"""Blocks that were read lately, unpacked. Who looks at a volume looks at the same places, and near them, again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from dvidpy.datatypes.labels.blocks import LabelBlock

ROOM = 32 << 20
"""Bytes of the blocks of an instance that stay unpacked: some 500 of 64^3, of a usual segmentation."""
SHORT = 512
"""Bytes of a stored block that takes no longer to unpack than to look up."""
ENTRY = 1000
"""Bytes of an entry beside those of its block, about."""


class Lately:
    """Each stands beside the bytes that it was stored as. These are asked for, so that no edit need tell it."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[bytes, tuple[bytes, LabelBlock]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def find(self, stored: bytes) -> LabelBlock | None:
        """The block that was stored so, if it is here."""
        mark = _mark(stored)
        with self._lock:
            kept = self._blocks.get(mark)
            if kept is None or kept[0] != stored:
                return None
            self._blocks.move_to_end(mark)
        return kept[1]

    def block(self, stored: bytes, load: Callable[[], LabelBlock]) -> LabelBlock:
        """The block that was stored so, as `load` gives it."""
        if len(stored) < SHORT:
            return load()
        return self.find(stored) or self._keep(stored, load())

    def _keep(self, stored: bytes, block: LabelBlock) -> LabelBlock:
        mark = _mark(stored)
        with self._lock:
            self._drop(mark)
            self._blocks[mark] = stored, block
            self._size += _weight(stored, block)
            while self._size > ROOM:
                self._drop(next(iter(self._blocks)))
        return block

    def _drop(self, mark: bytes) -> None:
        kept = self._blocks.pop(mark, None)
        if kept is not None:
            self._size -= _weight(*kept)


def _mark(stored: bytes) -> bytes:
    """Tells most blocks apart: their labels stand at the beginning, the sum of a gzip member at the end."""
    return stored[:64] + stored[-16:]


def _weight(stored: bytes, block: LabelBlock) -> int:
    return ENTRY + len(stored) + sum(part.nbytes for part in block[1:])
