"""Which of the stored values a version sees."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain as joined
from typing import Any

import pytest
from versioning.edits import FIRST, LAST, Chain, contents, delete, name_of, names, put, typekey

from dvidpy.storage.codecs import NONE, Codec
from dvidpy.storage.keys import END, LARGE, TOMBSTONE, VALUE, after, cell, instance_prefix, split_cell, unescape
from dvidpy.storage.kv import KeyValueStore, Reader
from dvidpy.storage.memory import MemoryStore
from dvidpy.versioning.ancestry import Ancestries
from dvidpy.versioning.batches import MANY
from dvidpy.versioning.commits import Committer
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.found import Found
from dvidpy.versioning.large import PART
from dvidpy.versioning.records import Node
from dvidpy.versioning.store import GATHERED, VersionedStore, View
from dvidpy.versioning.visibility import CHUNK, FEW, FIRST_CHUNK

both_engines = pytest.mark.parametrize("engine", ["leveldb", "memory"], indirect=True)
BIG = bytes(range(256)) * (PART // 256) + b"more"


@pytest.fixture
def chain(datastore: Datastore) -> Chain:
    return Chain(datastore)


def _agree(view: View, expected: dict[str, bytes], *absent: str) -> None:
    """All ways of reading tell the same."""
    assert contents(view) == expected
    assert names(view) == sorted(expected)
    texts = joined.from_iterable(view.texts(FIRST, FIRST, LAST))
    assert [unescape(text + END).decode() for text in texts] == sorted(expected)
    several = [
        (some.keys, bytes(some.between([b"|"] * (len(some.keys) + 1))), some.last)
        for some in view.together([(FIRST, typekey("b")), (typekey("b"), LAST)])
    ]
    assert [name_of(key) for keys, _, _ in several for key in keys] == sorted(expected)
    assert [last for _, _, last in several] == [False] * (len(several) - 1) + [True]
    whole = b"".join(b"|" + expected[name] for name in sorted(expected)) + b"|" * len(several)
    assert b"".join(text for _, text, _ in several).replace(b"||", b"|") == whole.replace(b"||", b"|")
    asked = [*expected, *absent, *expected]
    found = view.find_many(map(typekey, asked))
    assert [None if one is None else one.read() for one in found] == [expected.get(name) for name in asked]
    read = view.read_many(map(typekey, asked))
    assert [one.read() if isinstance(one, Found) else one for one in read] == [expected.get(name) for name in asked]
    for name in (*expected, *absent):
        assert view.get(typekey(name)) == expected.get(name)
        assert view.exists(typekey(name)) == (name in expected)


def test_values_of_this_very_version_are_known_at_once(chain: Chain) -> None:
    put(chain.view(), "a", b"1")
    put(chain.view(), "big", BIG)
    chain.commit()
    view = chain.view()
    put(view, "b", b"2")
    put(view, "c", b"3")
    found = view.frozen().own_values([typekey("c"), typekey("b")])
    assert found is not None
    assert [one.read() for one in found] == [b"3", b"2"]
    assert view.own_values([]) == []
    delete(view, "c")
    for name in ("a", "c", "big", "none"):
        assert view.own_values([typekey("b"), typekey(name)]) is None


@both_engines
@pytest.mark.parametrize("before", ["nothing", "large", "deleted", "large in the same edit"])
def test_many_cells_replace_what_stands_between_them(chain: Chain, before: str) -> None:
    view = chain.view()
    if before == "large":
        put(view, "k20", BIG)
    if before == "deleted":
        delete(view, "k20")
    change = view.change()
    if before == "large in the same edit":
        view.put(change, typekey("k20"), BIG)
    for number in range(MANY + 5):
        view.put(change, typekey(f"k{number:02d}"), b"%d" % number)
    view.commit(change)
    stored = list(view.of.store.scan_keys(view.prefix, after(view.prefix)))
    assert stored == [view.prefix + typekey(f"k{number:02d}") + view._cell for number in range(MANY + 5)]
    assert contents(view) == {f"k{number:02d}": b"%d" % number for number in range(MANY + 5)}


# ---------------------------------------------------------------------- one line of versions
@both_engines
def test_a_child_sees_what_its_parents_left(chain: Chain) -> None:
    put(chain.view(), "a", b"1")
    put(chain.view(), "b", b"1")
    root = chain.commit()
    put(chain.view(), "a", b"2")
    delete(chain.view(), "b")
    put(chain.view(), "c", b"")
    middle = chain.commit()
    put(chain.view(), "b", b"3")
    _agree(chain.view(root), {"a": b"1", "b": b"1"}, "c")
    _agree(chain.view(middle), {"a": b"2", "c": b""}, "b")
    _agree(chain.view(), {"a": b"2", "b": b"3", "c": b""}, "d")
    found = [chain.view().version_of(typekey(name)) for name in "abd"]
    assert found == [middle.version, chain.view().ancestry.version, None]
    assert chain.view(middle).version_of(typekey("b")) == middle.version  # it deleted it
    assert chain.view(root).version_of(typekey("c")) is None


@both_engines
def test_values_come_together_up_to_some_megabyte(chain: Chain) -> None:
    view = chain.view()
    for number in range(40):
        put(view, f"{number:02d}", bytes([number]) * (number << 12))
    several = [*view.together([(FIRST, LAST)])]
    assert len(several) == 1  # packed they have hardly any bytes
    assert [len(some.only([]).keys) for some in several] == [0]
    some = several[0].only(number % 3 == 1 for number in range(40))
    wanted = b"".join(bytes([number]) * (number << 12) for number in range(1, 40, 3))
    assert some.between([b""] * (len(some.keys) + 1)) == wanted
    assert some.last


@both_engines
def test_kinds_replace_one_another_within_a_version(chain: Chain) -> None:
    view = chain.view()
    for value in (b"small", BIG, None, BIG, b"", BIG + b"1", None, b"last"):
        if value is None:
            delete(view, "a")
        else:
            put(view, "a", value)
        _agree(view, {} if value is None else {"a": value}, "a")


@both_engines
@pytest.mark.parametrize("values", [(b"2", None), (None, b"2"), (BIG, None, b"2"), (b"2", BIG), (None, BIG)])
def test_kinds_replace_one_another_in_a_row_known_to_be_plain(chain: Chain, values: tuple[bytes | None, ...]) -> None:
    view = chain.view()
    put(view, "a", b"1")
    (found,) = view.find_many([typekey("a")])
    assert found is not None
    assert found.own
    change = view.change()
    change.plain.add(view.prefix + typekey("a"))
    for value in values:
        if value is None:
            view.delete(change, typekey("a"))
        else:
            view.put(change, typekey("a"), value)
    view.commit(change)
    last = values[-1]
    _agree(view, {} if last is None else {"a": last}, "a")
    assert [len(cells) for _, cells in view.of.rows()] == [1]
    chain.commit()
    (found,) = chain.view().find_many([typekey("a")])
    assert found is None or not found.own


def test_keys_of_any_text_are_apart(chain: Chain) -> None:
    odd = ["a", "a\x00", "a\x00b", "a\x00\x01", "\x00", "\x01", "ab", "ü", "a\x7f", "\U0010ffff"]
    for name in odd:
        put(chain.view(), name, name.encode())
    assert contents(chain.view()) == {name: name.encode() for name in odd}
    assert names(chain.view()) == sorted(odd)
    delete(chain.view(), "a")
    _agree(chain.view(), {name: name.encode() for name in odd[1:]}, "a")


def test_instances_are_apart(datastore: Datastore) -> None:
    one, other = Chain(datastore), Chain(datastore)
    put(one.view(), "a", b"one")
    put(other.view(), "a", b"other")
    _agree(one.view(), {"a": b"one"})
    _agree(other.view(), {"a": b"other"})


# ---------------------------------------------------------------------- branches
@both_engines
def test_branches_do_not_see_one_another(chain: Chain) -> None:
    put(chain.view(), "a", b"root")
    put(chain.view(), "gone", b"root")
    root = chain.commit()
    side = chain.branch(root, "side")
    put(chain.view(), "a", b"main")
    put(chain.view(side), "b", b"side")
    delete(chain.view(side), "gone")
    _agree(chain.view(root), {"a": b"root", "gone": b"root"})
    _agree(chain.view(), {"a": b"main", "gone": b"root"}, "b")
    _agree(chain.view(side), {"a": b"root", "b": b"side"}, "gone")


@both_engines
def test_rank_among_ancestors_counts_and_not_the_number_of_a_version(chain: Chain) -> None:
    """A branch made late from an old version stays old, though its numbers are the largest."""
    put(chain.view(), "a", b"oldest")
    oldest = chain.commit()
    for turn in range(3 * FEW):
        put(chain.view(), "a", b"%d" % turn)
        put(chain.view(), f"new-{turn:02d}", b"")
        chain.commit()
    late = chain.branch(oldest, "late")
    _agree(chain.view(late), {"a": b"oldest"}, "new-00")
    put(chain.view(late), "b", b"late")
    _agree(chain.view(late), {"a": b"oldest", "b": b"late"})
    assert chain.view().get(typekey("a")) == b"%d" % (3 * FEW - 1)
    assert not chain.view().exists(typekey("b"))


# ---------------------------------------------------------------------- merges
class Merge:
    """Two branches, and an open version below both."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        view = chain.view()
        for name in ("kept", "one", "both", "same", "gone", "lost"):
            put(view, name, b"root")
        root = chain.commit()
        self.left, self.right = chain.node, chain.branch(root, "right")
        self._edit(self.left, {"one": b"left", "both": b"left", "same": b"same", "gone": None, "lost": None})
        self._edit(self.right, {"both": b"right", "same": b"same", "lost": b"right", "new": b"right"})
        for node in (self.left, self.right):
            chain.datastore.repos.commit(node)
        self.node: Node = chain.datastore.repos.merge([self.left, self.right])

    def _edit(self, node: Node, values: dict[str, bytes | None]) -> None:
        for name, value in values.items():
            if value is None:
                delete(self.chain.view(node), name)
            else:
                put(self.chain.view(node), name, value)


