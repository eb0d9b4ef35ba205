"""Work that is shared among the threads of the pool."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from dvidpy.api.pool import WorkerPool

SECONDS = 20


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with closing(WorkerPool(3, 10)) as made:
        made.under_way = 1  # the request that shares
        yield made


def test_idle_threads_help(pool: WorkerPool) -> None:
    """Three items wait for one another."""
    together, done = threading.Barrier(3), set[int]()

    def work(item: int) -> None:
        together.wait(SECONDS)
        done.add(item)

    pool.share(work, range(3))
    assert done == {0, 1, 2}


def test_where_all_are_busy_nobody_is_waited_for(pool: WorkerPool) -> None:
    leave, busy = threading.Event(), threading.Barrier(4)

    def work_long() -> None:
        busy.wait(SECONDS)
        leave.wait(SECONDS)

    for _ in range(3):
        pool._hand(work_long)
    busy.wait(SECONDS)
    threads = set[threading.Thread]()
    pool.share(lambda _: threads.add(threading.current_thread()), range(100))
    assert threads == {threading.current_thread()}
    leave.set()


def test_nothing_to_share(pool: WorkerPool) -> None:
    pool.share(lambda _: pytest.fail("there is nothing to do"), ())


@pytest.mark.parametrize("here", [True, False])
def test_what_goes_wrong_is_told(pool: WorkerPool, here: bool) -> None:
    """On this thread or on another."""
    together = threading.Barrier(2)

    def work(_: int) -> None:
        together.wait(SECONDS)
        if (threading.current_thread() is threading.main_thread()) == here:
            raise ValueError("no block")

    with pytest.raises(ValueError, match="no block"):
        pool.share(work, range(2))
