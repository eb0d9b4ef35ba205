from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dvidpy.errors import Busy
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.leveldb import LevelStore
from dvidpy.storage.log import JsonLines
from dvidpy.versioning import queue as queue_module
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.mutations import MutationIds, MutationLog
from dvidpy.versioning.queue import BREATH_S, LONGEST_BREATH_S, Task, Worker, WorkQueue

DONE = b"\x10done"


class Bench:
    """A queue on a store that outlives it."""

    def __init__(self, store: KeyValueStore, folder: Path) -> None:
        self.store, self.folder = store, folder

    @contextmanager
    def open(self, worker: Worker, *, held: bool = False) -> Iterator[WorkQueue]:
        log = MutationLog(self.store, JsonLines(self.folder), MutationIds())
        with closing(log), closing(Committer(self.store, log)) as committer:
            self.committer = committer
            with closing(WorkQueue(self.store, committer, lambda: held)) as opened:
                opened.workers["count"] = worker
                opened.start()
                yield opened

    def count(self, task: Task, change: Change) -> None:
        """The task's own mark: how often it was done."""
        key = DONE + b"%03d" % task.args["n"]
        change.puts.append((key, b"%d" % (int(self.store.get(key) or b"0") + 1)))

    def ask(self, queue: WorkQueue, *numbers: int, version: int = 1) -> None:
        change = Change(7, version, sync=False)
        for number in numbers:
            queue.add(change, Task("count", 7, version, {"n": number}))
        self.committer.commit(change)

    def done(self) -> dict[int, int]:
        span = (DONE, DONE + b"\xff")
        return {int(key[len(DONE) :]): int(value) for key, value in self.store.scan(*span)}


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "RETRIES_S", (0.01, 0.02))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(LevelStore(tmp_path / "store")) as store:
        yield Bench(store, tmp_path / "log")


def test_tasks_are_done_once_and_in_order(bench: Bench) -> None:
    order: list[int] = []

    def work(task: Task, change: Change) -> None:
        order.append(task.args["n"])
        bench.count(task, change)

    with bench.open(work) as queue:
        for number in range(0, 60, 3):
            bench.ask(queue, number, number + 1, number + 2)
        queue.drain(1)
    assert order == list(range(60))
    assert bench.done() == dict.fromkeys(range(60), 1)
    assert queue.length() == 0


def test_tasks_that_write_nothing_are_removed_together(bench: Bench) -> None:
    """One of them fails at first, one writes something: each is removed by itself."""
    seen: list[int] = []

    def work(task: Task, change: Change) -> None:
        number = task.args["n"]
        seen.append(number)
        if number == 7 and seen.count(7) == 1:
            raise ValueError("not yet")
        if number == 8:
            bench.count(task, change)

    with bench.open(work) as queue:
        before = bench.committer.written
        bench.ask(queue, *range(20))
        queue.drain(1)
    written = bench.committer.written - before
    assert queue.done == 20
    assert sorted(seen) == sorted([*range(20), 7])
    assert bench.done() == {8: 1}
    assert written == 4  # asked for, the one that writes, those that do not, the one that failed


class _Clock:
    """Time that passes while somebody sleeps."""

    def __init__(self, nap: Callable[[], None]) -> None:
        self.now, self.nap = 0.0, nap

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.nap()


def test_work_begins_in_a_pause_of_the_edits_and_after_a_while_without_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.open(bench.count, held=True) as _:
        queue = WorkQueue(bench.store, bench.committer)  # which nobody starts
        news = iter([True, True, False])
        clock = _Clock(lambda: setattr(queue, "_news", next(news)))
        monkeypatch.setattr(queue_module, "time", clock)
        queue._breathe()
        assert clock.now == pytest.approx(3 * BREATH_S)
        clock.nap = queue.notice
        queue._breathe()
        assert clock.now == pytest.approx(3 * BREATH_S + LONGEST_BREATH_S, abs=BREATH_S)
        before = clock.now
        queue._draining = 1
        queue._breathe()
        assert clock.now == before


def test_tasks_survive_a_restart_and_are_done_once(bench: Bench) -> None:
    for start in (0, 10, 20):
        with bench.open(bench.count, held=True) as queue:
            bench.ask(queue, *range(start, start + 10))
            assert queue.length() == start + 10
    assert bench.done() == {}
    with bench.open(bench.count) as queue:
        queue.drain(1)
    assert bench.done() == dict.fromkeys(range(30), 1)


def test_a_queue_that_ends_in_the_middle_goes_on_where_it_was(bench: Bench) -> None:
    for _ in range(50):
        stop = threading.Event()

        def work(task: Task, change: Change, stop: threading.Event = stop) -> None:
            bench.count(task, change)
            stop.set()

        with bench.open(work) as queue:
            if not bench.done() and not queue.length():
                bench.ask(queue, *range(40))
            stop.wait(10)
        if not queue.length():
            break
    assert bench.done() == dict.fromkeys(range(40), 1)