MERGED = {"kept": b"root", "one": b"left", "lost": b"right", "new": b"right"}
"""`both` and `same` were written by both parents: conflicts. `lost` was deleted by one and written by the other."""


@both_engines
def test_a_merge_sees_what_its_parents_do_not_disagree_on(chain: Chain) -> None:
    merge = Merge(chain)
    _agree(chain.view(merge.node), MERGED, "both", "same", "gone")


@both_engines
def test_a_write_below_a_merge_settles_a_conflict(chain: Chain) -> None:
    merge = Merge(chain)
    put(chain.view(merge.node), "both", b"settled")
    delete(chain.view(merge.node), "kept")
    put(chain.view(merge.node), "same", BIG)
    expected = {name: value for name, value in MERGED.items() if name != "kept"}
    _agree(chain.view(merge.node), expected | {"both": b"settled", "same": BIG}, "kept")
    chain.datastore.repos.commit(merge.node)
    child = chain.datastore.repos.branch(merge.node, "below")
    _agree(chain.view(child), expected | {"both": b"settled", "same": BIG}, "kept", "gone")
    _agree(chain.view(merge.left), {"kept": b"root", "one": b"left", "both": b"left", "same": b"same"}, "new")


def test_a_read_below_a_merge_while_the_value_changes_its_kind(chain: Chain) -> None:
    """Small and large in turn: a reader sees one or the other, never nothing."""
    merge = Merge(chain)
    chain.datastore.repos.commit(merge.node)
    child = chain.datastore.repos.branch(merge.node, "below")
    _demand_always_there(chain.view(child))


