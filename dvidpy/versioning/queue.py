"""Background work that outlives a restart: tasks stand in the store, written with the edit that asks for them.

A task is done by a batch that also removes it, so it is done exactly once; one whose edit is empty may be done again.
Tasks run one at a time, in order. One that fails is tried a few times more, later each time, and then parked: it says
so in the store, holds up nobody (not even the commit of its version, for what it would write is derived), and is tried
again at the next start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from typing import Any, NamedTuple

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from dvidpy.errors import Busy
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning.commits import Change, Committer, work_span

PATIENCE_S = 20.0
"""How long a commit waits for pending work of its version before it answers 503."""
PAUSE_S = 0.05
BREATH_S = 0.01
"""Between the last news of tasks and the first of them: who asked for them is answered first, and those of several
edits come together."""
LONGEST_BREATH_S = 0.06
"""The same, while there is always news."""
TOGETHER = 64
"""Tasks that are looked up together, and may be removed together: no more than the marks of events that are kept."""
FREE = "free"
"""Kind of the tasks that free deleted instances (`freeing`)."""
RETRIES_S = (0.1, 0.4, 1.6, 6.4)
"""How long a task that failed waits before it is tried again; after the last time it is parked."""


class Task(Struct, frozen=True, omit_defaults=True):
    """One piece of pending work."""

    kind: str
    """Names the worker that does it."""
    instance: int
    version: int = 0
    """The version it writes into; 0 for none."""
    args: dict[str, Any] = {}
    failed: str = ""
    """Why it was parked."""


class _Trouble(NamedTuple):
    """A task that failed."""

    times: int
    again_at: float


Worker = Callable[[Task, Change], None]
"""Does a task: adds what it writes to the given edit, which also removes the task.

