from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from versioning.edits import stored

from dvidpy.errors import Busy, StoreError
from dvidpy.storage import keys
from dvidpy.storage.codecs import Codec
from dvidpy.storage.keys import LARGE, TOMBSTONE, VALUE, cell
from dvidpy.storage.log import JsonLines
from dvidpy.storage.memory import MemoryStore
from dvidpy.versioning import commits
from dvidpy.versioning.batches import Batch
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.large import PART, upload_all
from dvidpy.versioning.mutations import MutationIds, MutationLog

ROW = keys.instance_prefix(7) + b"\x01row"


class SlowStore(MemoryStore):
    """Counts its batches; while `held` is clear, a batch waits."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[int, bool]] = []
        self.held = threading.Event()
        self.held.set()
        self.broken = False

    def batch(self, puts: Any, deletes: Any = (), *, sync: bool = False) -> None:
        self.held.wait(30)
        if self.broken:
            raise StoreError("the medium fails")
        puts = list(puts)
        self.batches.append((len(puts), sync))
        super().batch(puts, deletes, sync=sync)


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def committer(store: SlowStore, tmp_path: Path) -> Iterator[Committer]:
    log = MutationLog(store, JsonLines(tmp_path / "log"), MutationIds())
    with closing(log), closing(Committer(store, log)) as opened:
        yield opened
        store.held.set()
        store.broken = False


def _change(*cells: tuple[bytes, int, bytes], version: int = 1, sync: bool = False) -> Change:
    change = Change(7, version, sync=sync)
    change.cells += cells
    return change


def _hand_over(committer: Committer, changes: list[Change]) -> list[BaseException | None]:
    """What each is told, when all were told."""
    told: list[BaseException | None] = []
    over = threading.Semaphore(0)

    def done(error: BaseException | None) -> None:
        told.append(error)
        over.release()

    for change in changes:
        committer.submit(change, done)
    for _ in changes:
        assert over.acquire(timeout=30)
    return told


def _in_one_group(committer: Committer, store: SlowStore, changes: list[Change]) -> list[BaseException | None]:
    """The first edit holds the writer up, until all others wait for the next batch."""
    store.held.clear()
    committer.submit(_change((ROW + b"first", VALUE, b"")), lambda error: None)
    while committer.pending():  # until the writer has taken it
        pass
    threading.Timer(0.01, store.held.set).start()
    return _hand_over(committer, changes)


def test_edits_that_wait_share_a_batch(committer: Committer, store: SlowStore) -> None:
    changes = [_change((ROW + b"%d" % number, VALUE, b"v"), sync=number == 3) for number in range(20)]
    assert _in_one_group(committer, store, changes) == [None] * 20
    assert store.batches == [(1, False), (20, True)]


def test_a_group_has_a_largest_number(committer: Committer, store: SlowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "GROUP", 8)
    _in_one_group(committer, store, [_change((ROW + b"%02d" % number, VALUE, b"v")) for number in range(20)])
    assert [size for size, _ in store.batches] == [1, 8, 8, 4]


def test_a_group_has_a_largest_size(committer: Committer, store: SlowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "GROUP_BYTES", 1000)
    _in_one_group(committer, store, [_change((ROW + b"%02d" % number, VALUE, bytes(400))) for number in range(7)])
    assert [size for size, _ in store.batches] == [1, 3, 3, 1]


# ---------------------------------------------------------------------- the last word on a key
EDITS = st.lists(st.tuples(st.sampled_from(["value", "delete", "large"]), st.integers(0, 255)), min_size=1, max_size=6)


@given(edits=EDITS, together=st.booleans())
def test_the_last_word_wins_and_leaves_nothing_of_the_others(edits: list[tuple[str, int]], together: bool) -> None:
    """Within one edit, or in edits of one group: the same."""
    store = MemoryStore()
    batch = Batch(store, lambda change, manifest: None)
    for kind, number in edits:
        if not together:
            batch = Batch(store, lambda change, manifest: None)
        batch.add(_change(_cell(store, kind, number)))
        if not together:
            batch.write(sync=False)
    batch.write(sync=False)
    kind, number = edits[-1]
    expected = {"value": VALUE, "delete": TOMBSTONE, "large": LARGE}[kind]
    assert [keys.split_cell(key) for key in store.versions(ROW)] == [(1, expected)]
    if kind == "value":
        assert store.get(ROW + cell(1, VALUE)) == bytes([number])
    assert len(stored(store, keys.PARTS)) == (2 if kind == "large" else 0)


def _cell(store: MemoryStore, kind: str, number: int) -> tuple[bytes, int, bytes]:
    if kind == "large":
        return ROW, LARGE, upload_all(store, 7, Codec(), bytes([number]) * (PART + 1)).encode()
    return (ROW, TOMBSTONE, b"") if kind == "delete" else (ROW, VALUE, bytes([number]))


def test_versions_do_not_touch_one_another(committer: Committer, store: SlowStore) -> None:
    for version in (1, 2, 3):
        committer.commit(_change((ROW, VALUE, b"v%d" % version), version=version))
    committer.commit(_change((ROW, TOMBSTONE, b""), version=2))
    assert [keys.split_cell(key) for key in store.versions(ROW)] == [(3, VALUE), (2, TOMBSTONE), (1, VALUE)]


# ---------------------------------------------------------------------- a medium that fails
def test_a_failure_is_told_to_every_waiting_edit_and_the_writer_lives_on(
    committer: Committer, store: SlowStore
) -> None:
    changes = [_change((ROW + b"%02d" % number, VALUE, b"v")) for number in range(20)]
    store.broken = True
    told = _in_one_group(committer, store, changes)
    assert [str(error) for error in told] == ["the medium fails"] * 20
    with pytest.raises(StoreError, match="the medium fails"):
        committer.commit(_change((ROW, VALUE, b"v")))
    store.broken = False
    committer.commit(_change((ROW, VALUE, b"again")))
    assert stored(store, keys.DATA) == [ROW + cell(1)]


def test_one_who_waited_and_is_gone_does_not_stop_the_writer(committer: Committer, store: SlowStore) -> None:
    async def begin() -> None:
        store.held.clear()
        task = asyncio.create_task(committer.commit_soon(_change((ROW, VALUE, b"v"))))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    committer._batch_s = 1.0  # a slow medium: the thread writes
    asyncio.run(begin())  # its event loop is closed when the edit is written
    store.held.set()
    committer.commit(_change((ROW + b"2", VALUE, b"v")))
    assert len(stored(store, keys.DATA)) == 2


def test_waiting_edits_are_told_on_their_event_loop(committer: Committer, store: SlowStore) -> None:
    async def edit() -> list[BaseException | None]:
        edits = [committer.commit_soon(_change((ROW + b"%d" % number, VALUE, b"v"))) for number in range(9)]
        return await asyncio.gather(*edits, return_exceptions=True)

    assert asyncio.run(edit()) == [None] * 9
    store.broken = True
    assert [str(error) for error in asyncio.run(edit())] == ["the medium fails"] * 9


# ---------------------------------------------------------------------- limits and the end
def test_too_many_waiting_edits_are_refused(
    committer: Committer, store: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "WAITING", 5)
    store.held.clear()
    changes = [_change((ROW + b"%02d" % number, VALUE, b"v")) for number in range(20)]
    taken = list(takewhile(lambda change: _takes(committer, change), changes))
    assert 5 <= len(taken) <= 6  # one may be with the writer
    store.held.set()


def _takes(committer: Committer, change: Change) -> bool:
    try:
        committer.submit(change, lambda error: None)
    except Busy:
        return False
    return True


def test_closing_writes_what_waits_and_takes_no_more(store: SlowStore, tmp_path: Path) -> None:
    log = MutationLog(store, JsonLines(tmp_path / "log"), MutationIds())
    committer = Committer(store, log)
    for number in range(50):
        committer.submit(_change((ROW + b"%02d" % number, VALUE, b"v")), lambda error: None)
    committer.close()
    log.close()
    assert len(stored(store, keys.DATA)) == 50
    with pytest.raises(Busy, match="closing"):
        committer.commit(_change((ROW, VALUE, b"v")))


def test_threads_and_loops_edit_beside_each_other(committer: Committer, store: SlowStore) -> None:
    def edit(name: bytes) -> None:
        for number in range(100):
            committer.commit(_change((ROW + name + b"%02d" % number, VALUE, name)))

    threads = [threading.Thread(target=edit, args=(name,)) for name in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored(store, keys.DATA)) == 400


# ---------------------------------------------------------------------- edits of the event loop
def _edits(count: int, size: int = 1) -> list[Change]:
    return [_change((ROW + b"%d" % number, VALUE, bytes(size)), sync=True) for number in range(count)]


def _writers(committer: Committer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that write batches, as they do."""
    names: list[str] = []
    write = committer._write

    def named(group: list[Change]) -> None:
        names.append(threading.current_thread().name)
        write(group)

    monkeypatch.setattr(committer, "_write", named)
    return names