def test_a_read_while_the_value_changes_its_kind(chain: Chain) -> None:
    _demand_always_there(chain.view())


def _demand_always_there(view: View) -> None:
    big = bytes(PART + 1)
    put(view, "turning", b"small")
    over = threading.Event()

    def turn() -> None:
        for number in range(60):
            put(view, "turning", big if number % 2 else b"small")
        over.set()

    writer = threading.Thread(target=turn)
    writer.start()
    seen: set[int] = set()
    while not over.is_set():
        seen.add(len(view.get(typekey("turning")) or b""))
        seen.update(len(found.read()) for _, found in view.range(typekey("turning"), LAST))
        seen.add(5 if "turning" in names(view) else 0)
    writer.join()
    assert seen <= {5, PART + 1}


# ---------------------------------------------------------------------- moments
@both_engines
def test_a_range_shows_one_moment(chain: Chain) -> None:
    view = chain.view()
    for number in range(3 * FIRST_CHUNK):
        put(view, f"{number:03d}", b"old")
    walk, keys_walk = view.range(FIRST, LAST), view.keys(FIRST, LAST)
    first, first_key = next(walk), next(keys_walk)
    for number in range(3 * FIRST_CHUNK):
        if number % 3:
            delete(view, f"{number:03d}")
        else:
            put(view, f"{number:03d}", b"new")
    put(view, "~", b"new")
    assert {name_of(key): found.read() for key, found in (first, *walk)} == {
        f"{number:03d}": b"old" for number in range(3 * FIRST_CHUNK)
    }
    assert len([first_key, *keys_walk]) == 3 * FIRST_CHUNK
    assert len(names(view)) == FIRST_CHUNK + 1


