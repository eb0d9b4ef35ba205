"""Annotations of a version in memory, for queries: derived from the store, dropped and made again at will.

A table is read from the store when a version is first queried, or before (`tables`). Edits commit first, then enter
the table; a reader sees each of them wholly or not at all. Several versions share the bytes of the annotations they
have in common.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dvidpy.datatypes.neuronjson.columns import Columns, Rows
from dvidpy.datatypes.neuronjson.conditions import Condition, Query, Values
from dvidpy.datatypes.neuronjson.keys import ALL, LARGEST, body_of
from dvidpy.datatypes.neuronjson.records import TIME, as_list, more_than_ids, plain_part
from dvidpy.errors import BadRequest
from dvidpy.kernels.json_members import make_ready
from dvidpy.storage import codecs
from dvidpy.versioning.found import Found
from dvidpy.versioning.store import View

FIELDS = 64
"""Fields of a query."""
QUERIES = 1000
"""Members of a list of queries."""
PATIENCE_S = 5.0
"""Seconds that a query may take."""

QUICK, QUICK_QUERIES = 1 << 16, 4
"""Annotations that are looked at in the event loop, and queries."""
KEPT = 16 << 20
"""Packed bytes of annotations whose text is kept as it was answered."""
LOOKS, TOGETHER = 64, 4096
"""Annotations that are read, and entered, between two looks at whether to go on."""

Changes = Mapping[int, bytes | None]
"""Body -> its annotation, packed as in the store; None for a deleted one."""


class Matches(NamedTuple):
    """Annotations that were found."""

    bodies: list[int]
    packed: list[bytes]


def packed_of(found: Found) -> bytes:
    """An annotation as a table keeps it: large ones in one piece."""
    return found.stored if found.manifest is None else bytes(1) + found.read()


class Table:
    """The annotations of one version."""

    def __init__(self, view: View) -> None:
        self.version = view.ancestry.version
        self.members = view.ancestry.members
        self.mutation = 0
        """The last mutation it reflects; 0 where it is as it was read."""
        self.ready = threading.Event()
        self._lock = threading.Lock()
        self._early: list[tuple[Changes, int]] | None = []
        """Edits that came while it was read."""
        self._row_of: dict[int, int] = {}
        self._bodies: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._packed: list[bytes | None] = []
        self._columns = Columns()
        self._bytes = 0
        """Of packed annotations."""
        self._edits = 0
        self._whole = b""
        """The answer of `whole` after as many edits, where it is kept."""

    @property
    def size(self) -> int:
        """Bytes of memory, nearly."""
        return self._bytes + self._columns.nbytes + len(self._whole)

    @property
    def outgrown(self) -> bool:
        """Edits left so much behind that it should be read anew."""
        return self._columns.outgrown

    # ------------------------------------------------------------------ filling
    def read(self, view: View, other: Table | None, going: Callable[[], None]) -> None:
        """All annotations of a frozen view; what another table has too is taken from it. `going` may stop it."""
        if other is not None:
            self._copy(other)
        self._complete(self._differing(view, going), going)

    def begin_as(self, parent: Table) -> None:
        """What a parent has, whose child was made after this table."""
        self._copy(parent)
        self._complete({}, lambda: None)

    def _copy(self, other: Table) -> None:
        with other._lock:
            self._row_of, self._bodies = other._row_of.copy(), other._bodies.copy()
            self._packed, self._bytes = other._packed.copy(), other._bytes
            self._columns = other._columns.copy()

    def _differing(self, view: View, going: Callable[[], None]) -> dict[int, bytes | None]:
        """What a view has otherwise."""
        gone = dict.fromkeys(body for body, row in self._row_of.items() if self._packed[row] is not None)
        changes: dict[int, bytes | None] = {}
        for key, found in view.range(*ALL):
            body, own = body_of(key), packed_of(found)
            gone.pop(body, None)
            if self.packed_of(body) != own:
                changes[body] = own
            if not body % LOOKS:
                going()
        return changes | gone

    def _complete(self, changes: Changes, going: Callable[[], None]) -> None:
        """Enter what is missing, and what came meanwhile. Nobody reads it yet; edits are not held up."""
        missing = list(changes.items())
        for first in range(0, len(missing), TOGETHER):
            going()
            self._apply(dict(missing[first : first + TOGETHER]), 0)
        self._columns.begin()
        make_ready()
        with self._lock:
            early, self._early = self._early or [], None
            for some, mutation in early:
                self._apply(some, mutation)
        self.ready.set()

    def packed_of(self, body: int) -> bytes | None:
        """The annotation of a body."""
        row = self._row_of.get(body)
        return None if row is None else self._packed[row]

    def apply(self, changes: Changes, mutation: int, *, wait: bool = True) -> bool:
        """Enter an edit that is in the store; whether it was. Without `wait` it is not while somebody looks through."""
        if not self._lock.acquire(blocking=wait):
            return False
        try:
            if self._early is not None:
                self._early.append((changes, mutation))
            else:
                self._apply(changes, mutation)
        finally:
            self._lock.release()
        return True

    def _apply(self, changes: Changes, mutation: int) -> None:
        rows = sorted((self._row(body), packed) for body, packed in changes.items())
        self._columns.edit(_unpacked((row, self._packed[row]) for row, _ in rows), _unpacked(rows))
        for row, packed in rows:
            self._bytes += len(packed or b"") - len(self._packed[row] or b"")
            self._packed[row] = packed
        self.mutation = max(self.mutation, mutation)
        self._edits, self._whole = self._edits + 1, b""

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
    def select(self, queries: Collection[Query]) -> Matches:
        """Annotations that meet one of the queries, by body."""
        with self._lock:
            at = self._meeting_any(queries)
            return Matches(self._bodies[at].tolist(), self._packed_at(at))

    def select_soon(self, queries: Collection[Query]) -> Matches | None:
        """The same, where few are to be looked at, no pattern is tried, and no edit is being entered; else None."""
        quick = len(self._packed) <= QUICK and len(queries) <= QUICK_QUERIES
        conditions = (condition for query in queries for condition in query.values())
        if not quick or any(isinstance(one, Values) and one.patterns for one in conditions):
            return None
        if not self._lock.acquire(blocking=False):
            return None
        try:
            at = self._meeting_any(queries)
            return Matches(self._bodies[at].tolist(), self._packed_at(at))
        finally:
            self._lock.release()

    def look_up(self, bodies: Collection[int]) -> list[bytes | None] | None:
        """Annotations in that order, packed; None while an edit is being entered."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            rows = map(self._row_of.get, bodies)
            return [None if row is None else self._packed[row] for row in rows]
        finally:
            self._lock.release()

    def _packed_at(self, rows: npt.NDArray[np.int64]) -> list[bytes]:
        """Annotations of rows that were not deleted."""
        return [packed for packed in map(self._packed.__getitem__, rows.tolist()) if packed is not None]

    def bodies_of(self, queries: Collection[Query]) -> list[int]:
        """Their bodies alone."""
        with self._lock:
            found: list[int] = self._bodies[self._meeting_any(queries)].tolist()
            return found

    def _meeting_any(self, queries: Collection[Query]) -> npt.NDArray[np.int64]:
        """Rows of annotations, by body."""
        names = {name for query in queries for name in query if name != "bodyid"}
        if len(queries) > QUERIES or len(names) > FIELDS:
            raise BadRequest(f"a query may have {QUERIES} members and ask for {FIELDS} fields")
        rows, until = len(self._packed), time.monotonic() + PATIENCE_S
        found = np.zeros(rows, np.bool_)
        for query in queries:
            meets = self._there()
            for name, condition in query.items():
                if time.monotonic() > until:
                    raise BadRequest("the query takes too long")
                if name == "bodyid":
                    meets &= self._bodies_meeting(condition, rows)
                else:
                    meets &= self._columns.matching(name, condition, rows, until)
            found |= meets
        return self._by_body(found)

    def _there(self) -> Rows:
        """Rows that were not deleted."""
        return self._columns.there(len(self._packed))

    def _by_body(self, rows: Rows) -> npt.NDArray[np.int64]:
        at = np.flatnonzero(rows)
        return at[np.argsort(self._bodies[at], kind="stable")]

    def _bodies_meeting(self, condition: Condition, rows: int) -> Rows:
        """Every annotation has a body id, which is a number."""
        if not isinstance(condition, Values):
            return np.full(rows, condition.there)
        found = np.zeros(rows, np.bool_)
        asked = (self._row_of.get(body) for body in condition.numbers if 0 <= body <= LARGEST)
        found[[row for row in asked if row is not None]] = True
        return found

    def bodies(self) -> npt.NDArray[np.uint64]:
        """All bodies, ascending."""
        with self._lock:
            return np.sort(self._bodies[: len(self._packed)][self._there()])

    def whole(self) -> Iterator[bytes]:
        """JSON list of all annotations with more than an id, without who and when, by body; a short one is kept."""
        with self._lock:
            if self._whole:
                return iter((self._whole,))
            edits, short = self._edits, self._bytes <= KEPT
            packed = self._packed_at(self._by_body(self._there()))
        texts = as_list(more_than_ids(plain_part(codecs.decode(one)) for one in packed))
        return iter((self._keep(b"".join(texts), edits),)) if short else texts

    def _keep(self, text: bytes, edits: int) -> bytes:
        with self._lock:
            if self._edits == edits:
                self._whole = text
        return text

    def picked(self, names: Collection[str]) -> list[bytes]:
        """JSON of all annotations, by body, of some fields alone, in the order of their bytes."""
        with self._lock:
            return self._columns.objects(sorted(names, key=str.encode), self._by_body(self._there()), len(self._packed))

    def counts(self) -> dict[str, int]:
        """Field -> how many annotations have it."""
        with self._lock:
            return self._columns.counts()

    def times(self) -> dict[str, str]:
        """Field -> when it was last written."""
        with self._lock:
            latest = self._columns.latest(TIME)
        return {name.removesuffix(TIME): when for name, when in latest.items()}


def _unpacked(rows: Iterable[tuple[int, bytes | None]]) -> Iterator[tuple[int, bytes]]:
    """Stored forms of packed annotations, by row."""
    return ((row, codecs.decode(packed)) for row, packed in rows if packed is not None)
