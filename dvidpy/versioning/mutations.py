"""The mutation log: a record in the same batch as the edit, and JSON lines written from it.

The record in the store (`MUTATIONS` keys) is the truth. The JSON-lines file of a data instance and version is
written before the answer, without an fsync of its own: at the next start whatever it lost is written again from
the records above LOG_MARK. An edit whose lines cannot be written (a full disk) stands all the same: it is read from
its record, and the next edit that finds room brings the lines along. What was damaged below LOG_MARK, `mend` rewrites.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby

import msgspec
import structlog
from msgspec import Raw, Struct

from dvidpy.errors import StoreError
from dvidpy.storage import keys
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.log import JsonLines, encode_line
from dvidpy.versioning.metadata import LOG_MARK, MUTATION_MARK, read_number, write_number

FIRST = 1_000_000_000
"""The first mutation id, as in the reference."""
STRIDE = 1000
"""Mutation ids reserved at a time."""
UNSYNCED = 10_000
"""Mutations after which the JSON-lines files are synced and LOG_MARK moves."""


NO_EVENT = Raw(b"null")


class Mutation(Struct, omit_defaults=True):
    """One edit in the log."""

    instance: int
    version: int
    data: str
    """Uuid of the data."""
    uuid: str
    """Uuid of the version."""
    messages: list[Raw]
    """JSON objects, as clients read them."""
    id: int = 0
    """Set when the edit is written."""
    event: Raw = NO_EVENT
    """JSON of what happened, for those who follow the data, undo or do again; see docs/internals/data-format.md."""

    def file(self) -> str:
        """Name of the JSON-lines file."""
        return file_name(self.data, self.uuid)


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Mutation).decode


def file_name(data: str, version: str) -> str:
    """JSON-lines file of a data instance and version."""
    return f"{data}-{version}"


class MutationIds:
    """Strictly increasing numbers, shared by all stores of a server."""

    def __init__(self, first: int = FIRST) -> None:
        self.next = first
        self._lock = threading.Lock()
        self._open: set[int] = set()
        """Numbers that were given out before their edit was written, and may still be."""

    def take(self) -> int:
        """The next number."""
        with self._lock:
            return self._take()

    def _take(self) -> int:
        number = self.next
        self.next += 1
        return number

    @contextmanager
    def reserved(self) -> Iterator[int]:
        """A number for an edit that must know it before it is written; inside, it may still be."""
        with self._lock:  # taken and marked in one step, or `settled` could pass over it
            number = self._take()
            self._open.add(number)
        try:
            yield number
        finally:
            with self._lock:
                self._open.discard(number)

    def settled(self, last: int) -> int:
        """The largest number up to `last` such that no edit with it, or a smaller one, will be written any more."""
        with self._lock:
            return min([last, *(number - 1 for number in self._open)])

    def beyond(self, number: int) -> None:
        """Never hand out `number` or a smaller one."""
        with self._lock:
            self.next = max(self.next, number + 1)


class MutationLog:
    """The log of one store."""

    def __init__(self, store: KeyValueStore, lines: JsonLines, ids: MutationIds) -> None:
        self._store, self.lines, self._ids = store, lines, ids
        self._mark = read_number(store, MUTATION_MARK)
        self._unsynced = 0
        self._behind = False
        """Lines could not be written; the records of their edits are in the store."""
        self._last = self._written = read_number(store, LOG_MARK)
        ids.beyond(max(self._last, self._mark - 1))
        try:
            self._repair()
        except OSError as error:
            self._behind = True
            structlog.get_logger().error("the lines of mutations cannot be written", error=str(error))

    # ------------------------------------------------------------------ writing, from the committing thread
    def number(self, mutations: Iterable[Mutation]) -> dict[bytes, bytes]:
        """Give each its id; what to write in the batch of their edits."""
        puts: dict[bytes, bytes] = {}
        for mutation in mutations:
            mutation.id = mutation.id or self._ids.take()
            puts[keys.mutation_key(mutation.id)] = _encode(mutation)
            if mutation.id >= self._mark:
                self._mark = mutation.id + STRIDE
                puts[MUTATION_MARK] = write_number(self._mark)
        return puts

    def write(self, mutations: list[Mutation]) -> None:
        """Append the lines of edits that are in the store; where that fails, a later call catches up."""
        try:
            self._append(mutations)
        except (OSError, StoreError) as error:
            structlog.get_logger().error("the lines of mutations cannot be written", error=str(error))

    @property
    def behind(self) -> bool:
        """Lines of some edits could not be written yet."""
        return self._behind

    def _append(self, mutations: list[Mutation]) -> None:
        if self._behind:
            self._repair()
            return
        self._behind = bool(mutations)
        for name, group in groupby(mutations, Mutation.file):
            self.lines.append(name, b"".join(map(_lines_of, group)))
        self._behind = False
        if mutations:
            self._written = max(self._written, *(mutation.id for mutation in mutations))
            self._last = self._ids.settled(self._written)
            self._unsynced += len(mutations)
            if self._unsynced >= UNSYNCED:
                self.checkpoint()

    def checkpoint(self) -> None:
        """Make the JSON lines survive a power failure, and remember that they do."""
        self.lines.sync()
        self._last = self._ids.settled(self._written)
        self._store.batch([(LOG_MARK, write_number(self._last))])
        self._unsynced = 0

    # ------------------------------------------------------------------ reading
    def read(self, data: str, version: str) -> Iterator[bytes]:
        """Messages of a data instance in a version, oldest first."""
        name = file_name(data, version)
        if not self._behind:
            return (bytes(line.mutation) for line in self.lines.read(name))
        return self._read_behind(name, self._last)

    def _read_behind(self, name: str, last: int) -> Iterator[bytes]:
        """Lines up to the last edit that has all of its own, and the later ones from their records."""
        yield from (bytes(line.mutation) for line in self.lines.read(name) if line.id <= last)
        for mutation in self.records(last):
            if mutation.file() == name:
                yield from map(bytes, mutation.messages)

    def records(self, above: int = 0) -> Iterator[Mutation]:
        """Records with ids above a number, in order."""
        span = (keys.mutation_key(above + 1), keys.after(keys.MUTATIONS))
        return (_decode(value) for _, value in self._store.scan(*span))

    # ------------------------------------------------------------------ damage
    def damaged(self, spared: Collection[str] = ()) -> Iterator[tuple[str, int]]:
        """(file, mutation) of lines that are not once where they should be; data of the uuids `spared` do not count."""
        expected: Counter[tuple[str, int]] = Counter()
        for mutation in self.records():
            expected[(mutation.file(), mutation.id)] += len(mutation.messages)
        found = Counter((name, line.id) for name in self.lines.names() for line in self.lines.read(name))
        for name, number in (expected - found) + (found - expected):
            if name.partition("-")[0] not in spared:
                yield name, number
        yield from ((name, 0) for name in self.lines.names() if self.lines.is_torn(name))

    def mend(self, names: Collection[str]) -> None:
        """Write files anew from the records. They are replaced one by one, each when it is whole and synced."""
        with self.lines.rewriting(names) as fresh:
            for mutation in self.records():
                if (name := mutation.file()) in names:
                    fresh.append(name, _lines_of(mutation))

    def close(self) -> None:
        """Checkpoint and let go of the files."""
        try:
            if self._unsynced:
                self.checkpoint()
        finally:
            self.lines.close()

    def _repair(self) -> None:
        """Write again what the JSON-lines files lost."""
        above = self._last
        cut: set[str] = set()
        for mutation in self.records(above):
            name = mutation.file()
            if name not in cut:
                self.lines.cut(name, above)
                cut.add(name)
            self.lines.append(name, _lines_of(mutation))
            self._last = self._written = mutation.id
        self._behind = False
        if cut:
            self.checkpoint()


def _lines_of(mutation: Mutation) -> bytes:
    return b"".join(encode_line(mutation.id, bytes(message)) for message in mutation.messages)