@both_engines
def test_a_frozen_view_does_not_change_however_it_is_read(chain: Chain) -> None:
    view = chain.view()
    put(view, "a", BIG)
    put(view, "b", b"old")
    frozen = view.frozen()
    put(view, "a", b"new")
    delete(view, "b")
    put(view, "c", b"new")
    _agree(frozen, {"a": BIG, "b": b"old"}, "c")
    assert frozen.frozen() is frozen
    _agree(view, {"a": b"new", "c": b"new"}, "b")


@both_engines
def test_walks_that_are_left_do_not_hold_the_store(chain: Chain) -> None:
    for number in range(100):
        put(chain.view(), f"{number:03d}", b"v")
    walks: list[Iterator[Any]] = [chain.view().range(FIRST, LAST), chain.view().keys(FIRST, LAST)]
    for walk in walks:
        next(walk)
    chain.datastore.main.store.compact(b"", b"\xff")
    assert len(contents(chain.view())) == 100


# ---------------------------------------------------------------------- the cost of depth
class CountingReader:
    """Counts what is stepped over, where a walk begins, and the bytes of the values that were read."""

    def __init__(self, inner: Any, counts: dict[str, int]) -> None:
        self._inner, self.counts = inner, counts
        self.get_many, self.close = inner.get_many, inner.close
        self.file_part = inner.file_part

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._inner.get(key)
        self.counts["gets"] += 1
        self.counts["bytes"] += len(value or b"")
        return value

    def versions(self, row: bytes) -> list[bytes]:
        return list(self.scan_keys(row, row + b"\xff" * 6))

    def scan(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        self.counts["seeks"] += 1
        for key, value in self._inner.scan(start, stop, limit):
            self.counts["steps"] += 1
            self.counts["bytes"] += len(value)
            yield key, value

    def first_of_each(self, spans: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes] | None]:
        return [next(self.scan(start, stop, 1), None) for start, stop in spans]

    def scan_keys(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[bytes]:
        self.counts["seeks"] += 1
        for key in self._inner.scan_keys(start, stop, limit):
            self.counts["steps"] += 1
            yield key


class CountingStore(CountingReader):
    atomic_batch, multi_process, description = True, False, "counting"

    def __init__(self, inner: KeyValueStore) -> None:
        super().__init__(inner, {"gets": 0, "seeks": 0, "steps": 0, "bytes": 0})
        self.batch, self.delete_range, self.size = inner.batch, inner.delete_range, inner.size
        self.compact, self.size_of, self.damaged = inner.compact, inner.size_of, inner.damaged

    def snapshot(self) -> Any:
        return CountingReader(self._inner.snapshot(), self.counts)

    def reset(self) -> dict[str, int]:
        """The counts so far; from here they begin again."""
        counts = self.counts.copy()
        self.counts.update(dict.fromkeys(self.counts, 0))
        return counts


DEPTH, ROWS, SIZE = 1000, 20, 1000
Parents = dict[int, tuple[int, ...]]
LINE: Parents = {version: (version - 1,) if version > 1 else () for version in range(1, DEPTH + 1)}
FAN: Parents = {version: (1,) if version > 1 else () for version in range(1, DEPTH + 1)}


def _values(parents: Parents, cells: Iterable[tuple[int, int]]) -> tuple[CountingStore, VersionedStore]:
    """ROWS rows, each with these cells."""
    store = CountingStore(MemoryStore())
    committer: Committer = None  # type: ignore[assignment]  # nothing is written through it
    values = VersionedStore(store, 7, Codec(NONE), Ancestries(parents.__getitem__), committer)
    cells = list(cells)
    for number in range(ROWS):
        row = instance_prefix(7) + typekey(f"{number:02d}")
        stored = values.codec.wrap(bytes(SIZE))
        store.batch((row + cell(version, kind), b"" if kind == TOMBSTONE else stored) for version, kind in cells)
    return store, values


@pytest.mark.parametrize("version", [1, 2, DEPTH // 2, DEPTH - 1, DEPTH])
def test_many_values_cost_a_get_or_a_seek_each(version: int) -> None:
    store, values = _values(LINE, [(number, VALUE) for number in range(1, DEPTH + 1) if number % 10 == 1])
    found = values.at(version).find_many(typekey(f"{number:02d}") for number in range(ROWS + 5))
    assert sum(one is not None for one in found) == ROWS
    cost = store.reset()
    assert cost["seeks"] <= ROWS + 5
    assert cost["steps"] <= ROWS + 5


@pytest.mark.parametrize("version", [1, 2, DEPTH // 2, DEPTH - 1, DEPTH])
def test_a_range_over_a_thousand_versions_of_a_key_does_not_read_them_all(version: int) -> None:
    store, values = _values(LINE, [(number, VALUE) for number in range(1, DEPTH + 1)])
    view = values.at(version)
    assert sum(1 for _ in view.range(FIRST, LAST)) == ROWS
    cost = store.reset()
    assert cost["steps"] <= ROWS * (2 * FEW + 2)
    assert cost["seeks"] <= ROWS * 2 + 3
    assert cost["bytes"] <= ROWS * (2 * FEW + 2) * (SIZE + 10)


@pytest.mark.parametrize("version", [1, 2, DEPTH // 2, DEPTH])
def test_keys_over_a_thousand_versions_step_over_few_and_read_no_value(version: int) -> None:
    store, values = _values(LINE, [(number, VALUE) for number in range(1, DEPTH + 1)])
    assert len(list(values.at(version).keys(FIRST, LAST))) == ROWS
    cost = store.reset()
    assert cost["steps"] <= FIRST_CHUNK + ROWS * (2 * FEW + 2) + FIRST_CHUNK
    assert cost["bytes"] == 0


@pytest.mark.parametrize("version", [1, 2, DEPTH // 2, DEPTH])
def test_one_value_among_a_thousand_versions_costs_a_get_or_a_seek(version: int) -> None:
    store, values = _values(LINE, [(number, VALUE) for number in range(1, DEPTH + 1) if number % 10 == 1])
    assert values.at(version).get(typekey("07")) is not None
    cost = store.reset()
    assert cost["gets"] + cost["seeks"] + cost["steps"] <= 3
    assert cost["bytes"] <= SIZE + 10
    assert values.at(version).exists(typekey("07"))
    assert store.reset()["bytes"] == 0


@pytest.mark.parametrize("version", [2, DEPTH // 2, DEPTH])
def test_values_of_a_thousand_sisters_are_not_walked(version: int) -> None:
    """999 branches of one root have written a key; one that has not sees the root's."""
    store, values = _values(FAN, [(number, VALUE) for number in FAN if number != version])
    found = values.at(version).find(typekey("07"))
    assert found is not None
    cost = store.reset()
    assert cost["steps"] <= 3 * FEW
    assert sum(1 for _ in values.at(version).range(FIRST, LAST)) == ROWS
    assert store.reset()["steps"] <= ROWS * (3 * FEW + 3)


def test_a_missing_value_costs_one_look() -> None:
    store, values = _values(LINE, [(1, VALUE)])
    assert values.at(DEPTH).get(typekey("none")) is None
    cost = store.reset()
    assert (cost["gets"], cost["seeks"], cost["steps"]) == (1, 1, 0)


def test_a_thousand_deletions_are_not_walked() -> None:
    store, values = _values(LINE, [(number, TOMBSTONE) for number in range(1, DEPTH + 1)])
    assert contents(values.at(DEPTH)) == {}
    assert names(values.at(DEPTH)) == []
    assert store.reset()["steps"] <= 2 * ROWS * (2 * FEW + 2) + 2 * FIRST_CHUNK


def test_many_plain_keys_are_taken_in_chunks() -> None:
    """One version, many rows: the common case of a list of keys."""
    store = CountingStore(MemoryStore())
    committer: Committer = None  # type: ignore[assignment]  # nothing is written through it
    values = VersionedStore(store, 7, Codec(), Ancestries(LINE.__getitem__), committer)
    rows = [typekey(f"{number:05d}") for number in range(10 * CHUNK)]
    store.batch((instance_prefix(7) + row + cell(3), b"\x00v") for row in rows)
    assert list(values.at(9).keys(FIRST, LAST)) == rows
    cost = store.reset()
    assert cost["seeks"] <= 20
    assert cost["steps"] <= len(rows) + 20


# ---------------------------------------------------------------------- parts and rows
def test_rows_are_everything_that_was_ever_stored(chain: Chain) -> None:
    put(chain.view(), "a", b"1")
    root = chain.commit()
    delete(chain.view(), "a")
    put(chain.view(), "b", BIG)
    rows = dict(chain.datastore.values(chain.instance).rows())
    assert rows == {
        typekey("a"): [(chain.node.version, TOMBSTONE), (root.version, VALUE)],
        typekey("b"): [(chain.node.version, LARGE)],
    }


def test_a_reader_is_a_snapshot_or_the_store(chain: Chain) -> None:
    reader: Reader = chain.view().reader
    assert reader is chain.datastore.main.store
    put(chain.view(), "a", b"1")
    with closing(chain.datastore.main.store.snapshot()) as snapshot:
        values = chain.datastore.values(chain.instance)
        view = View(values, chain.view().ancestry, snapshot)
        put(chain.view(), "a", b"2")
        _agree(view, {"a": b"1"})
    assert split_cell(b"row" + cell(3, LARGE)) == (3, LARGE)


def test_few_values_are_read_at_one_look_or_not_at_all() -> None:
    store, values = _values(LINE, [(2, VALUE)])
    view = values.at(2)
    found = view.few(FIRST, LAST, ROWS)
    assert found is not None
    assert found.last
    texts = [found.read(place) for place in range(len(found.keys))]
    assert list(zip(found.keys, texts, strict=True)) == [(key, one.read()) for key, one in view.range(FIRST, LAST)]
    assert view.few(FIRST, LAST, ROWS - 1) is None
    assert values.at(1).few(FIRST, LAST, ROWS) is None  # cells of a version that it does not see
    store.reset()
    view.few(FIRST, LAST, 3)
    assert store.reset()["steps"] <= 4


def test_values_of_some_keys_are_gathered_as_they_were_at_one_moment() -> None:
    _, values = _values(LINE, [(1, VALUE), (2, VALUE)])
    view = values.at(2)
    there = [key for key, _ in view.range(FIRST, LAST)]
    asked = [*there, b"none", *there] * (GATHERED // len(there))
    several = list(view.gathered(asked))
    assert [key for some in several for key in some.keys] == [key for key in asked if key != b"none"]
    assert [some.last for some in several] == [False] * (len(several) - 1) + [True]
    assert len(several) == -(-len(asked) // GATHERED)
    assert several[0].read(0) == view.get(there[0])
    several[0].replace(0, b"another")
    assert several[0].read(0) == b"another"
    assert [(some.keys, some.last) for some in view.gathered([])] == [([], True)]


def test_an_edit_is_told_of_which_rows_it_need_know_no_more() -> None:
    for cells, plain in (([], True), ([(2, VALUE)], True), ([(1, VALUE)], True), ([(2, TOMBSTONE)], False)):
        _, values = _values(LINE, cells)
        view = values.at(2)
        change = view.change()
        rows = [typekey(f"{number:02d}") for number in range(ROWS)]
        assert view.find_many(rows, change) == view.find_many(rows) or cells
        assert (change.plain == {view.prefix + row for row in rows}) == plain
        assert plain or not change.plain
