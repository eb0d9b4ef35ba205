"""Values that stand in files beside LevelDB: against a dict, while files are turned over and freed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from contracts.kv_contract import KeyValueContract
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dvidpy.errors import StoreError
from dvidpy.storage import collecting, leveldb, long_values
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.leveldb import LevelSnapshot, LevelStore
from dvidpy.storage.long_values import PLACE, SIGN, Place, place_in

KEYS = st.sampled_from([b"%02d" % number for number in range(12)])
VALUES = st.one_of(
    st.binary(max_size=20),
    st.binary(min_size=20, max_size=200),
    st.builds(lambda rest: SIGN + rest, st.binary(max_size=PLACE)),
    st.builds(lambda a, b, c, d: Place(a, b, c, d).encode(), *[st.integers(0, 1 << 20)] * 4),
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    _make_small(monkeypatch)


def _make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leveldb, "LONG", 20)
    monkeypatch.setattr(long_values, "FILE_BYTES", 400)
    monkeypatch.setattr(long_values, "OPEN", 2)
    monkeypatch.setattr(collecting, "TOGETHER", 3)


class TestLongValues(KeyValueContract):
    def make(self, folder: Path) -> KeyValueStore:
        return LevelStore(folder)


class LongValuesMachine(RuleBasedStateMachine):
    """A store with tiny files beside a dict; snapshots beside copies of it."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        _make_small(self.patch)
        self.folder = TemporaryDirectory()
        self.store = LevelStore(Path(self.folder.name) / "store")
        self.model: dict[bytes, bytes] = {}
        self.snapshots: list[tuple[LevelSnapshot, dict[bytes, bytes]]] = []
        self.walks: list[tuple[Iterator[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]] = []

    @rule(puts=st.dictionaries(KEYS, VALUES, max_size=5), deletes=st.sets(KEYS, max_size=3), sync=st.booleans())
    def write(self, puts: dict[bytes, bytes], deletes: set[bytes], sync: bool) -> None:
        deletes -= puts.keys()
        self.store.batch(puts.items(), deletes, sync=sync)
        self.model = {key: value for key, value in (self.model | puts).items() if key not in deletes}

    @rule()
    def free(self) -> None:
        self.store.compact(b"", b"\xff")

    @rule()
    def look_back(self) -> None:
        self.snapshots.append((self.store.snapshot(), dict(self.model)))

    @rule()
    def begin_walk(self) -> None:
        self.walks.append((self.store.scan(b"", b"\xff"), sorted(self.model.items())))

    @rule()
    def end_walk(self) -> None:
        if self.walks:
            walk, expected = self.walks.pop()
            assert list(walk) == expected

    @rule()
    def let_go(self) -> None:
        if self.snapshots:
            self.snapshots.pop(0)[0].close()

    @rule()
    def open_again(self) -> None:
        self._let_go_of_all()
        self.store.close()
        self.store = LevelStore(self.store.path)

    @invariant()
    def all_is_there(self) -> None:
        if not hasattr(self, "store"):
            return
        assert list(self.store.scan(b"", b"\xff")) == sorted(self.model.items())
        assert self.store.get_many(self.model) == list(self.model.values())
        for key, value in self.model.items():
            part = self.store.file_part(key)
            assert part is None or part.read() == value
        for snapshot, model in self.snapshots:
            assert dict(snapshot.scan(b"", b"\xff")) == model

    def _let_go_of_all(self) -> None:
        self.walks.clear()
        while self.snapshots:
            self.snapshots.pop()[0].close()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self._let_go_of_all()
            self.store.close()
            self.folder.cleanup()
            self.patch.undo()


TestMachine = LongValuesMachine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def _files(store: LevelStore) -> list[Path]:
    return sorted(store.path.glob("*.long"))


def test_files_that_nothing_names_are_removed(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path)) as store:
        for turn in range(20):
            store.batch([(b"%02d" % number, bytes([turn]) * 100) for number in range(8)])
        assert len(_files(store)) > 20
        store.compact(b"", b"\xff")
        assert sum(path.stat().st_size for path in _files(store)) <= 2 * 8 * 100
        assert dict(store.scan(b"", b"\xff")) == {b"%02d" % number: bytes([19]) * 100 for number in range(8)}
        store.delete_range(b"", b"\xff")
        store.compact(b"", b"\xff")
        assert sum(path.stat().st_size for path in _files(store)) == 0


def test_it_collects_by_itself_when_much_was_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "GROWN", 5_000)
    with closing(LevelStore(tmp_path)) as store:
        for turn in range(400):
            store.batch([(b"key", bytes([turn % 256]) * 100)])
        thread = store._collector._thread
        if thread is not None:
            thread.join(20)
        assert sum(path.stat().st_size for path in _files(store)) < 400 * 100 / 2
        assert store.get(b"key") == bytes([399 % 256]) * 100


