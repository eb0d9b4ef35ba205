"""Work in memory that nobody waits for: what requests would have to make is made before. Nothing is lost with it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import structlog

from dvidpy.errors import Busy


class Aside:
    """Jobs, one after the other, in a thread that is there only while it has some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self.closing = False

    def ask(self, job: Callable[[], None]) -> bool:
        """Do this soon; whether that will be tried."""
        with self._lock:
            if self.closing:
                return False
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
                self._thread.start()
            return True

    def demand_open(self) -> None:
        """Busy where the server stops."""
        if self.closing:
            raise Busy("the server stops")

    def close(self) -> None:
        """Return when the job under way has ended; the others are not begun."""
        with self._lock:
            self.closing = True
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                if self.closing or not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception:
                if not self.closing:  # else the stores may be gone
                    structlog.get_logger().exception("what requests would have to make was not made ready")
