"""What every backend of the storage seam must do. A backend's test subclasses this and gives `make` and `reopen`."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest

from dvidpy.errors import StoreError
from dvidpy.storage.keys import NEWEST, cell
from dvidpy.storage.kv import KeyValueStore, Snapshot

END = b"\xff" * 8
ALPHABET = [(bytes([letter]), bytes([letter]) * 3) for letter in range(ord("a"), ord("k"))]


class KeyValueContract(ABC):
    """Inherit, and name the class `Test…`."""

    keeps_values = True
    """They are there after the store was closed and opened again."""

    @abstractmethod
    def make(self, folder: Path) -> KeyValueStore:
        """An empty store, or the one that is in the folder already."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KeyValueStore]:
        with closing(self.make(tmp_path / "store")) as opened:
            yield opened

    @pytest.fixture
    def letters(self, store: KeyValueStore) -> KeyValueStore:
        store.batch(ALPHABET)
        return store

    # ------------------------------------------------------------------ shape
    def test_it_is_a_store(self, store: KeyValueStore) -> None:
        assert isinstance(store, KeyValueStore)
        assert isinstance(store.multi_process, bool)
        assert store.description

    def test_a_snapshot_is_a_snapshot(self, store: KeyValueStore) -> None:
        with closing(store.snapshot()) as snapshot:
            assert isinstance(snapshot, Snapshot)

    # ------------------------------------------------------------------ get
    def test_what_is_not_there_is_none(self, store: KeyValueStore) -> None:
        assert store.get(b"a") is None
        assert store.get_many([b"a", b"b"]) == [None, None]

    def test_put_get_overwrite_delete(self, store: KeyValueStore) -> None:
        store.batch([(b"a", b"1")])
        assert store.get(b"a") == b"1"
        store.batch([(b"a", b"2")], sync=True)
        assert store.get(b"a") == b"2"
        store.batch([], [b"a"])
        assert store.get(b"a") is None

    def test_any_bytes_are_keys_and_values(self, store: KeyValueStore) -> None:
        odd = {b"\x00": b"", b"\x00\x00": b"\x00", b"\xff": bytes(range(256)), "schlüssel".encode(): b"\xff" * 9}
        store.batch(odd.items())
        assert {key: store.get(key) for key in odd} == odd
        assert list(store.scan(b"", END)) == sorted(odd.items())

    def test_an_empty_value_is_no_missing_one(self, store: KeyValueStore) -> None:
        store.batch([(b"a", b"")])
        assert store.get(b"a") == b""
        assert store.get_many([b"a"]) == [b""]

    def test_get_many_keeps_the_order_and_repeats(self, letters: KeyValueStore) -> None:
        assert letters.get_many(iter([b"c", b"x", b"a", b"c"])) == [b"ccc", None, b"aaa", b"ccc"]

    def test_a_value_of_many_megabytes(self, store: KeyValueStore) -> None:
        value = bytes(range(256)) * (5 << 12)
        store.batch([(b"big", value)])
        assert store.get(b"big") == value

    def test_what_stands_in_a_file_is_read_from_there(self, store: KeyValueStore) -> None:
        value = bytes(range(256)) * 300
        store.batch([(b"big", value), (b"small", b"abc")])
        part = store.file_part(b"big")
        if part is not None:
            assert (part.size, part.read(), part.behind(7).read()) == (len(value), value, value[7:])
            room = bytearray(9)
            part.file.read_into(memoryview(room), part.offset + 300)
            assert room == value[300:309]
            with pytest.raises(StoreError, match="ends before"):
                part.file.read_into(memoryview(room), 1 << 40)
        assert store.file_part(b"small") is None
        assert store.file_part(b"nothing") is None

    # ------------------------------------------------------------------ scan
    def test_scan_is_in_byte_order_whatever_the_order_of_writing(self, store: KeyValueStore) -> None:
        store.batch(reversed(ALPHABET))
        assert list(store.scan(b"", END)) == ALPHABET
        assert list(store.scan_keys(b"", END)) == [key for key, _ in ALPHABET]

    def test_start_belongs_to_a_scan_and_stop_does_not(self, letters: KeyValueStore) -> None:
        assert list(letters.scan_keys(b"b", b"d")) == [b"b", b"c"]
        assert list(letters.scan_keys(b"aa", b"c")) == [b"b"]
        assert list(letters.scan_keys(b"d", b"d")) == []
        assert list(letters.scan_keys(b"d", b"b")) == []

    def test_limits(self, letters: KeyValueStore) -> None:
        assert list(letters.scan(b"b", END, 2)) == [(b"b", b"bbb"), (b"c", b"ccc")]
        assert list(letters.scan_keys(b"i", END, 100)) == [b"i", b"j"]
        assert list(letters.scan_keys(b"", END, 0)) == []

    def test_a_scan_shows_the_store_as_it_was_when_it_began(self, letters: KeyValueStore) -> None:
        scan = letters.scan(b"", END)
        first = next(scan)
        letters.batch([(b"bb", b"new"), (b"c", b"changed")], [b"d"])
        assert [first, *scan] == ALPHABET
        assert list(letters.scan(b"b", b"e")) == [(b"b", b"bbb"), (b"bb", b"new"), (b"c", b"changed")]

    def test_a_scan_can_be_left_in_the_middle(self, tmp_path: Path) -> None:
        store = self.make(tmp_path / "left")
        store.batch(ALPHABET)
        scan = store.scan(b"", END)
        assert next(scan) == ALPHABET[0]
        store.close()

    def test_first_of_each_span(self, letters: KeyValueStore) -> None:
        spans = [(b"d", b"e"), (b"bb", b"d"), (b"bb", b"c"), (b"a", END), (b"zz", END), (b"c", b"c"), (b"c", b"b")]
        wanted = [(b"d", b"ddd"), (b"c", b"ccc"), None, ALPHABET[0], None, None, None]
        assert letters.first_of_each(spans) == wanted
        with closing(letters.snapshot()) as snapshot:
            letters.batch([(b"bb", b"new" * 9999)], [b"d"])
            assert snapshot.first_of_each(iter(spans)) == wanted
        assert letters.first_of_each(spans[:3]) == [None, (b"bb", b"new" * 9999), (b"bb", b"new" * 9999)]
        assert letters.first_of_each([]) == []

    def test_versions_are_the_cells_of_one_row(self, store: KeyValueStore) -> None:
        row = b"row"
        cells = [row + cell(version, kind) for version, kind in ((9, 0), (5, 1), (1, 2))]
        others = [row + b"x" + cell(3), b"ro" + cell(3), row, b"rox" + cell(2), row + b"\x00" + cell(4)]
        store.batch((key, b"value") for key in chain(cells, others))
        assert store.versions(row) == cells
        assert store.versions(b"none") == []

    def test_versions_reach_from_the_first_to_the_last(self, store: KeyValueStore) -> None:
        cells = [b"row" + cell(NEWEST), b"row" + cell(1, 2)]
        store.batch((key, b"") for key in cells)
        assert store.versions(b"row") == cells

    # ------------------------------------------------------------------ batches
    def test_a_batch_takes_iterators_and_may_be_empty(self, store: KeyValueStore) -> None:
        store.batch(iter(ALPHABET), iter([b"x"]))
        store.batch([])
        store.batch((), (), sync=True)
        assert list(store.scan(b"", END)) == ALPHABET

    def test_of_a_key_that_is_put_twice_the_last_value_stays(self, store: KeyValueStore) -> None:
        store.batch([(b"a", b"1"), (b"a", b"2")])
        assert store.get(b"a") == b"2"

    def test_readers_see_a_batch_wholly_or_not_at_all(self, store: KeyValueStore) -> None:
        if not store.atomic_batch:
            pytest.skip("this backend promises atomic keys only")
        keys = [b"%03d" % number for number in range(50)]
        store.batch((key, b"0") for key in keys)
        over = threading.Event()

        def write() -> None:
            for turn in range(300):
                store.batch((key, b"%d" % turn) for key in keys)
            over.set()

        writer = threading.Thread(target=write)
        writer.start()
        seen = []
        while not over.is_set():
            seen.append({value for _, value in store.scan(b"", END)})
            with closing(store.snapshot()) as snapshot:
                seen.append(set(snapshot.get_many(keys)))  # type: ignore[arg-type]  # all are there
        writer.join()
        assert [values for values in seen if len(values) != 1] == []

    def test_many_threads_write_and_read(self, store: KeyValueStore) -> None:
        def work(number: int) -> None:
            for turn in range(200):
                store.batch([(b"%d-%d" % (number, turn), b"v")])
                if store.get(b"%d-%d" % (number, turn)) != b"v":
                    wrong.append((number, turn))

        wrong: list[tuple[int, int]] = []
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert sum(1 for _ in store.scan_keys(b"", END)) == 800

    # ------------------------------------------------------------------ snapshots
    def test_a_snapshot_does_not_change(self, letters: KeyValueStore) -> None:
        with closing(letters.snapshot()) as snapshot:
            letters.batch([(b"a", b"changed"), (b"z", b"new")], [b"b"])
            assert snapshot.get(b"a") == b"aaa"
            assert snapshot.get_many([b"b", b"z"]) == [b"bbb", None]
            assert list(snapshot.scan(b"", END)) == ALPHABET
            assert list(snapshot.scan_keys(b"i", END, 1)) == [b"i"]
        assert letters.get(b"a") == b"changed"

    def test_a_snapshot_has_versions(self, store: KeyValueStore) -> None:
        store.batch([(b"row" + cell(1), b"old")])
        with closing(store.snapshot()) as snapshot:
            store.batch([(b"row" + cell(2), b"new")])
            assert snapshot.versions(b"row") == [b"row" + cell(1)]

    def test_snapshots_of_different_moments(self, store: KeyValueStore) -> None:
        snapshots = []
        for turn in range(10):
            store.batch([(b"a", b"%d" % turn)])
            snapshots.append(store.snapshot())
        assert [snapshot.get(b"a") for snapshot in snapshots] == [b"%d" % turn for turn in range(10)]
        for snapshot in snapshots:
            snapshot.close()

    def test_a_snapshot_outlives_a_deleted_and_compacted_range(self, letters: KeyValueStore) -> None:
        with closing(letters.snapshot()) as snapshot:
            letters.delete_range(b"a", b"z")
            letters.compact(b"a", b"z")
            assert list(snapshot.scan(b"", END)) == ALPHABET

    def test_the_store_may_be_closed_before_a_snapshot(self, tmp_path: Path) -> None:
        store = self.make(tmp_path / "closed")
        store.batch(ALPHABET)
        snapshot = store.snapshot()
        store.close()
        snapshot.close()

    # ------------------------------------------------------------------ deleting and compacting
    def test_delete_range_counts_and_keeps_the_rest(self, letters: KeyValueStore) -> None:
        assert letters.delete_range(b"c", b"f") == 3
        assert letters.delete_range(b"c", b"f") == 0
        assert list(letters.scan_keys(b"", END)) == [b"a", b"b", b"f", b"g", b"h", b"i", b"j"]

    def test_delete_range_goes_in_steps(self, store: KeyValueStore) -> None:
        store.batch((b"%06d" % number, b"") for number in range(25_003))
        assert store.delete_range(b"000001", b"025002") == 25_001
        assert list(store.scan_keys(b"", END)) == [b"000000", b"025002"]

    def test_compaction_changes_nothing_that_is_there(self, letters: KeyValueStore) -> None:
        letters.delete_range(b"a", b"c")
        letters.compact(b"a", b"z")
        assert list(letters.scan(b"", END)) == ALPHABET[2:]

    def test_size_grows_with_what_is_stored(self, store: KeyValueStore) -> None:
        before = store.size()
        store.batch((b"%d" % number, bytes(1000)) for number in range(1000))
        assert store.size() >= before + 900_000

    def test_size_of_a_range_is_that_of_its_keys(self, store: KeyValueStore) -> None:
        noise = [random.Random(number).randbytes(1000) for number in range(1000)]
        store.batch((b"%03d" % number, value) for number, value in enumerate(noise))
        store.compact(b"", END)
        assert 400_000 <= store.size_of(b"000", b"500") <= 600_000
        assert 900_000 <= store.size_of(b"", END) <= 1_100_000
        assert store.size_of(b"x", END) == 0

    # ------------------------------------------------------------------ closing
    def test_closing_twice_is_allowed(self, tmp_path: Path) -> None:
        store = self.make(tmp_path / "twice")
        store.close()
        store.close()

    def test_values_outlive_the_store(self, tmp_path: Path) -> None:
        for turn in range(3):
            with closing(self.make(tmp_path / "again")) as store:
                assert list(store.scan(b"", END)) == (ALPHABET[:turn] if self.keeps_values else [])
                store.batch([ALPHABET[turn]])
