"""Annotations of a version in memory, for queries: derived from the store, dropped and made again at will.

A table is read from the store when a version is first queried. Edits commit first, then enter the table; a reader
sees each of them wholly or not at all. Several versions share the bytes of the annotations they have in common.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import orjson

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.neuronjson.columns import Column, Rows
from dvidpy.datatypes.neuronjson.conditions import Condition, Query, Values
from dvidpy.datatypes.neuronjson.keys import ALL, LARGEST, body_of
from dvidpy.datatypes.neuronjson.records import TIME, meta_part, plain_part
from dvidpy.errors import BadRequest
from dvidpy.storage import codecs
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.store import Found, View

TABLES = 8
"""Versions that are kept in memory."""
BYTES = 1 << 30
"""Bytes of packed annotations that they may hold together; the one asked for is always kept."""
COLUMNS = 64
"""Columns of a table, and fields of a query."""
QUERIES = 1000
"""Members of a list of queries."""
PATIENCE_S = 5.0
"""Seconds that the regular expressions of a query may take."""

Changes = Mapping[int, bytes | None]
"""Body -> its annotation, packed as in the store; None for a deleted one."""


class Match(NamedTuple):
    """An annotation that was found."""

    body: int
    packed: bytes

    def stored(self) -> bytes:
        """The stored form."""
        return codecs.decode(self.packed)


def unpacked(packed: bytes | None) -> bytes | None:
    """The stored form of a row."""
    return None if packed is None else codecs.decode(packed)


def packed_of(found: Found) -> bytes:
    """An annotation as a table keeps it: large ones in one piece."""
    return found.stored if found.manifest is None else bytes(1) + found.read()


class Survey(NamedTuple):
    """What fields there are."""

    counts: Counter[str]
    times: dict[str, str]
    """Field -> when it was last written."""


class Table:
    """The annotations of one version."""

    def __init__(self, view: View) -> None:
        self.version = view.ancestry.version
        self.members = view.ancestry.members
        self.mutation = 0
        """The last mutation it reflects; 0 where it is as it was read."""
        self.ready = threading.Event()
        self.size = 0
        """Bytes of annotations."""
        self._lock = threading.Lock()
        self._early: list[tuple[Changes, int]] | None = []
        """Edits that came while it was read."""
        self._row_of: dict[int, int] = {}
        self._bodies: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._packed: list[bytes | None] = []
        self._columns: OrderedDict[str, Column] = OrderedDict()
        self._survey: Survey | None = None

    # ------------------------------------------------------------------ filling
    def read(self, view: View, other: Table | None) -> None:
        """All annotations of a frozen view; bytes that another table has too are shared with it."""
        bodies: list[int] = []
        packed: list[bytes | None] = []
        shared = other.packed_of if other is not None else lambda body: None
        for key, found in view.range(*ALL):
            body, own = body_of(key), packed_of(found)
            same = shared(body)
            bodies.append(body)
            packed.append(same if same == own else own)
        with self._lock:
            self._bodies = np.array(bodies, np.uint64)
            self._row_of = {body: row for row, body in enumerate(bodies)}
            self._packed = packed
            self.size = sum(len(one) for one in packed if one is not None)
            early, self._early = self._early or [], None
            for changes, mutation in early:
                self._apply(changes, mutation)
        self.ready.set()

    def packed_of(self, body: int) -> bytes | None:
        """The annotation of a body."""
        row = self._row_of.get(body)
        return None if row is None else self._packed[row]

    def apply(self, changes: Changes, mutation: int) -> None:
        """Enter an edit that is in the store."""
        with self._lock:
            if self._early is not None:
                self._early.append((changes, mutation))
            else:
                self._apply(changes, mutation)

    def _apply(self, changes: Changes, mutation: int) -> None:
        for body, packed in changes.items():
            row = self._row(body)
            old, self._packed[row] = self._packed[row], packed
            self.size += len(packed or b"") - len(old or b"")
            before, after = unpacked(old), unpacked(packed)
            for column in self._columns.values():
                column.set(row, after)
            if self._survey is not None:
                self._survey = _resurveyed(self._survey, before, after)
        for name in [name for name, column in self._columns.items() if column.outgrown(len(self._row_of))]:
            del self._columns[name]
        self.mutation = max(self.mutation, mutation)

    def _row(self, body: int) -> int:
        row = self._row_of.setdefault(body, len(self._packed))
        if row == len(self._packed):
            self._packed.append(None)
            if row >= len(self._bodies):
                grown = np.zeros(row + 1 + row // 8, np.uint64)
                grown[: len(self._bodies)] = self._bodies
                self._bodies = grown
            self._bodies[row] = body
        return row

    # ------------------------------------------------------------------ asking
    def select(self, queries: Collection[Query]) -> list[Match]:
        """Annotations that meet one of the queries, by body."""
        names = {name for query in queries for name in query if name != "bodyid"}
        if len(queries) > QUERIES or len(names) > COLUMNS:
            raise BadRequest(f"a query may have {QUERIES} members and ask for {COLUMNS} fields")
        while True:
            for name in names:
                self._prepare(name)
            with self._lock:
                if names <= self._columns.keys():  # else another query or an edit pushed one out
                    return self._matches(self._meeting_any(queries))

    def _meeting_any(self, queries: Collection[Query]) -> Rows:
        rows, until = len(self._packed), time.monotonic() + PATIENCE_S
        found = np.zeros(rows, np.bool_)
        for query in queries:
            meets = np.ones(rows, np.bool_)
            for name, condition in query.items():
                if name == "bodyid":
                    meets &= self._bodies_meeting(condition, rows)
                else:
                    meets &= self._columns[name].matching(condition, rows, until)
            found |= meets
        return found

    def _matches(self, found: Rows) -> list[Match]:
        at = np.flatnonzero(found)
        at = at[np.argsort(self._bodies[at], kind="stable")]
        pairs = zip(self._bodies[at].tolist(), map(self._packed.__getitem__, at.tolist()), strict=True)
        return [Match(body, packed) for body, packed in pairs if packed is not None]

    def _bodies_meeting(self, condition: Condition, rows: int) -> Rows:
        """Every annotation has a body id, which is a number."""
        if not isinstance(condition, Values):
            return np.full(rows, condition.there)
        found = np.zeros(rows, np.bool_)
        asked = (self._row_of.get(body) for body in condition.numbers if 0 <= body <= LARGEST)
        found[[row for row in asked if row is not None]] = True
        return found

    def _prepare(self, name: str) -> None:
        """Have the column of a field; it is made without holding back edits, then told of those that came."""
        with self._lock:
            if name in self._columns:
                self._columns.move_to_end(name)
                return
            packed = self._packed.copy()
        column = Column(name)
        column.fill(map(unpacked, packed), len(packed))
        with self._lock:
            for row, now in self._changed(packed):
                column.set(row, unpacked(now))
            self._columns[name] = column
            while len(self._columns) > COLUMNS:
                self._columns.popitem(last=False)

    def _changed(self, before: list[bytes | None]) -> Iterator[tuple[int, bytes | None]]:
        """(row, annotation) of what differs from a copy of the rows."""
        for row, now in enumerate(self._packed):
            if row >= len(before) or now is not before[row]:
                yield row, now

    def survey(self) -> Survey:
        """Fields with how many annotations have each, and when each was last written."""
        with self._lock:
            if self._survey is not None:
                return self._survey
            packed = self._packed.copy()
        survey = surveyed(one for one in map(unpacked, packed) if one is not None)
        with self._lock:
            for row, now in self._changed(packed):
                before = packed[row] if row < len(packed) else None
                survey = _resurveyed(survey, unpacked(before), unpacked(now)) or self._afresh()
            self._survey = survey
            return survey

    def _afresh(self) -> Survey:
        return surveyed(one for one in map(unpacked, self._packed) if one is not None)


def surveyed(annotations: Iterator[bytes]) -> Survey:
    """A look at all of them. Many have the same fields, written at the same time: those are looked at once."""
    shapes: Counter[tuple[str, ...]] = Counter()
    moments: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
    times_of: dict[tuple[str, ...], tuple[str, ...]] = {}
    for stored in annotations:
        meta = orjson.loads(meta_part(stored))
        shape = tuple(meta)
        shapes[shape] += 1
        shapes[tuple(orjson.loads(plain_part(stored)))] += 1
        fields = times_of.get(shape)
        if fields is None:
            fields = times_of[shape] = tuple(field for field in shape if field.endswith(TIME))
        moments.add((fields, tuple(map(meta.__getitem__, fields))))
    return Survey(_counted(shapes), _latest(moments))


def _counted(shapes: Counter[tuple[str, ...]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for shape, count in shapes.items():
        for field in shape:
            counts[field] += count
    return counts


def _latest(moments: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]) -> dict[str, str]:
    """Field -> its last time."""
    times: dict[str, str] = {}
    for fields, some in moments:
        for field, when in zip(fields, some, strict=True):
            name = field.removesuffix(TIME)
            times[name] = max(when, times.get(name, ""))
    return times


def _resurveyed(survey: Survey, before: bytes | None, after: bytes | None) -> Survey | None:
    """What an edit makes of a survey; None where all must be looked at: the last time of a field went."""
    old = surveyed(iter(() if before is None else (before,)))
    new = surveyed(iter(() if after is None else (after,)))
    times = survey.times.copy()
    for name, when in old.times.items():
        if times.get(name) == when and new.times.get(name, "") < when:
            return None
    for name, when in new.times.items():
        times[name] = max(when, times.get(name, ""))
    counts = survey.counts.copy()
    counts.update(new.counts)
    counts.subtract(old.counts)
    return Survey(+counts, times)


class Tables:
    """The tables of a server, and whose turn it is to change a body."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[int, int], Table] = OrderedDict()
        """(instance, version) -> table, the one asked for last at the end."""
        self._turn = threading.Condition()
        self._changing: set[tuple[int, int, int]] = set()

    def of(self, data: Data) -> Table:
        """The table of a version; for worker threads, as it may have to be read."""
        key = data.instance.number, data.version
        while True:
            with self._lock:
                table = self._tables.get(key)
                mine = table is None
                if table is None:
                    table = self._tables[key] = Table(data.view)  # edits from now on reach it
                self._tables.move_to_end(key)
                other = self._relative(key)
            if mine:
                self._read(key, table, data, other)
                return table
            table.ready.wait()
            if table is self._tables.get(key):
                return table

    def _read(self, key: tuple[int, int], table: Table, data: Data, other: Table | None) -> None:
        try:
            table.read(data.view.frozen(), other)
        except BaseException:
            with self._lock:
                self._forget(key, table)
            raise
        finally:
            table.ready.set()
        with self._lock:
            self._make_room(key)

    def _relative(self, key: tuple[int, int]) -> Table | None:
        """Another version of the same instance, that has been read."""
        others = (table for other, table in self._tables.items() if other[0] == key[0] and other != key)
        return next((table for table in others if table.ready.is_set()), None)

    def _make_room(self, asked: tuple[int, int]) -> None:
        while len(self._tables) > TABLES or sum(table.size for table in self._tables.values()) > BYTES:
            oldest = next((key for key in self._tables if key != asked), None)
            if oldest is None:
                return
            del self._tables[oldest]

    def _forget(self, key: tuple[int, int], table: Table) -> None:
        if self._tables.get(key) is table:
            del self._tables[key]

    def edited(self, data: Data, changes: Changes, mutation: int) -> None:
        """Let tables know of an edit; those of descendants, which an admin's edit of a locked version reaches, go."""
        with self._lock:
            own = self._tables.get((data.instance.number, data.version))
            for key, table in list(self._tables.items()):
                if key[0] == data.instance.number and table is not own and data.version in table.members:
                    self._forget(key, table)
        if own is not None:
            try:
                own.apply(changes, mutation)
            except BaseException:  # it may be half entered: the store has it whole
                with self._lock:
                    self._forget((data.instance.number, data.version), own)
                raise

    @contextmanager
    def turn(self, data: Data, bodies: Collection[int]) -> Iterator[None]:
        """Nobody else changes these bodies in this version inside."""
        mine = {(data.instance.number, data.version, body) for body in bodies}
        with self._turn:
            self._turn.wait_for(lambda: self._changing.isdisjoint(mine))
            self._changing |= mine
        try:
            yield
        finally:
            with self._turn:
                self._changing -= mine
                self._turn.notify_all()


_TABLES: WeakKeyDictionary[Datastore, Tables] = WeakKeyDictionary()
_MAKING = threading.Lock()


def tables_of(datastore: Datastore) -> Tables:
    """The tables of a server."""
    with _MAKING:
        return _TABLES.setdefault(datastore, Tables())
