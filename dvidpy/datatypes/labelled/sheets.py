"""Sheets of indices in the store. Each is two rows, which are never written again; see `labels.sheets`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dvidpy.datatypes.labelled.keys import ENTRIES, SIZES, sheet_key, sheet_prefix
from dvidpy.datatypes.labels.index import Entries
from dvidpy.datatypes.labels.sheets import (
    Sheets,
    Sizes,
    decode_entries,
    decode_sizes,
    encode_entries,
    encode_sizes,
    names_of,
)
from dvidpy.errors import StoreError
from dvidpy.storage.keys import VALUE, after, cell
from dvidpy.versioning.commits import Change
from dvidpy.versioning.found import Found
from dvidpy.versioning.store import View


class StoredSheets:
    """Sheets as a view sees them, which must not change meanwhile: an edit may have taken some away."""

    def __init__(self, view: View) -> None:
        self._view = view

    def entries(self, sheets: Sheets) -> list[Entries]:
        """What stands on each; StoreError where one is missing."""
        return [decode_entries(stored) for stored in self._read(sheets, ENTRIES)]

    def sizes(self, sheets: Sheets) -> list[Sizes]:
        """Supervoxels of each and their voxels; StoreError where one is missing."""
        return [decode_sizes(stored) for stored in self._read(sheets, SIZES)]

    def _read(self, sheets: Sheets, kind: int) -> Iterator[bytes]:
        for found in self._view.read_many(_keys(sheets, kind)):
            if found is None:
                raise StoreError("a sheet of an index is missing")
            yield found.read() if isinstance(found, Found) else found


def put_sheet(view: View, change: Change, mutation: int, number: int, entries: Entries) -> None:
    """Add a new sheet to an edit."""
    view.put_new(change, sheet_key(mutation, number, SIZES), encode_sizes(entries))
    view.put_new(change, sheet_key(mutation, number, ENTRIES), encode_entries(entries))


def drop_sheets(view: View, change: Change, sheets: Sheets) -> None:
    """Take sheets away that nobody names any more, as far as this very version has written them."""
    end = cell(view.ancestry.version, VALUE)
    change.deletes += [view.prefix + key + end for kind in (SIZES, ENTRIES) for key in _keys(sheets, kind)]


def count_sheets(view: View, mutation: int) -> int:
    """Sheets that a mutation has written so far; their numbers are below."""
    prefix = sheet_prefix(mutation)
    return sum(1 for _ in view.keys(prefix, after(prefix))) // 2


def _keys(sheets: Sheets, kind: int) -> Iterable[bytes]:
    return [sheet_key(mutation, number, kind) for mutation, number in names_of(sheets)]
