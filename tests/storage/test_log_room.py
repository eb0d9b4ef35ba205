"""Room ahead in LevelDB's log: what it is for, and that nothing is lost by it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import plyvel
import pytest

from dvidpy.storage import log_room
from dvidpy.storage.leveldb import LevelStore
from dvidpy.storage.log_room import BLOCK, OPEN_FILES

SMALL = 300
"""Bytes of a value."""
PAGE = 4096

WRITING = """
import os, signal, sys
from pathlib import Path
from dvidpy.storage.leveldb import LevelStore

store = LevelStore(Path(sys.argv[1]), write_buffer_size=256 << 10)
for number in range(int(sys.argv[2])):
    size = 300 if number % 50 else 70_000
    store.batch([(b"%06d" % number, os.urandom(size // 10) * 10)], sync=number % 3 < 2)
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def the_log(folder: Path) -> Path:
    (log,) = folder.glob("*.log")
    return log


def fill(store: LevelStore, count: int, *, sync: bool = True) -> None:
    for number in range(count):
        store.batch([(b"%06d" % number, os.urandom(SMALL))], sync=sync)


def open_files() -> int:
    return len(list(OPEN_FILES.iterdir()))


def keys(folder: Path) -> list[bytes]:
    with closing(LevelStore(folder)) as store:
        return list(store.scan_keys(b"", b"\xff"))


def left_behind(folder: Path, count: int) -> Path:
    """A copy of a store that was not closed, with so many values of SMALL bytes, and its log."""
    with closing(LevelStore(folder / "store")) as store:
        fill(store, count)
        subprocess.run(["cp", "-r", str(folder / "store"), str(folder / "left")], check=True)
    return folder / "left"


def written(log: Path) -> int:
    """Bytes of a log without the zeroes at its end."""
    return len(log.read_bytes().rstrip(b"\0"))


# ---------------------------------------------------------------------- what it is for
def test_small_synced_writes_leave_the_size_as_it_is(tmp_path: Path) -> None:
    sizes = []
    with closing(LevelStore(tmp_path)) as store:
        for number in range(500):
            store.batch([(b"%06d" % number, os.urandom(SMALL))], sync=True)
            sizes.append(the_log(tmp_path).stat().st_size)
    blocks = sizes[-1] // BLOCK
    assert blocks > 4
    assert len(set(sizes)) < 3 * blocks


def test_there_is_never_room_beyond_the_block(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path)) as store:
        for number in range(300):
            store.batch([(b"%06d" % number, os.urandom(number * 7))], sync=number % 2 == 0)
            log = the_log(tmp_path)
            assert log.stat().st_size <= -(-written(log) // BLOCK) * BLOCK


def test_a_new_log_gets_room_too(tmp_path: Path) -> None:
    with closing(LevelStore(tmp_path)) as store:
        fill(store, 3)
        first = the_log(tmp_path)
        store.compact(b"", b"\xff")
        fill(store, 3)
        log = the_log(tmp_path)
        assert log != first
        assert log.stat().st_size == BLOCK
        assert len(list(store.scan_keys(b"", b"\xff"))) == 3


def test_without_it_where_the_system_does_not_name_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_room, "OPEN_FILES", tmp_path / "nothing")
    with closing(LevelStore(tmp_path / "store")) as store:
        fill(store, 10)
        log = the_log(tmp_path / "store")
        assert log.stat().st_size == written(log)
    assert len(keys(tmp_path / "store")) == 10


def test_without_it_where_there_is_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with closing(LevelStore(tmp_path)) as store:
        fill(store, 10)
    assert len(keys(tmp_path)) == 10


def test_closing_lets_go_of_the_log(tmp_path: Path) -> None:
    before = open_files()
    for _ in range(3):
        with closing(LevelStore(tmp_path)) as store:
            fill(store, 3)
    assert open_files() == before


# ---------------------------------------------------------------------- what is found again
def test_a_process_that_ends_at_once_loses_nothing(tmp_path: Path) -> None:
    """Over many blocks and some logs, with writes between that nobody synced."""
    over = subprocess.run(
        [sys.executable, "-c", WRITING, str(tmp_path), "1500"], capture_output=True, text=True, check=False
    )
    taken = [b"%06d" % int(line) for line in over.stdout.split()]
    assert len(taken) == 1500
    assert keys(tmp_path) == taken


def test_zeroes_at_the_end_are_no_damage_even_to_a_strict_reader(tmp_path: Path) -> None:
    left = left_behind(tmp_path, 100)
    assert the_log(left).stat().st_size % BLOCK == 0
    with closing(plyvel.DB(str(left), paranoid_checks=True)) as database:
        assert len(list(database.iterator())) == 100


def test_a_torn_record_before_zeroes_is_left_out(tmp_path: Path) -> None:
    left = left_behind(tmp_path, 20)
    log = the_log(left)
    with log.open("r+b") as file:
        file.seek(written(log) - SMALL // 2)
        file.write(bytes(SMALL))
    assert keys(left) == [b"%06d" % number for number in range(19)]


@pytest.mark.parametrize("page", range(BLOCK // PAGE))
def test_behind_a_page_that_was_lost_nothing_of_the_block_is_found(tmp_path: Path, page: int) -> None:
    """So a later edit is never there without an earlier one, though all pages of a block are in the file."""
    left = left_behind(tmp_path, 90)
    with the_log(left).open("r+b") as file:
        file.seek(page * PAGE)
        file.write(bytes(PAGE))
    found = keys(left)
    assert len(found) <= -(-page * PAGE // SMALL)
    assert found == [b"%06d" % number for number in range(len(found))]
