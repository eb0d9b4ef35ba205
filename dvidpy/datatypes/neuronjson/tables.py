"""The versions of annotations that are in memory: which, how many, and who tells them of edits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.neuronjson.table import Changes, Table
from dvidpy.versioning.datastore import Datastore

TABLES = 8
"""Versions that are kept in memory."""
QUIET_S = 2.0
"""After so long without edits a version that is not in memory is read."""
BYTES = 1 << 30
"""Bytes that they may hold together; the one asked for is always kept."""


class Tables:
    """The tables of a server, and whose turn it is to change a body."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[int, int], Table] = OrderedDict()
        """(instance, version) -> table, the one asked for last at the end."""
        self._edited: dict[tuple[int, int], float] = {}
        """When versions that are not in memory were last edited."""
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

    def prepare(self, data: Data) -> None:
        """Have the table of a version read before it is asked for; that of a new version begins as its parent's."""
        parent, table = self._parent(data), Table(data.view)
        with self._lock:
            key = data.instance.number, data.version
            if key in self._tables:
                return
            if parent is not None:
                self._tables[key] = table  # edits from now on reach it
        if parent is None:
            data.datastore.aside.ask(lambda: self._make_ready(data))
        elif not data.datastore.aside.ask(lambda: self._begin_as(key, table, parent)):
            self._begin_as(key, table, parent)

    def _parent(self, data: Data) -> Table | None:
        """The table of the only parent of a version, where it has been read."""
        if len(data.node.parents) != 1 or not data.instance.versioned:
            return None
        with self._lock:
            table = self._tables.get((data.instance.number, data.node.parents[0]))
            return table if table is not None and table.ready.is_set() else None

    def _make_ready(self, data: Data) -> None:
        if len(self._tables) < TABLES and self._bytes() < BYTES // 2:
            self.of(data)

    def _begin_as(self, key: tuple[int, int], table: Table, parent: Table) -> None:
        self._fill(key, table, lambda: table.begin_as(parent))

    def _bytes(self) -> int:
        return sum(table.size for table in list(self._tables.values()))

    def at_hand(self, data: Data) -> Table | None:
        """The table of a version, where it has been read; None at the moment it could not tell what is newest."""
        with self._lock:
            table = self._tables.get((data.instance.number, data.version))
            return table if table is not None and table.ready.is_set() else None

    def _read(self, key: tuple[int, int], table: Table, data: Data, other: Table | None) -> None:
        going = data.datastore.aside.demand_open
        self._fill(key, table, lambda: table.read(data.view.frozen(), other, going))

    def _fill(self, key: tuple[int, int], table: Table, fill: Callable[[], None]) -> None:
        try:
            fill()
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
        while len(self._tables) > TABLES or self._bytes() > BYTES:
            oldest = next((key for key in self._tables if key != asked), None)
            if oldest is None:
                return
            del self._tables[oldest]

    def _forget(self, key: tuple[int, int], table: Table) -> None:
        if self._tables.get(key) is table:
            del self._tables[key]

    def edited(self, data: Data, changes: Changes, mutation: int, *, wait: bool = True) -> bool:
        """Let tables know of an edit; those of descendants, which an admin's edit of a locked version reaches, go.

        False where they would have to be waited for, and are not to be: nobody knows of the edit yet.
        """
        with self._lock:
            own = self._tables.get((data.instance.number, data.version))
            for key, table in list(self._tables.items()):
                if key[0] == data.instance.number and table is not own and data.version in table.members:
                    self._forget(key, table)
        if own is None:
            self._note(data)
            return True
        return self._enter(data, own, changes, mutation, wait=wait)

    def _enter(self, data: Data, own: Table, changes: Changes, mutation: int, *, wait: bool) -> bool:
        whole = False
        try:
            entered = own.apply(changes, mutation, wait=wait)
            whole = True
            return entered
        finally:
            if not whole or own.outgrown:  # it may be half entered: the store has it whole
                with self._lock:
                    self._forget((data.instance.number, data.version), own)

    def _note(self, data: Data) -> None:
        """Read a version when it is edited no more: it will be asked for."""
        key = data.instance.number, data.version
        known = key in self._edited
        self._edited[key] = time.monotonic()
        if not known:
            data.datastore.aside.ask(lambda: self._read_when_quiet(data), QUIET_S)

    def _read_when_quiet(self, data: Data) -> None:
        key = data.instance.number, data.version
        rest = QUIET_S - (time.monotonic() - self._edited[key])
        if rest > 0:
            data.datastore.aside.ask(lambda: self._read_when_quiet(data), rest)
            return
        del self._edited[key]
        self._make_ready(data)

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
            self._leave(mine)

    @contextmanager
    def turn_if_free(self, data: Data, body: int) -> Iterator[bool]:
        """The same of one body, for the event loop: whether nobody changes it now."""
        mine = data.instance.number, data.version, body
        with self._turn:
            free = mine not in self._changing
            self._changing |= {mine} if free else set()
        try:
            yield free
        finally:
            if free:
                self._leave({mine})

    def _leave(self, mine: set[tuple[int, int, int]]) -> None:
        with self._turn:
            self._changing -= mine
            self._turn.notify_all()


_TABLES: WeakKeyDictionary[Datastore, Tables] = WeakKeyDictionary()
_MAKING = threading.Lock()


def tables_of(datastore: Datastore) -> Tables:
    """The tables of a server."""
    with _MAKING:
        return _TABLES.setdefault(datastore, Tables())