def test_draining_waits_for_one_version_alone(bench: Bench) -> None:
    """Though people are working, which holds other work back."""
    with bench.open(bench.count, held=True) as queue:
        bench.ask(queue, 1, 2, version=1)
        queue.drain(1)
        assert bench.done() == {1: 1, 2: 1}
        queue.drain(2)


def test_work_that_takes_too_long_makes_a_commit_impatient(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "PATIENCE_S", 0.05)
    go_on = threading.Event()

    def work(task: Task, change: Change) -> None:
        go_on.wait(30)
        bench.count(task, change)

    with bench.open(work) as queue:
        bench.ask(queue, 1)
        with pytest.raises(Busy, match="still pending"):
            queue.drain(1)
        go_on.set()


def test_a_task_that_fails_stays_and_holds_up_no_other(bench: Bench) -> None:
    def work(task: Task, change: Change) -> None:
        if task.args["n"] == 1:
            raise ValueError("not today")
        bench.count(task, change)

    with bench.open(work) as queue:
        bench.ask(queue, 0, 1, 2)
        bench.ask(queue, 3, version=2)
        queue.drain(2)
        assert bench.done() == {0: 1, 2: 1, 3: 1}
        assert queue.length() == 1
        queue.drain(1)  # a commit goes on: it is parked
        assert (queue.length(), queue.failed) == (1, 1)
        assert [task.failed for _, task in queue.pending()] == ["ValueError: not today"]
    with bench.open(bench.count) as queue:  # tried again at the next start
        queue.drain(1)
        assert bench.done() == dict.fromkeys(range(4), 1)


def test_an_unknown_kind_of_task_stays(bench: Bench) -> None:
    with bench.open(bench.count) as queue:
        change = Change(7, 1, sync=False)
        queue.add(change, Task("of another program", 7, 1))
        bench.committer.commit(change)
        bench.ask(queue, 1, version=2)
        queue.drain(2)
        queue.drain(1)
        assert (queue.length(), queue.failed) == (1, 1)


def test_work_that_fails_at_first_is_tried_again_and_not_parked(bench: Bench) -> None:
    tries: list[int] = []

    def work(task: Task, change: Change) -> None:
        tries.append(task.args["n"])
        if tries.count(1) < 3 and task.args["n"] == 1:
            raise ValueError("not yet")
        bench.count(task, change)

    with bench.open(work) as queue:
        bench.ask(queue, 1, 2)
        queue.drain(1)
        assert (queue.length(), queue.failed) == (0, 0)
    assert sorted(tries) == [1, 1, 1, 2]
    assert bench.done() == {1: 1, 2: 1}


def test_tasks_are_numbered_as_their_edits_are_written(bench: Bench) -> None:
    """Not as they were asked for: an edit may be made long before it is committed."""
    order: list[int] = []
    with bench.open(lambda task, change: order.append(task.args["n"])) as queue:
        early, late = Change(7, 1, sync=False), Change(7, 1, sync=False)
        queue.add(early, Task("count", 7, 1, {"n": 1}))
        queue.add(late, Task("count", 7, 1, {"n": 2}))
        bench.committer.commit(late)
        queue.drain(1)
        bench.committer.commit(early)
        queue.drain(1)
    assert order == [2, 1]


def test_work_of_a_deleted_instance_is_dropped(bench: Bench) -> None:
    with bench.open(bench.count, held=True) as queue:
        bench.ask(queue, 1)
        bench.committer.shut_out([7])
        queue.drain(1)
        assert (queue.length(), queue.failed) == (0, 0)
    assert bench.done() == {}


def test_work_that_finds_no_room_is_tried_again(bench: Bench) -> None:
    tries: list[int] = []

    def work(task: Task, change: Change) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise Busy("too many edits are waiting to be written")
        bench.count(task, change)

    with bench.open(work) as queue:
        bench.ask(queue, 1)
        queue.drain(1)
    assert (bench.done(), queue.failed) == ({1: 1}, 0)


def test_work_may_ask_for_more_work_of_its_version(bench: Bench) -> None:
    with bench.open(lambda task, change: None) as queue:

        def work(task: Task, change: Change) -> None:
            bench.count(task, change)
            if task.args["n"] < 5:
                queue.add(change, Task("count", 7, 1, {"n": task.args["n"] + 1}))

        queue.workers["count"] = work
        bench.ask(queue, 0)
        queue.drain(1)
        assert bench.done() == dict.fromkeys(range(6), 1)
