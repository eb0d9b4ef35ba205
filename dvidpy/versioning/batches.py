"""What a group of edits writes together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dvidpy.storage.keys import CELL, KINDS, LARGE, PAST, VALUE, cell
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning.large import Manifest, decode_manifest

if TYPE_CHECKING:
    from dvidpy.versioning.commits import Change

Freed = Callable[["Change", Manifest], None]
"""Told of a large value that an edit deletes."""

MANY = 32
"""Cells from which on it is worth to look whether anything is stored between them."""
_ENDS = [bytes((kind,)) for kind in KINDS]
"""Last bytes of cells."""


class Batch:
    """Puts and deletes of a group of edits; the last word on a key wins."""

    def __init__(self, store: KeyValueStore, freed: Freed) -> None:
        self._store, self._freed = store, freed
        self.operations: dict[bytes, bytes | None] = {}

    def add(self, change: Change) -> None:
        """Add an edit. A cell replaces cells of other kinds in the same row and version."""
        operations = self.operations
        beginning, new = cell(change.version)[: CELL - 1], self._is_new(change)
        for row, kind, stored in change.cells:
            head, plain = row + beginning, new or row in change.plain
            for other, end in enumerate(_ENDS):
                if (other != kind or other == LARGE) and not (
                    plain and other != VALUE and head + end not in operations
                ):
                    self._clear(change, head + end, other)
            operations[head + _ENDS[kind]] = stored
        operations.update(change.puts)
        operations.update(dict.fromkeys(change.deletes))
        change.given()

    def _is_new(self, change: Change) -> bool:
        """Nothing at all is stored where an edit of many cells goes, from its first row to its last: one look tells."""
        if len(change.cells) < MANY:
            return False
        rows = [row for row, _, _ in change.cells]
        return not any(True for _ in self._store.scan_keys(min(rows), max(rows) + PAST, 1))

    def _clear(self, change: Change, key: bytes, kind: int) -> None:
        """Remove a cell if it is there, the parts of a large value with it."""
        operations = self.operations
        there = operations[key] if key in operations else (None if kind == VALUE else self._store.get(key))
        if kind == LARGE and there is not None:
            manifest = decode_manifest(there)
            operations.update(dict.fromkeys(manifest.keys(change.instance)))
            self._freed(change, manifest)
        if there is not None or kind == VALUE:
            operations[key] = None

    def write(self, *, sync: bool) -> None:
        """Everything at once."""
        deletes = [key for key, value in self.operations.items() if value is None]
        self._store.batch(_taken(self.operations), deletes, sync=sync)


def _taken(values: dict[bytes, bytes | None]) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each put, taken out: of a large edit, what the store has copied is not held any longer."""
    while values:
        key, value = values.popitem()
        if value is not None:
            yield key, value
