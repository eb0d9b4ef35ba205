"""Background work that outlives a restart: tasks stand in the store, written with the edit that asks for them.

A task is done by a batch that also removes it, so it is done exactly once. Tasks run one at a time, in order.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from dvidpy.errors import Busy
from dvidpy.storage import keys
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning.commits import Change, Committer

WORK = 1
"""Number of the one queue there is, in QUEUE keys."""
PATIENCE_S = 20.0
"""How long a commit waits for pending work of its version before it answers 503."""
PAUSE_S = 0.05


class Task(Struct, frozen=True):
    """One piece of pending work."""

    kind: str
    """Names the worker that does it."""
    instance: int
    version: int = 0
    """The version it writes into; 0 for none."""
    args: dict[str, Any] = {}


Worker = Callable[[Task, Change], None]
"""Does a task: adds what it writes to the given edit, which also removes the task."""


class WorkQueue:
    """Pending work of one store. `held` says whether it should wait because people are working."""

    def __init__(self, store: KeyValueStore, committer: Committer, held: Callable[[], bool] = lambda: False) -> None:
        self._store, self._committer, self.held = store, committer, held
        self.workers: dict[str, Worker] = {}
        self._draining = 0
        self._wake = threading.Condition()
        self._closing = False
        self._news = False
        last = max((int.from_bytes(key[2:], "big") for key, _ in self.pending()), default=0)
        self._numbers = itertools.count(last + 1)
        self.failed = 0
        """Tasks given up since the start; they stay in the store and are tried again at the next one."""
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        committer.queued = self.notice

    def start(self) -> None:
        """Begin working, once all workers are known."""
        self._thread.start()

    def add(self, change: Change, task: Task) -> None:
        """Ask for work as part of an edit."""
        with self._wake:
            number = next(self._numbers)
        change.puts.append((keys.queue_key(WORK, number), msgspec.json.encode(task)))

    def notice(self) -> None:
        """Tasks may have come."""
        with self._wake:
            self._news = True
            self._wake.notify_all()

    def pending(self) -> Iterator[tuple[bytes, Task]]:
        """Tasks in order, with their keys."""
        decode = msgspec.json.Decoder(Task).decode
        span = (keys.queue_key(WORK, 0), keys.queue_key(WORK + 1, 0))
        return ((key, decode(value)) for key, value in self._store.scan(*span))

    def length(self) -> int:
        """Number of pending tasks."""
        return sum(1 for _ in self.pending())

    def drain(self, version: int) -> None:
        """Return when no work of a version is pending; Busy when that takes too long."""
        until = time.monotonic() + PATIENCE_S
        with self._wake:
            self._draining += 1
            self._wake.notify_all()
        try:
            while any(task.version == version for _, task in self.pending()):
                if time.monotonic() > until:
                    raise Busy("background work of this version is still pending")
                time.sleep(PAUSE_S)
        finally:
            with self._wake:
                self._draining -= 1

    def close(self) -> None:
        """Finish the task under way; the rest waits in the store."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        given_up: set[bytes] = set()
        while not self._closing:
            self._news = False
            due = next(((k, t) for k, t in self.pending() if k not in given_up), None)
            if due is None or (self.held() and not self._draining):
                with self._wake:
                    if not (self._closing or self._news):
                        self._wake.wait(None if due is None else 1.0)
                continue
            if not self._do(*due):
                given_up.add(due[0])

    def _do(self, key: bytes, task: Task) -> bool:
        change = Change(task.instance, task.version, sync=False)
        change.deletes.append(key)
        try:
            self.workers[task.kind](task, change)
            self._committer.commit(change)
        except Busy:
            time.sleep(PAUSE_S)
        except Exception:
            self.failed += 1
            structlog.get_logger().exception("background work failed", task=task.kind, instance=task.instance)
            return False
        return True
