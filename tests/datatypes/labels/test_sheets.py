"""Indices with sheets against plain ones: whatever is asked or done, both say the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.labels import index as indices
from dvidpy.datatypes.labels import sheets
from dvidpy.datatypes.labels.index import NO_ENTRIES, Entries, LabelIndex, added, entries_of, joined
from dvidpy.datatypes.labels.sheets import (
    Sheeted,
    Sheets,
    Sizes,
    decode,
    decode_entries,
    decode_sizes,
    encode_entries,
    encode_sizes,
    named,
    names_of,
)
from dvidpy.errors import BadRequest, StoreError
from dvidpy.kernels.label_blocks import Labels

FULL = 3
BLOCK = st.tuples(*[st.integers(-2, 2)] * 3)
ROWS = st.lists(st.tuples(BLOCK, st.integers(1, 6), st.integers(1, 50)), max_size=30)
CHANGES = st.lists(st.tuples(BLOCK, st.integers(1, 6), st.integers(-60, 60)), max_size=8)
WANTED = st.sets(st.integers(1, 6))
Listed = list[tuple[tuple[int, int, int], int, int]]
"""Block, supervoxel, voxels."""


class Written:
    """Sheets in memory, as they would be stored; counts those that are read as a whole."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self.reads = 0

    def entries(self, wanted: Sheets) -> list[Entries]:
        self.reads += len(wanted)
        return [decode_entries(self.rows[name][0]) for name in names_of(wanted)]

    def sizes(self, wanted: Sheets) -> list[Sizes]:
        return [decode_sizes(self.rows[name][1]) for name in names_of(wanted)]

    def keep(self, body: Sheeted) -> Sheeted:
        """As it is after it was stored and read again."""
        body, parts = body.cut()
        for part in parts:
            assert part.blocks.size == sheets.FULL
            self.rows[7, len(self.rows)] = encode_entries(part), encode_sizes(part)
        first = len(self.rows) - len(parts)
        rows = [named(7, first + at, part) for at, part in enumerate(parts)]
        return decode(body._replace(sheets=np.concatenate([body.sheets, *rows])).encode(), self)


@pytest.fixture(autouse=True, scope="module")
def small() -> object:
    """Sheets of three entries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "FULL", FULL)
        yield


def _columns(listed: Listed) -> Entries:
    return entries_of(*zip(*listed, strict=True)).netted() if listed else NO_ENTRIES


def _index(listed: Listed, label: int = 9) -> LabelIndex:
    return LabelIndex(label, _columns(listed), 5, "2026-01-02T03:04:05+00:00", "ana", "app")


def _equal(one: LabelIndex, other: LabelIndex) -> None:
    assert one.encode() == other.encode()


def _labels(wanted: set[int]) -> Labels:
    return np.array(sorted(wanted), np.uint64)


@given(ROWS, WANTED)
def test_what_is_asked(listed: Listed, wanted: set[int]) -> None:
    index = _index(listed)
    body = Written().keep(Sheeted(index))
    assert body.loose.entries.blocks.size <= FULL
    assert body.sheets.size == (index.entries.blocks.size // FULL if index.entries.blocks.size > FULL else 0)
    assert (body.voxels, body.is_empty) == (index.voxels, index.is_empty)
    assert [column.tolist() for column in body.sizes()] == [column.tolist() for column in index.sizes()]
    _equal(body.whole(), index)
    _equal(body.only(_labels(wanted)), index.only(_labels(wanted)))


@given(ROWS, ROWS, WANTED)
def test_bodies_are_merged_and_parted(one: Listed, other: Listed, wanted: set[int]) -> None:
    written = Written()
    other = [(place, label + 10, voxels) for place, label, voxels in other]
    parts = [_index(one), _index(other, label=4)]
    body = written.keep(written.keep(Sheeted(parts[0])).merged([written.keep(Sheeted(parts[1]))]))
    whole = indices.merged(parts[0], parts[1:])
    _equal(body.whole(), whole)
    supervoxels = _labels(wanted | {label + 10 for label in wanted})
    for found, expected in zip(body.parted(supervoxels), indices.parted(whole, supervoxels), strict=True):
        _equal(written.keep(found).whole(), expected)


@given(ROWS, CHANGES)
def test_voxels_come_and_go(listed: Listed, changes: Listed) -> None:
    written, change = Written(), _columns(changes)
    body = written.keep(Sheeted(_index(listed)))
    sums = joined([_columns(listed), change]).netted()
    expected = _index(listed)._replace(entries=sums.where(sums.voxels > 0))
    _equal(written.keep(body.changed(change)).whole(), expected)


def test_only_sheets_that_are_concerned_are_read() -> None:
    """A hundred blocks in a row, of a supervoxel each."""
    written = Written()
    listed: Listed = [((0, 0, x), x + 1, 10) for x in range(100)]
    body = written.keep(Sheeted(_index(listed)))
    assert (body.sheets.size, body.voxels, body.sizes()[0].size, written.reads) == (33, 1000, 100, 0)
    body.merged([written.keep(Sheeted(_index([((0, 0, 0), 500, 10)])))])
    assert written.reads == 0
    moved, left = body.parted(np.array([1, 2, 3, 4], np.uint64))
    assert (moved.sheets.size, left.sheets.size, written.reads) == (1, 31, 1)
    assert body.changed(entries_of([(0, 0, 50)], [51], [-10])).sheets.size == 32
    assert written.reads == 2


def test_what_is_no_head() -> None:
    whole = Written().keep(Sheeted(_index([((0, 0, x), 1, 10) for x in range(9)]))).encode()
    with pytest.raises(StoreError, match="head"):
        decode(whole[:3], Written())
    with pytest.raises(StoreError, match="head"):
        decode(whole[:20], Written())
    with pytest.raises(BadRequest):
        decode(whole[:-1], Written())
    with pytest.raises(StoreError, match="entries"):
        decode_entries(bytes(21))
    with pytest.raises(StoreError, match="sizes"):
        decode_sizes(bytes(17))


def test_as_many_as_fit_are_no_sheet() -> None:
    index = added(LabelIndex(1), entries_of([(0, 0, x) for x in range(FULL)], [1] * FULL, [1] * FULL))
    assert Sheeted(index).encode() == index.encode()
    assert not Written().keep(Sheeted(index)).sheets.size