def test_readers_while_files_are_freed(tmp_path: Path) -> None:
    over = threading.Event()
    wrong: list[object] = []
    with closing(LevelStore(tmp_path)) as store:
        store.batch([(b"%02d" % number, bytes([number]) * 60) for number in range(40)])

        def read() -> None:
            while not over.is_set():
                for number in range(40):
                    found = store.get(b"%02d" % number)
                    if found is None or set(found) != {number}:
                        wrong.append(found)
                if any(set(value) != {int(key)} for key, value in store.scan(b"", b"\xff")):
                    wrong.append("scan")

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for turn in range(60):
            store.batch([(b"%02d" % number, bytes([number]) * (60 + turn)) for number in range(turn % 3, 40, 3)])
            store.compact(b"", b"\xff")
        over.set()
        for reader in readers:
            reader.join()
    assert not wrong


def test_a_batch_under_way_is_waited_for(tmp_path: Path) -> None:
    """Its values are in a file, their places are not in LevelDB yet: that file is not free."""
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[tuple[bytes, bytes]]:
        yield b"a", b"a" * 100
        begun.set()
        go_on.wait()
        yield b"b", b"b" * 400

    with closing(LevelStore(tmp_path)) as store:
        writer = threading.Thread(target=lambda: store.batch(slowly()))
        writer.start()
        begun.wait()
        collector = threading.Thread(target=lambda: store.compact(b"", b"\xff"))
        collector.start()
        collector.join(0.2)
        assert collector.is_alive()
        go_on.set()
        writer.join()
        collector.join()
        store.compact(b"", b"\xff")
        assert store.get_many([b"a", b"b"]) == [b"a" * 100, b"b" * 400]


def test_who_reads_an_older_state_keeps_its_files(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path)) as store:
        store.batch([(b"a", b"a" * 100)])
        old, dropped = store.snapshot(), store.snapshot()
        del dropped
        store.batch([(b"a", b"b" * 100)])
        store.batch([(b"c", b"c" * 500)])
        store.batch([], [b"c"])
        store.compact(b"", b"\xff")
        assert len(store._long._kept) == 1
        assert old.get(b"a") == b"a" * 100
        old.close()
        assert not store._long._kept
        assert not store._collector.readers
        assert store.get(b"a") == b"b" * 100


def test_a_sync_waits_for_what_another_one_has_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, synced = threading.Event(), threading.Event(), os.fdatasync

    def slowly(fd: int) -> None:
        begun.set()
        go_on.wait()
        synced(fd)

    with closing(LevelStore(tmp_path)) as store:
        store.batch([(b"a", b"a" * 100)])
        monkeypatch.setattr(os, "fdatasync", slowly)
        first = threading.Thread(target=store._long.sync)
        second = threading.Thread(target=store._long.sync)
        first.start()
        begun.wait()
        second.start()
        second.join(0.1)
        assert second.is_alive()
        go_on.set()
        first.join()
        second.join()


def test_damage_is_told_and_nothing_of_it_is_removed(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path)) as store:
        store.batch([(b"a", b"a" * 300), (b"b", b"b" * 90)])
        store.batch([], [b"a"])
        (file,) = _files(store)
        file.write_bytes(file.read_bytes()[:-10] + bytes(10))
        store.compact(b"", b"\xff")
        assert file in _files(store)
        os.truncate(file, 350)
        with pytest.raises(StoreError, match="is damaged: it ends before byte 390"):
            store.get(b"b")
        file.unlink()
        store._long._open.clear()
        with pytest.raises(StoreError, match=r"000001\.long is missing"):
            store.get(b"b")


def test_sizes_count_long_values(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path)) as store:
        store.batch([(b"a%02d" % number, bytes(1000)) for number in range(50)] + [(b"b", b"short")])
        assert 50_000 <= store.size_of(b"a", b"b") <= 51_000
        assert store.size_of(b"b", b"c") == 6
        assert store.size() >= 50_000


def test_a_full_disk_refuses_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(LevelStore(tmp_path)) as store:
        store.batch([(b"a", b"a" * 100)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", _no_room)
            with pytest.raises(StoreError, match=r"cannot be written: .*No space"):
                store.batch([(b"a", b"b" * 100), (b"b", b"small")])
        assert (store.get(b"a"), store.get(b"b")) == (b"a" * 100, None)
        store.batch([(b"a", b"c" * 100)], sync=True)
        assert store.get(b"a") == b"c" * 100


def _no_room(fd: int, data: bytes, offset: int) -> int:
    raise OSError(28, "No space left on device")


def test_places_are_told_from_values() -> None:
    place = Place(7, 1 << 40, 99, 12345)
    assert place_in(place.encode()) == place
    assert len(place.encode()) == PLACE
    assert place_in(b"x" * PLACE) is None
    assert place_in(SIGN) is None


def test_a_part_of_a_file_outlives_it(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path)) as store:
        store.batch([(b"a", b"a" * 100), (b"b", b"b" * 400)])
        part = store.file_part(b"a")
        assert part is not None
        store.batch([(b"c", b"c" * 500)], [b"b"])
        store.compact(b"", b"\xff")
        assert not part.file.path.exists()
        assert part.read() == b"a" * 100
        moved = store.file_part(b"a")
        assert moved is not None
        assert moved.file is not part.file
        os.truncate(moved.file.path, 10)
        store._long._open.clear()
        with pytest.raises(StoreError, match="it ends before byte"):
            store.file_part(b"a")
