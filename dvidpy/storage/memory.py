"""A store in memory, for tests and scratch servers. The example to copy for a new backend."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import islice

from sortedcontainers import SortedDict

from dvidpy.storage import keys as layout
from dvidpy.storage.file_parts import FilePart


class MemoryReader:
    """Reading from a sorted dictionary; a scan takes what it will give when it begins."""

    def __init__(self, values: SortedDict[bytes, bytes]) -> None:
        self._values = values
        self._lock = threading.Lock()

    def get(self, key: bytes) -> bytes | None:
        found: bytes | None = self._values.get(key)
        return found

    def get_many(self, keys: Iterable[bytes]) -> list[bytes | None]:
        return [self._values.get(key) for key in keys]

    def file_part(self, key: bytes) -> FilePart | None:
        return None

    def versions(self, row: bytes) -> list[bytes]:
        size = len(row) + layout.CELL
        return [key for key in self.scan_keys(row, row + layout.PAST) if len(key) == size]

    def scan_keys(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[bytes]:
        return (key for key, _ in self.scan(start, stop, limit))

    def scan(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        with self._lock:
            found = islice(self._values.irange(start, stop, inclusive=(True, False)), limit)
            return iter([(key, self._values[key]) for key in found])

    def first_of_each(self, spans: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes] | None]:
        return [next(self.scan(start, stop, 1), None) for start, stop in spans]

    def close(self) -> None:
        """Nothing to let go of."""


class MemoryStore(MemoryReader):
    """Everything is gone when the process ends."""

    atomic_batch = True
    multi_process = False
    description = "memory"

    def __init__(self) -> None:
        super().__init__(SortedDict())

    def batch(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = (), *, sync: bool = False) -> None:
        with self._lock:
            self._values.update(puts)
            for key in deletes:
                self._values.pop(key, None)

    def delete_range(self, start: bytes, stop: bytes) -> int:
        doomed = list(self.scan_keys(start, stop))
        self.batch((), doomed)
        return len(doomed)

    def compact(self, start: bytes, stop: bytes) -> None:
        """Nothing to give back."""

    def snapshot(self) -> MemoryReader:
        with self._lock:
            return MemoryReader(self._values.copy())

    def size(self) -> int:
        with self._lock:
            return sum(len(key) + len(value) for key, value in self._values.items())

    def size_of(self, start: bytes, stop: bytes) -> int:
        with self._lock:
            return sum(len(key) + len(value) for key, value in self._values.items() if start <= key < stop)

    def damaged(self) -> Iterator[str]:
        return iter(())
