"""Work in memory that nobody waits for: what requests would have to make is made before. Nothing is lost with it."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import structlog

from dvidpy.errors import Busy


class Aside:
    """Jobs, one after the other, in a thread that is there only while it has some."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._jobs: list[tuple[float, int, Callable[[], None]]] = []
        """Heap of (when it may begin, number, job)."""
        self._numbers = count()
        self._thread: threading.Thread | None = None
        self._held = 0
        self.closing = False

    def ask(self, job: Callable[[], None], after_s: float = 0.0) -> bool:
        """Do this soon, or when some seconds have passed; whether that will be tried."""
        with self._wake:
            if self.closing:
                return False
            heapq.heappush(self._jobs, (time.monotonic() + after_s, next(self._numbers), job))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
                self._thread.start()
            self._wake.notify_all()
            return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """What a request waits for, and takes long, is made inside: a job stands still when next it looks."""
        with self._wake:
            self._held += 1
        try:
            yield
        finally:
            with self._wake:
                self._held -= 1
                self._wake.notify_all()

    def demand_open(self) -> None:
        """Busy where the server stops. A job that asks waits until it is `held` no more."""
        if self._held and threading.current_thread() is self._thread:
            with self._wake:
                self._wake.wait_for(lambda: not self._held or self.closing)
        if self.closing:
            raise Busy("the server stops")

    def close(self) -> None:
        """Return when the job under way has ended; the others are not begun."""
        with self._wake:
            self.closing = True
            self._wake.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:
                if not self.closing:  # else the stores may be gone
                    structlog.get_logger().exception("what requests would have to make was not made ready")

    def _next(self) -> Callable[[], None] | None:
        """The next job, when it may begin; None where there is none."""
        with self._wake:
            while self._jobs and not self.closing:
                wait_s = self._jobs[0][0] - time.monotonic()
                if wait_s <= 0:
                    return heapq.heappop(self._jobs)[2]
                self._wake.wait(wait_s)
            self._thread = None
            return None
