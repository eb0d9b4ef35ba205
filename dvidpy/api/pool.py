"""The bounded pool of worker threads: heavy work runs here, off the event loop; a full queue is 503.

`concurrent.futures` makes two futures, a lock and three conditions of every piece of work; here there is one future,
and one message each way.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, ParamSpec, TypeVar

import structlog

from dvidpy.errors import Busy

P = ParamSpec("P")
T = TypeVar("T")
Job = Callable[[], None]


class _Results:
    """What workers tell an event loop, through a pipe of its own: to write to one lets go of the interpreter, so that
    the loop has it when it wakes. `call_soon_threadsafe` wakes a loop that then waits for the interpreter.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting: deque[Job] = deque()
        self._told = False
        """The loop is being woken."""
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        self.loop = loop
        loop.add_reader(self._out, self._take)

    def tell(self, job: Job) -> None:
        """Have the loop do something soon. From any thread."""
        self._waiting.append(job)
        if not self._told:
            self._told = True
            os.write(self._in, b"\0")

    def _take(self) -> None:
        os.read(self._out, 16)
        self._told = False  # before the last look: what comes behind it is told again
        while self._waiting:
            self._waiting.popleft()()

    def close(self) -> None:
        """Nobody tells anything any more."""
        if not self.loop.is_closed():
            self.loop.remove_reader(self._out)
        os.close(self._out)
        os.close(self._in)


class _Worker:
    """One thread of the pool, where it waits for its next job."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.asleep = threading.Lock()
        """Held but for the moment in which it is woken."""
        self.asleep.acquire()


class WorkerPool:
    """As many threads as cores; numpy, codecs and kernels leave the interpreter to others while they work.

    Each waits for itself: `queue.SimpleQueue`, and conditions, wake a second thread with the first one, which takes
    the interpreter from it for nothing. Who was busy last is woken first: its caches are warm.
    """

    def __init__(self, workers: int, waiting: int) -> None:
        self._jobs: deque[Job | None] = deque()
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        """Held while both are looked at."""
        self._results: _Results | None = None
        self._limit = workers + waiting
        self.workers = workers
        self.under_way = 0
        """Pieces of work running or waiting."""
        self._threads = [threading.Thread(target=self._work, name=f"worker-{n}", daemon=True) for n in range(workers)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        own = _Worker()
        while (job := self._next(own)) is not None:
            try:
                job()
            except BaseException:  # jobs tell what went wrong with their work: this is about the telling
                structlog.get_logger().exception("a worker's result reaches nobody")
            del job  # what it holds is not kept until the next one comes

    def _next(self, own: _Worker) -> Job | None:
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            self._idle.append(own)
        own.asleep.acquire()
        job, own.job = own.job, None
        return job

    def _hand(self, job: Job | None) -> None:
        """To a worker that waits, or to the one that is ready first."""
        with self._lock:
            if not self._idle:
                self._jobs.append(job)
                return
            worker = self._idle.pop()
        worker.job = job
        worker.asleep.release()

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Result of `work`; Busy when too much is waiting."""
        if self.under_way >= self._limit:
            raise Busy(f"{self.under_way} requests are waiting for {self.workers} workers")
        return await self.begin(work, *args, **kwargs)

    async def go_on(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a request that is being answered already: it may wait, but is not refused."""
        return await self.begin(work, *args, **kwargs)

    def begin(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """The same, begun at once: its result comes while the caller does something else."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self.under_way += 1
        future.add_done_callback(self._over)
        if self._results is None or self._results.loop is not loop:
            self._results = self._results_for(loop)
        self._hand(partial(_do, self._results, future, partial(work, *args, **kwargs) if kwargs or args else work))
        return future

    def _results_for(self, loop: asyncio.AbstractEventLoop) -> _Results:
        if self._results is not None:
            self._results.close()
        return _Results(loop)

    def _over(self, _: asyncio.Future[T]) -> None:
        self.under_way -= 1

    def share(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """Do `work` for each item, in any order; for worker threads. Others that have nothing else to do help.

        Nothing is waited for but what others have begun, so that it ends even where all are busy.
        """
        shared = _Shared(work, items)
        idle = min(self.workers - self.under_way, shared.waiting.qsize() - 1)
        for _ in range(idle):
            self._hand(shared.help)
        shared.finish()

    def close(self) -> None:
        """Finish what is under way."""
        for _ in self._threads:
            self._hand(None)
        for thread in self._threads:
            thread.join()
        if self._results is not None:
            self._results.close()


class _Shared(Generic[T]):
    """Items that several threads take, until none is left."""

    def __init__(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        self._work = work
        self.waiting = SimpleQueue[T]()
        for item in items:
            self.waiting.put(item)
        self._change = threading.Condition()
        self._helping = 0
        self._over = False
        self._wrong: BaseException | None = None

    def _take(self) -> None:
        with suppress(Empty):
            while True:
                self._work(self.waiting.get_nowait())

    def help(self) -> None:
        """What an idle thread does; nothing where it comes too late."""
        with self._change:
            if self._over:
                return
            self._helping += 1
        try:
            self._take()
        except BaseException as error:  # told where the work is shared
            self._wrong = error
        finally:
            with self._change:
                self._helping -= 1
                self._change.notify()

    def finish(self) -> None:
        """Take part, then wait for those who help."""
        try:
            self._take()
        finally:
            with self._change:
                self._over = True
                self._change.wait_for(lambda: not self._helping)
        if self._wrong is not None:
            raise self._wrong


def _do(results: _Results, future: asyncio.Future[T], work: Callable[[], T]) -> None:
    """Work, and tell the loop how it went."""
    if future.cancelled():
        return
    try:
        result = work()
    except StopIteration as error:  # a future cannot carry it
        results.tell(partial(_fail, future, RuntimeError(f"work raised {error!r}")))
    except BaseException as error:
        results.tell(partial(_fail, future, error))
    else:
        results.tell(partial(_succeed, future, result))


def _succeed(future: asyncio.Future[T], result: T) -> None:
    if not future.cancelled():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.cancelled():
        future.set_exception(error)
