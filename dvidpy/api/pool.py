"""The bounded pool of worker threads: heavy work runs here, off the event loop; a full queue is 503."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeVar

from dvidpy.errors import Busy

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool:
    """As many threads as cores; numpy, codecs and kernels leave the interpreter to others while they work."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._limit = workers + waiting
        self.workers = workers
        self.under_way = 0
        """Pieces of work running or waiting."""

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Result of `work`; Busy when too much is waiting."""
        if self.under_way >= self._limit:
            raise Busy(f"{self.under_way} requests are waiting for {self.workers} workers")
        return await self.go_on(work, *args, **kwargs)

    async def go_on(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a request that is being answered already: it may wait, but is not refused."""
        self.under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(work, *args, **kwargs) if kwargs or args else work)
        finally:
            self.under_way -= 1

    def share(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """Do `work` for each item, in any order; for worker threads. Others that have nothing else to do help.

        Nothing is waited for but what others have begun, so that it ends even where all are busy.
        """
        waiting = SimpleQueue[T]()
        for item in items:
            waiting.put(item)

        def take() -> None:
            with suppress(Empty):
                while True:
                    work(waiting.get_nowait())

        idle = min(self.workers - self.under_way, waiting.qsize() - 1)
        helpers = [self._threads.submit(take) for _ in range(idle)]
        try:
            take()
        finally:
            begun = [helper for helper in helpers if not helper.cancel()]
            wait(begun)
        for helper in begun:
            helper.result()

    def close(self) -> None:
        """Finish what is under way."""
        self._threads.shutdown()