async def _all_soon(committer: Committer, changes: list[Change]) -> list[Any]:
    return await asyncio.gather(*map(committer.commit_soon, changes), return_exceptions=True)


def test_small_edits_of_one_turn_of_the_loop_share_its_batch(
    committer: Committer, store: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = _writers(committer, monkeypatch)
    assert asyncio.run(_all_soon(committer, _edits(9))) == [None] * 9
    assert names == [threading.current_thread().name]
    assert store.batches == [(9, True)]
    assert committer.pending() == 0


def test_large_edits_and_those_on_a_slow_medium_are_the_threads(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = _writers(committer, monkeypatch)
    assert asyncio.run(_all_soon(committer, _edits(1, commits.IN_LOOP_BYTES + 1))) == [None]
    committer._batch_s = 2 * commits.IN_LOOP_S
    assert asyncio.run(_all_soon(committer, _edits(1))) == [None]
    assert names == ["commits", "commits"]
    assert committer._batch_s < 2 * commits.IN_LOOP_S  # it takes note that the medium is quick again


def test_while_the_thread_writes_it_gets_the_edits_of_the_loop_too(
    committer: Committer, store: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = _writers(committer, monkeypatch)
    store.held.clear()
    committer.submit(_change((ROW + b"first", VALUE, b"")), lambda error: None)
    while committer._writing.acquire(blocking=False):
        committer._writing.release()
    threading.Timer(0.05, store.held.set).start()
    assert asyncio.run(_all_soon(committer, _edits(3))) == [None] * 3
    assert set(names) == {"commits"}


def test_a_medium_that_fails_is_told_to_every_edit_of_the_loop(committer: Committer, store: SlowStore) -> None:
    store.broken = True
    told = asyncio.run(_all_soon(committer, _edits(3)))
    assert [type(error) for error in told] == [StoreError] * 3
    store.broken = False
    assert asyncio.run(_all_soon(committer, _edits(2))) == [None, None]


def test_an_edit_of_the_loop_that_meets_a_closed_writer_is_refused(store: SlowStore, tmp_path: Path) -> None:
    log = MutationLog(store, JsonLines(tmp_path / "closed"), MutationIds())
    committer = Committer(store, log)
    committer.close()
    (told,) = asyncio.run(_all_soon(committer, _edits(1)))
    assert isinstance(told, Busy)
    log.close()
