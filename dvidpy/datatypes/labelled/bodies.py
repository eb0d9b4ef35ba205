"""Bodies as they are read: an index is decoded once, and what follows from it computed once.

Those whose index has sheets are not remembered: they would take all the room, and hold on to an old state of the store.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cached_property

import numpy as np
import orjson
from numpy.typing import NDArray

from dvidpy.datatypes.labels.index import LabelIndex, Voxels
from dvidpy.datatypes.labels.runs import runs_of_blocks
from dvidpy.datatypes.labels.sheets import Sheeted
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.kernels.label_runs import Runs

ROOM = 64 << 20
"""Bytes of the bodies that an instance keeps in memory, about."""
ENTRY = 100
"""Bytes of an entry with all that is computed from it, about."""


class Body:
    """A body at one version. A value: its arrays are not written to."""

    def __init__(self, sheeted: Sheeted) -> None:
        self.sheeted = sheeted
        """Its index. Where it has sheets, of a view that does not change."""

    @cached_property
    def index(self) -> LabelIndex:
        """The whole of it."""
        return self.sheeted.whole()

    @property
    def stamp(self) -> LabelIndex:
        """What it says of its last change; its entries are not all."""
        return self.sheeted.loose

    @cached_property
    def voxels(self) -> int:
        """Of the whole body."""
        return self.sheeted.voxels

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """(n, 3) z, y, x of its blocks, in order."""
        return self.index.blocks

    @cached_property
    def runs(self) -> Runs:
        """Its blocks as runs of the block grid."""
        return runs_of_blocks(self.blocks)

    @cached_property
    def sizes(self) -> tuple[Labels, Voxels]:
        """(supervoxels ascending, voxels of each)."""
        return self.sheeted.sizes()

    @cached_property
    def json(self) -> tuple[bytes, bytes]:
        """JSON lists of the supervoxels and of their voxels."""
        labels, voxels = self.sizes
        return _json(labels), _json(voxels)

    def box(self, block: Zyx) -> Box:
        """The smallest box of whole blocks of that size, in voxels, that holds it."""
        low, high = self.blocks.min(axis=0).tolist(), self.blocks.max(axis=0).tolist()
        size = [last + 1 - first for first, last in zip(low, high, strict=True)]
        return Box((low[0], low[1], low[2]), (size[0], size[1], size[2])).voxels(block)

    def only(self, supervoxels: Labels) -> LabelIndex:
        """What some supervoxels have of its index."""
        return self.sheeted.only(supervoxels)

    def part(self, supervoxel: int) -> Body | None:
        """What one supervoxel has of it; none where that is nothing."""
        if self.sizes[0].size == 1:
            return self if int(self.sizes[0][0]) == supervoxel else None
        index = self.only(np.array([supervoxel], np.uint64))
        return None if index.is_empty else Body(Sheeted(index))


class Recent:
    """Bodies read last, each beside the stored bytes it comes from: what is stored now tells whether it still holds."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], tuple[bytes, Body]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, version: int, label: int, stored: bytes) -> Body | None:
        """The body of a label, if it was decoded from these very bytes."""
        found = self._known.get((version, label))
        return found[1] if found is not None and found[0] == stored else None

    def keep(self, version: int, label: int, stored: bytes, body: Body) -> Body:
        """Remember a body; those not read for longest are forgotten."""
        with self._lock:
            self._drop((version, label))
            self._known[version, label] = stored, body
            self._size += _weight(stored, body)
            while self._size > ROOM:
                self._drop(next(iter(self._known)))
        return body

    def _drop(self, key: tuple[int, int]) -> None:
        found = self._known.pop(key, None)
        if found is not None:
            self._size -= _weight(*found)


def _json(numbers: Labels | Voxels) -> bytes:
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)


def _weight(stored: bytes, body: Body) -> int:
    return 200 + len(stored) + ENTRY * body.index.entries.blocks.size
