"""Who may write properties: only who has seen a vertex as it is. Each read gives a stamp, each write takes it and gives
another one. Stamps are in memory: after a restart, or too long a time, a client reads again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from dvidpy.datatypes.base import Data
from dvidpy.versioning.datastore import Datastore

VALID_S = 600.0
"""A stamp that was given longer ago is outdated."""
KEPT = 1_000_000
"""Stamps of an instance that are remembered, those given last."""


class Stamps:
    """Stamps of the vertices of one version of an instance."""

    def __init__(self) -> None:
        self._given: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._last = time.time_ns()
        self._lock = threading.Lock()

    def read(self, vertices: Iterable[int]) -> dict[int, int]:
        """Vertex -> its stamp."""
        with self._lock:
            return {vertex: self._valid(vertex) or self._give(vertex) for vertex in vertices}

    def take(self, stamps: Iterable[tuple[int, int]]) -> tuple[dict[int, int], list[int]]:
        """(vertex -> new stamp, of those whose stamp was right; the others)."""
        with self._lock:
            seen = {vertex: self._valid(vertex) == stamp for vertex, stamp in stamps}
            return {one: self._give(one) for one, right in seen.items() if right}, [
                one for one, right in seen.items() if not right
            ]

    def _valid(self, vertex: int) -> int | None:
        stamp, given = self._given.get(vertex, (None, 0.0))
        return stamp if time.monotonic() - given <= VALID_S else None

    def _give(self, vertex: int) -> int:
        self._last += 1
        self._given[vertex] = self._last, time.monotonic()
        self._given.move_to_end(vertex)
        while len(self._given) > KEPT:
            self._given.popitem(last=False)
        return self._last


_STAMPS: WeakKeyDictionary[Datastore, dict[tuple[int, int], Stamps]] = WeakKeyDictionary()
_MAKING = threading.Lock()


def stamps_of(data: Data) -> Stamps:
    """Those of an instance at its version."""
    with _MAKING:
        return _STAMPS.setdefault(data.datastore, {}).setdefault((data.instance.number, data.version), Stamps())
