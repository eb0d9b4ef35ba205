"""The embedded store: LevelDB through plyvel, with measured settings (docs/decisions/002-leveldb.md).

Long values stand in files beside it (`long_values`), of which `collecting` frees what nothing names any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import plyvel

from dvidpy.errors import StoreError
from dvidpy.storage import keys as layout
from dvidpy.storage.collecting import Collector, Exchange
from dvidpy.storage.file_parts import FilePart
from dvidpy.storage.log_room import LogRoom
from dvidpy.storage.long_values import LONG, PLACE, SIGN, GoneError, LongValues, Place, place_in

T = TypeVar("T")
MiB = 1 << 20
DELETE_STEP = 10_000
"""Keys deleted in one batch of `delete_range`."""
COUNTED = 20_000
"""Keys whose long values `size_of` counts; of more it takes the mean."""
FIRST, TOGETHER = 2, 64
"""Values that a scan reads together, few at first; none is long, so that they have a megabyte at most."""
_VALUE = itemgetter(1)
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

    def __init__(self, source: Any, long: LongValues, readers: set[object]) -> None:
        self._source = source
        self._get = source.get
        self._long = long
        self._readers = readers

    def get(self, key: bytes) -> bytes | None:
        kept: bytes | None = self._get(key)
        return kept if kept is None or len(kept) != PLACE else self._whole(key, kept)

    def file_part(self, key: bytes) -> FilePart | None:
        kept: bytes | None = self._get(key)
        if kept is None or len(kept) != PLACE:
            return None
        found = self._read(key, kept, self._long.file_part)
        return found if isinstance(found, FilePart) else None

    def _whole(self, key: bytes, kept: bytes) -> bytes | None:
        """The value itself."""
        return self._read(key, kept, self._long.read)

    def _read(self, key: bytes, kept: bytes, read: Callable[[Place], T]) -> T | bytes | None:
        """What is read of a long value, whose place may be another one by now; a short one itself."""
        while (place := place_in(kept)) is not None:
            try:
                return read(place)
            except GoneError:
                newer: bytes | None = self._get(key)
                if newer is None:
                    return None
                if newer == kept:
                    raise StoreError(f"{self._long.path(place.file)} is missing") from None
                kept = newer
        return kept

    def get_many(self, keys: Iterable[bytes]) -> list[bytes | None]:
        whole = self._whole
        found: Iterator[tuple[bytes, bytes | None]] = ((key, self._get(key)) for key in keys)
        return [kept if kept is None or len(kept) != PLACE else whole(key, kept) for key, kept in found]

    def versions(self, row: bytes) -> list[bytes]:
        size = len(row) + layout.CELL
        with self._source.iterator(start=row, stop=row + layout.PAST, include_value=False) as found:
            return [key for key in found if len(key) == size]

    def scan(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        some = self._scan(start, stop)
        next(some)  # the state it reads is that of now
        found = chain.from_iterable(some)
        return found if limit is None else islice(found, limit)

    def _scan(self, start: bytes, stop: bytes) -> Iterator[Iterable[tuple[bytes, bytes]]]:
        """Some together: to go through them one by one would take longer than to read them."""
        reader = object()
        self._readers.add(reader)
        try:
            with self._source.iterator(start=start, stop=stop) as found:
                yield ()
                size = FIRST
                while some := list(islice(found, size)):
                    yield self._read_long(some) if PLACE in set(map(len, map(_VALUE, some))) else some
                    size = min(2 * size, TOGETHER)
        finally:
            self._readers.discard(reader)

    def _read_long(self, some: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """The same with the long values themselves, each read when it is asked for."""
        for key, kept in some:
            value = kept if len(kept) != PLACE else self._whole(key, kept)
            if value is not None:
                yield key, value

    def first_of_each(self, spans: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes] | None]:
        reader = object()
        self._readers.add(reader)
        try:
            with closing(self._source.raw_iterator()) as at:
                return [self._first(at, *span) for span in spans]
        finally:
            self._readers.discard(reader)

    def _first(self, at: Any, start: bytes, stop: bytes) -> tuple[bytes, bytes] | None:
        at.seek(start)
        if not at.valid() or (key := at.key()) >= stop:
            return None
        kept = at.value()
        value = kept if len(kept) != PLACE else self._whole(key, kept)
        return None if value is None else (key, value)

    def scan_keys(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[bytes]:
        found: Iterator[bytes] = self._source.iterator(start=start, stop=stop, include_value=False)
        return found if limit is None else islice(found, limit)


class LevelSnapshot(LevelReader):
    """The database as it was at one moment."""

    def __init__(self, database: Any, long: LongValues, collector: Collector) -> None:
        self._collector = collector
        self._reader = object()
        collector.readers.add(self._reader)  # before there is a snapshot: none is overlooked
        super().__init__(database.snapshot(), long, collector.readers)

    def close(self) -> None:
        self._source.close()
        self._readers.discard(self._reader)
        self._collector.forget_read()

    def __del__(self) -> None:  # some are let go of, not closed
        self._collector.readers.discard(self._reader)


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
            long = LongValues(path)
        except (plyvel.Error, OSError) as error:
            raise StoreError(f"cannot open the store in {path}: {error}") from error
        self._collector = Collector(self._db, long, self._exchange)
        super().__init__(self._db, long, self._collector.readers)
        self._writing = threading.Lock()
        self._room = LogRoom(path)
        self._failed = ""

    def batch(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = (), *, sync: bool = False) -> None:
        with self._collector.batches.one():
            batch = self._db.write_batch(sync=sync)
            for key, value in puts:
                batch.put(key, value if len(value) < LONG and not value.startswith(SIGN) else self._put_long(value))
            for key in deletes:
                batch.delete(key)
            if sync:
                self._sync_long()  # what takes time is done before others wait
            with self._writing:
                self._write(batch, sync=sync)
        self._collector.look()

    def _put_long(self, value: bytes) -> bytes:
        try:
            return self._long.append(value).encode()
        except OSError as error:  # nothing was written that anybody knows of
            raise StoreError(f"{self.description} cannot be written: {error}") from error

    def _sync_long(self) -> None:
        try:
            self._long.sync()
        except OSError as error:
            raise StoreError(f"{self.description} cannot be written: {error}") from error

    def _write(self, batch: Any, *, sync: bool) -> None:
        """The caller holds `_writing`.

        After a failed write (a full disk) LevelDB goes on behind half a log record, and loses at the next opening all
        that it took since. So nothing is taken any more, and writes wait for each other to know of a failure.
        """
        if self._failed:
            raise StoreError(f"{self.description} takes no writes until it is opened again: {self._failed}")
        try:
            if sync:
                self._long.sync()
            batch.write()
        except (plyvel.Error, OSError) as error:
            self._failed = str(error)
            raise StoreError(f"{self.description} cannot be written: {error}") from error
        if sync:
            self._room.make()

    def _exchange(self, exchanges: Collection[Exchange]) -> None:
        """Exchange places, where they are still the same: durable, before the file of the old ones goes."""
        batch = self._db.write_batch(sync=True)
        with self._writing:
            for key, old, new in exchanges:
                if self._get(key) == old:
                    batch.put(key, new)
            self._write(batch, sync=True)

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
        try:
            if self._long.newest:
                self._collector.collect()
        except (plyvel.Error, OSError) as error:
            raise StoreError(f"{self.description} cannot be compacted: {error}") from error

    def snapshot(self) -> LevelSnapshot:
        return LevelSnapshot(self._db, self._long, self._collector)

    def size(self) -> int:
        return sum(map(_file_size, self.path.iterdir()))

    def size_of(self, start: bytes, stop: bytes) -> int:
        size, last = 0, start
        with self._db.iterator(start=start, stop=stop) as found:
            for last, kept in islice(found, COUNTED):
                place = place_in(kept)
                size += len(last) + (len(kept) if place is None else place.size)
            if next(found, None) is None:
                return size
        seen = self._db.approximate_size(start, last)
        return size * int(self._db.approximate_size(start, stop)) // seen if seen else size

    def damaged(self) -> Iterator[str]:
        return self._collector.damaged()

    def close(self) -> None:
        self._collector.close()
        self._db.close()
        self._room.close()
        self._long.close()


def _file_size(file: Path) -> int:
    """Bytes of a file; 0 if compaction has removed it meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
