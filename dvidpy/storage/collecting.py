"""Freeing what no place names any more in the files of long values (`long_values`).

A file that is mostly free is read once more: what is left of it goes to the end of the newest file, each place is
exchanged where it is still the same, and the file is removed. Who reads an older state of the store keeps it so long.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import structlog

from dvidpy.errors import StoreError
from dvidpy.storage.long_values import GoneError, LongValues, Place, place_in

GROWN = 1 << 30
"""Bytes that were added since the last look, before there is another one; and as many as there were then."""
TOGETHER = 64
"""Places that are exchanged in one batch."""


class Exchange(NamedTuple):
    """A place for another one, of the same value."""

    key: bytes
    old: bytes
    new: bytes


class Batches:
    """Batches under way: the values of such a batch have places, which LevelDB does not know yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turn = 0
        self._open: Counter[int] = Counter()

    @contextmanager
    def one(self) -> Iterator[None]:
        """A batch is made and written inside."""
        with self._changed:
            turn = self._turn
            self._open[turn] += 1
        try:
            yield
        finally:
            with self._changed:
                self._open[turn] -= 1
                self._changed.notify_all()

    def settle(self) -> None:
        """Return when those that have begun are over."""
        with self._changed:
            turn, self._turn = self._turn, self._turn + 1
            self._changed.wait_for(lambda: not any(count for begun, count in self._open.items() if begun <= turn))
            self._open = +self._open


class Collector:
    """Frees space of one store."""

    def __init__(self, database: Any, long: LongValues, exchange: Callable[[Collection[Exchange]], None]) -> None:
        self._database, self._long, self._exchange = database, long, exchange
        self.batches = Batches()
        self.readers: set[object] = set()
        """A mark of each who reads an older state: snapshots, and scans under way."""
        self._removed: list[tuple[int, frozenset[object]]] = []
        """Removed files, and who may still read them."""
        self._collecting = threading.Lock()
        self._forgetting = threading.Lock()
        self._due = GROWN
        self._thread: threading.Thread | None = None
        self._closing = False

    def look(self) -> None:
        """Begin to collect, in a thread of its own, where so much was added that it is worth it."""
        if self._long.appended >= self._due and self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._run, name="collecting", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            self.collect()
        except Exception:  # the medium fails; whoever writes hears of it too
            structlog.get_logger().exception("space of long values is not freed")
        self._due = self._long.appended + max(GROWN, sum(self._long.files().values()))
        self._thread = None

    def collect(self) -> None:
        """Free the files that are mostly free, now."""
        with self._collecting:
            self.forget_read()
            free = self._mostly_free()
            if not free:
                return
            if self._long.newest in free:
                self._long.turn_over()
            newest = self._long.newest  # what begins from here on adds to this file or later ones
            self.batches.settle()
            doomed = {number for number in self._mostly_free() if number < newest}
            if doomed:
                self._empty(doomed)
            if not self._closing:
                for number in doomed:
                    self._remove(number)

    def _mostly_free(self) -> set[int]:
        files = self._long.files()
        live: Counter[int] = Counter()
        for _, _, place in self._places():
            live[place.file] += place.size
        newest = self._long.newest  # an empty one waits for values
        return {number for number, size in files.items() if 2 * live[number] <= size and (size or number < newest)}

    def _places(self) -> Iterator[tuple[bytes, bytes, Place]]:
        """(key, what LevelDB keeps, place) of all long values."""
        with self._database.iterator() as found:
            for key, kept in found:
                if self._closing:
                    return
                place = place_in(kept)
                if place is not None:
                    yield key, kept, place

    def damaged(self) -> Iterator[str]:
        """Long values that are not as they were written."""
        for _, _, place in self._places():
            try:
                self._long.verified(place)
            except GoneError:
                yield f"{self._long.path(place.file)} is missing"
            except StoreError as error:
                yield str(error)

    def _empty(self, doomed: set[int]) -> None:
        """Copy what is left in some files; those that are damaged leave the set, and stay."""
        waiting: list[Exchange] = []
        for key, kept, place in self._places():
            if place.file in doomed:
                try:
                    waiting.append(Exchange(key, kept, self._long.append(self._long.verified(place)).encode()))
                except (StoreError, GoneError) as error:
                    structlog.get_logger().error("a long value is damaged", error=str(error))
                    doomed.discard(place.file)
            if len(waiting) >= TOGETHER:
                self._exchange(waiting)
                waiting = []
        self._exchange(waiting)

    def _remove(self, number: int) -> None:
        readers = frozenset(self.readers.copy())
        self._long.remove(number, still_read=bool(readers))
        if readers:
            with self._forgetting:
                self._removed.append((number, readers))

    def forget_read(self) -> None:
        """Let go of removed files that nobody reads any more."""
        if not self._removed:
            return
        with self._forgetting:
            still = self.readers.copy()
            for number, readers in self._removed:
                if readers.isdisjoint(still):
                    self._long.forget(number)
            self._removed = [one for one in self._removed if not one[1].isdisjoint(still)]

    def close(self) -> None:
        """Stop; what was begun is begun anew another time."""
        self._closing = True
        if (thread := self._thread) is not None:
            thread.join()
