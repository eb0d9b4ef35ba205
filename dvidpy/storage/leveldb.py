"""The embedded store: LevelDB through plyvel, with measured settings (docs/decisions/002-leveldb.md)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import plyvel

from dvidpy.errors import StoreError
from dvidpy.storage import keys as layout

MiB = 1 << 20
DELETE_STEP = 10_000
"""Keys deleted in one batch of `delete_range`."""
TUNING: dict[str, Any] = {
    "compression": None,  # values come compressed; snappy costs 18 us at every uncached read
    "write_buffer_size": 32 * MiB,
    "lru_cache_size": 512 * MiB,
    "bloom_filter_bits": 10,
    "max_file_size": 32 * MiB,
    "max_open_files": 1000,
    "block_size": 4096,
}


class LevelReader:
    """Reading from a plyvel database or snapshot; both speak alike."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.get = source.get

    def get_many(self, keys: Iterable[bytes]) -> list[bytes | None]:
        return list(map(self._source.get, keys))

    def versions(self, row: bytes) -> list[bytes]:
        size = len(row) + layout.CELL
        with self._source.iterator(start=row, stop=row + layout.PAST, include_value=False) as found:
            return [key for key in found if len(key) == size]

    def scan(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        found: Iterator[tuple[bytes, bytes]] = self._source.iterator(start=start, stop=stop)
        return found if limit is None else islice(found, limit)

    def scan_keys(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[bytes]:
        found: Iterator[bytes] = self._source.iterator(start=start, stop=stop, include_value=False)
        return found if limit is None else islice(found, limit)


class LevelSnapshot(LevelReader):
    """The database as it was at one moment."""

    def close(self) -> None:
        self._source.close()


class LevelStore(LevelReader):
    """One folder, one process: a second one fails on the lock of the folder."""

    atomic_batch = True
    multi_process = False

    def __init__(self, path: Path, **tuning: Any) -> None:
        """Open or create the store in `path`; StoreError where it is locked, damaged or not LevelDB."""
        self.path = path
        self.description = f"leveldb in {path}"
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._db = plyvel.DB(str(path), create_if_missing=True, **(TUNING | tuning))
        except (plyvel.Error, OSError) as error:
            raise StoreError(f"cannot open the store in {path}: {error}") from error
        super().__init__(self._db)
        self._writing = threading.Lock()
        self._failed = ""

    def batch(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = (), *, sync: bool = False) -> None:
        batch = self._db.write_batch(sync=sync)
        for key, value in puts:
            batch.put(key, value)
        for key in deletes:
            batch.delete(key)
        # After a failed write (a full disk) LevelDB goes on behind half a log record, and loses at the next opening
        # all it took since. So nothing is taken any more, and writes wait for each other to know of a failure.
        with self._writing:
            if self._failed:
                raise StoreError(f"{self.description} takes no writes until it is opened again: {self._failed}")
            try:
                batch.write()
            except plyvel.Error as error:
                self._failed = str(error)
                raise StoreError(f"{self.description} cannot be written: {error}") from error

    def delete_range(self, start: bytes, stop: bytes) -> int:
        deleted = 0
        while doomed := list(self.scan_keys(start, stop, DELETE_STEP)):
            self.batch((), doomed)
            deleted += len(doomed)
            start = doomed[-1] + b"\x00"
        return deleted

    def compact(self, start: bytes, stop: bytes) -> None:
        # Without explicit bounds plyvel 1.5.1 silently does nothing.
        self._db.compact_range(start=start, stop=stop)

    def snapshot(self) -> LevelSnapshot:
        return LevelSnapshot(self._db.snapshot())

    def size(self) -> int:
        return sum(map(_file_size, self.path.iterdir()))

    def size_of(self, start: bytes, stop: bytes) -> int:
        return int(self._db.approximate_size(start, stop))

    def close(self) -> None:
        self._db.close()


def _file_size(file: Path) -> int:
    """Bytes of a file; 0 if compaction has removed it meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