What it writes without that edit, it must know for written when it is asked again.
"""


class WorkQueue:
    """Pending work of one store. `held` says whether it should wait because people are working."""

    def __init__(self, store: KeyValueStore, committer: Committer, held: Callable[[], bool] = lambda: False) -> None:
        self._store, self._committer, self.held = store, committer, held
        self.workers: dict[str, Worker] = {}
        self._draining = 0
        self._wake = threading.Condition()
        self._closing = False
        self.done = 0
        """Tasks done since the start."""
        self._news = False
        self._troubles: dict[bytes, _Trouble] = {}
        self.parked: frozenset[bytes] = frozenset()
        """Keys of tasks given up since the start; they stay in the store and are tried again at the next one."""
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        committer.queued = self.notice

    def start(self) -> None:
        """Begin working, once all workers are known."""
        self._thread.start()

    @staticmethod
    def add(change: Change, task: Task) -> None:
        """Ask for work as part of an edit."""
        change.tasks.append(msgspec.json.encode(task))

    def notice(self) -> None:
        """Tasks may have come."""
        with self._wake:
            self._news = True
            self._wake.notify_all()

    def pending(self) -> Iterator[tuple[bytes, Task]]:
        """Tasks in order, with their keys."""
        decode = msgspec.json.Decoder(Task).decode
        return ((key, decode(value)) for key, value in self._store.scan(*work_span()))

    def behind(self, task: Task, change: Change, most: int) -> Iterator[Task]:
        """Tasks of the same kind, instance and version, among so many that come after the one that an edit removes."""
        following = islice((other for key, other in self.pending() if key > change.task), most)
        same = task.kind, task.instance, task.version
        return (other for other in following if (other.kind, other.instance, other.version) == same)

    def length(self) -> int:
        """Number of pending tasks."""
        return sum(1 for _ in self.pending())

    def freeing(self) -> set[int]:
        """Numbers of deleted instances that pending tasks free."""
        return {int(number) for _, task in self.pending() if task.kind == FREE for number in task.args["instances"]}

    @property
    def failed(self) -> int:
        """Number of parked tasks."""
        return len(self.parked)

    def drain(self, version: int) -> None:
        """Return when no work of a version is pending but what is parked; Busy when that takes too long."""
        until = time.monotonic() + PATIENCE_S
        with self._wake:
            self._draining += 1
            self._wake.notify_all()
        try:
            while any(task.version == version and key not in self.parked for key, task in self.pending()):
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
        while not self._closing:
            self._news = False
            due, wait_s = self._next()
            for _, alike in groupby(due, _place):
                self._do_all(alike)
            if due and not self._is_held():
                if self._news and len(due) < TOGETHER:  # it has caught up
                    self._breathe()
                continue
            with self._wake:
                if not (self._closing or self._news):
                    self._wake.wait(1.0 if due else wait_s)
            self._breathe()

    def _breathe(self) -> None:
        """Return when there was no news for a moment, or somebody waits for the work."""
        until = time.monotonic() + LONGEST_BREATH_S
        news = True
        while news and not self._draining and time.monotonic() < until:
            self._news = False
            time.sleep(BREATH_S)
            news = self._news

    def _is_held(self) -> bool:
        return self.held() and not self._draining

    def _next(self) -> tuple[list[tuple[bytes, Task]], float | None]:
        """(the first tasks that may be tried now, seconds until one may be where there is none)."""
        now, wait_s = time.monotonic(), None
        due = []
        for key, task in self.pending():
            trouble = self._troubles.get(key)
            if key in self.parked:
                continue
            if trouble is None or trouble.again_at <= now:
                due.append((key, task))
                if len(due) == TOGETHER:
                    break
            else:
                wait_s = min(wait_s or trouble.again_at - now, trouble.again_at - now)
        return due, wait_s

    def _do_all(self, alike: Iterable[tuple[bytes, Task]]) -> None:
        """Tasks of one instance and version. Those whose edits are empty are removed together."""
        over = []
        for key, task in alike:
            if self._closing or self._is_held():
                break
            with self._caught([(key, task)]):
                if self._do(key, task):
                    over.append((key, task))
        with self._caught(over):
            if over:
                removal = Change(0, 0, sync=False)
                removal.deletes += [key for key, _ in over]
                self._commit(removal, *removal.deletes)

    def _do(self, key: bytes, task: Task) -> bool:
        """Do a task; whether it remains to be removed, as its edit is empty."""
        gone = self._committer.is_gone(task.instance)
        change = Change(0 if gone else task.instance, task.version, sync=False)
        change.task = key
        if not gone:
            self.workers[task.kind](task, change)
        if change.is_empty:
            return True
        change.deletes.append(key)
        self._commit(change, key)
        return False

    def _commit(self, change: Change, *keys: bytes) -> None:
        """Write what tasks did, with their removal."""
        self._committer.commit(change)
        self.done += len(keys)
        for key in keys:
            self._troubles.pop(key, None)

    @contextmanager
    def _caught(self, tasks: Collection[tuple[bytes, Task]]) -> Iterator[None]:
        """What goes wrong inside is noted of these tasks."""
        try:
            yield
        except Busy:
            time.sleep(PAUSE_S)
        except Exception as error:
            for key, task in tasks:
                if not self._committer.is_gone(task.instance):  # else it was deleted meanwhile, and its task goes next
                    self._fail(key, task, error)

    def _fail(self, key: bytes, task: Task, error: Exception) -> None:
        """Try a task again later, or park it."""
        times = self._troubles[key].times + 1 if key in self._troubles else 1
        parked = times > len(RETRIES_S)
        structlog.get_logger().exception(
            "background work failed", task=task.kind, instance=task.instance, times=times, parked=parked
        )
        if not parked:
            self._troubles[key] = _Trouble(times, time.monotonic() + RETRIES_S[times - 1])
            return
        self.parked |= {key}
        try:
            said = replace(task, failed=f"{type(error).__name__}: {error}"[:500])
            self._store.batch([(key, msgspec.json.encode(said))])
        except Exception:  # the medium fails; it is known here, and found out anew after a restart
            structlog.get_logger().exception("a parked task is not marked", task=task.kind)


def _place(due: tuple[bytes, Task]) -> tuple[int, int]:
    return due[1].instance, due[1].version
