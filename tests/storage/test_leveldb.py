from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from contracts.kv_contract import KeyValueContract

from dvidpy.errors import StoreError
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.leveldb import LevelStore
from dvidpy.storage.stores import open_store

MiB = 1 << 20
SMALL = {"max_open_files": 74, "write_buffer_size": 64 << 10, "max_file_size": 1 << 20, "lru_cache_size": 1 << 20}
"""74 is LevelDB's least: it keeps 10 for itself, so 64 tables are open at a time."""


class TestLevelDB(KeyValueContract):
    def make(self, folder: Path) -> KeyValueStore:
        return LevelStore(folder)


# ---------------------------------------------------------------------- opening
def test_a_second_opening_is_refused_by_name(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path / "store")), pytest.raises(StoreError, match=r"cannot open the store in .*store"):
        LevelStore(tmp_path / "store")


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot open the store in .*file"):
        LevelStore(tmp_path / "file")


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    LevelStore(tmp_path / "store").close()
    (tmp_path / "store" / "CURRENT").write_bytes(b"nonsense")
    with pytest.raises(StoreError, match="cannot open"):
        LevelStore(tmp_path / "store")


def test_engines_by_name(tmp_path: Path) -> None:
    with closing(open_store("leveldb", str(tmp_path / "store"))) as store:
        assert store.description == f"leveldb in {tmp_path / 'store'}"
    with pytest.raises(StoreError, match="needs a path"):
        open_store("leveldb", "")
    with pytest.raises(StoreError, match="unknown store engine 'pebble'"):
        open_store("pebble", "")


# ---------------------------------------------------------------------- a medium that fails
FULL_DISK = """
import os, resource, sys
from pathlib import Path
from dvidpy.errors import StoreError
from dvidpy.storage.leveldb import LevelStore

store = LevelStore(Path(sys.argv[1]))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
for number in range(60):
    if number == 40:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    try:
        store.batch([(b"%02d" % number, os.urandom(9000))], sync=number % 2 == 0)
        print(number, flush=True)
    except StoreError as error:
        print(error, file=sys.stderr, flush=True)
os._exit(0)
"""


def test_what_was_taken_around_a_full_disk_is_kept(tmp_path: Path) -> None:
    """LevelDB by itself takes writes again when there is room again, and has lost them at the next opening."""
    over = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "store")], capture_output=True, text=True, check=True
    )
    taken = [b"%02d" % int(line) for line in over.stdout.split()]
    assert 10 < len(taken) < 40
    assert "cannot be written" in over.stderr
    assert "takes no writes until it is opened again" in over.stderr
    with closing(LevelStore(tmp_path / "store")) as store:
        assert list(store.scan_keys(b"", b"\xff")) == taken
        store.batch([(b"99", b"")])


# ---------------------------------------------------------------------- compaction
def test_compaction_within_bounds_shrinks_the_folder(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path / "store")) as store:
        for number in range(32):
            store.batch([(b"a%02d" % number, os.urandom(MiB)), (b"b%02d" % number, bytes(10))])
        store.compact(b"", b"\xff")  # what is still in the write buffer has no table to shrink
        assert store.size() > 32 * MiB
        store.delete_range(b"a", b"b")
        store.compact(b"a", b"b")
        assert store.size() < 4 * MiB
        assert len(list(store.scan_keys(b"b", b"c"))) == 32


def test_size_while_files_come_and_go(tmp_path: Path) -> None:
    """Compaction removes files between the listing of the folder and the look at each."""
    with closing(LevelStore(tmp_path / "store", **SMALL)) as store:
        over = threading.Event()

        def churn() -> None:
            for turn in range(150):
                store.batch((b"%05d" % ((number * 7919 + turn) % 4000), os.urandom(500)) for number in range(200))
            over.set()

        writer = threading.Thread(target=churn)
        writer.start()
        sizes = []
        while not over.is_set():
            sizes.append(store.size())
        writer.join()
        assert min(sizes) > 0


# ---------------------------------------------------------------------- more tables than may be open
TABLES = 150


@pytest.fixture(scope="module")
def many_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LevelStore]:
    """Far more tables than LevelDB keeps open: every walk closes tables and opens others."""
    folder = tmp_path_factory.mktemp("tables") / "store"
    with closing(LevelStore(folder, **SMALL)) as store:
        value = os.urandom(1000)
        for start in range(0, TABLES * 1000, 1000):
            store.batch((_key(number), _key(number) + value) for number in range(start, start + 1000))
        store.compact(b"", b"\xff")
        assert len(list(folder.glob("*.ldb"))) > 2 * (SMALL["max_open_files"] - 10)
        yield store


def _key(number: int) -> bytes:
    return b"%08d" % number


def test_key_walk_over_evicted_tables(many_tables: LevelStore) -> None:
    expected = [_key(number) for number in range(TABLES * 1000)]
    assert list(many_tables.scan_keys(b"", b"\xff")) == expected


def test_gets_over_evicted_tables(many_tables: LevelStore) -> None:
    wanted = [_key(number * 7919 % (TABLES * 1000)) for number in range(3000)]
    assert [value[:8] for value in many_tables.get_many(wanted) if value] == wanted


def test_snapshots_and_iterators_outlive_the_eviction_of_their_tables(many_tables: LevelStore) -> None:
    with closing(many_tables.snapshot()) as snapshot:
        walks = [snapshot.scan(_key(start), b"\xff", 50) for start in range(0, TABLES * 1000, 500)]
        firsts = [next(walk)[0] for walk in walks]
        many_tables.batch([], [_key(number) for number in range(0, TABLES * 1000, 500)])
        many_tables.compact(b"", b"\xff")
        assert firsts == [_key(start) for start in range(0, TABLES * 1000, 500)]
        assert all(len(list(walk)) == 49 for walk in walks)
        assert all(value is not None for value in snapshot.get_many(firsts))
        assert many_tables.get_many(firsts) == [None] * len(firsts)
        many_tables.batch((key, key) for key in firsts)


def test_threads_walk_evicted_tables_beside_each_other(many_tables: LevelStore) -> None:
    def walk(part: int) -> None:
        start, stop = _key(part * 30_000), _key((part + 1) * 30_000)
        counts[part] = sum(1 for _ in many_tables.scan(start, stop))

    counts: dict[int, int] = {}
    threads = [threading.Thread(target=walk, args=(part,)) for part in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == dict.fromkeys(range(5), 30_000)
