"""How an edit becomes durable: one thread per store takes what is waiting and writes it as one batch.

Everything of an edit (values, deletions, mutation record, pending work) stands in that batch: the one commit
point. Requests that arrive meanwhile share the next batch and its fsync. The JSON lines are written from the
batch before anybody is answered; where that fails, the edit stands all the same (`mutations`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue

import structlog

from dvidpy.errors import Busy, UnknownInstance
from dvidpy.storage import keys
from dvidpy.storage.keys import LARGE
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning.batches import Batch, Freed
from dvidpy.versioning.mutations import Mutation, MutationLog

WAITING = 4096
"""Edits that may wait for their batch; more are refused with 503."""
GROUP = 256
"""Edits that share a batch at most."""
GROUP_BYTES = 16 << 20
"""A batch of so many bytes takes no further edit in."""
IN_LOOP_BYTES = 1 << 16
"""An edit of so many bytes may be written by the event loop itself."""
IN_LOOP_S = 0.001
"""It is, as long as a batch takes less than this: handing it to a thread would cost as much as the batch."""

WORK = 1
"""Number of the one queue of background work, in QUEUE keys."""

Done = Callable[[BaseException | None], None]


class Change:
    """One atomic edit of one version of one instance."""

    __slots__ = (
        "cells",
        "deletes",
        "done",
        "instance",
        "mutation",
        "plain",
        "puts",
        "sync",
        "task",
        "tasks",
        "version",
    )

    def __init__(self, instance: int, version: int, *, sync: bool = True) -> None:
        self.instance = instance
        self.version = version
        self.sync = sync
        """Answered only when it would survive a power failure."""
        self.cells: list[tuple[bytes, int, bytes]] = []
        """(row, kind, stored value) of this version."""
        self.plain: set[bytes] = set()
        """Rows known to have a small value in this version, or no cell: none of another kind is looked for."""
        self.puts: list[tuple[bytes, bytes]] = []
        """Other keys to write."""
        self.tasks: list[bytes] = []
        """Pending work that it asks for; the committer numbers it, so that work is done in the order of the edits."""
        self.deletes: list[bytes] = []
        self.task = b""
        """Key of the pending work that this is the edit of."""
        self.mutation: Mutation | None = None
        self.done: Done = _ignore

    def given(self) -> None:
        """Let go of the values: the batch has them, and lets go of each when the store has it."""
        self.cells = [cell for cell in self.cells if cell[1] == LARGE]  # which `forget` may want
        self.puts = []

    @property
    def is_empty(self) -> bool:
        """Nothing would be written."""
        return not (self.cells or self.puts or self.tasks or self.deletes or self.mutation)

    def size(self) -> int:
        """Bytes of its values."""
        return sum(len(stored) for _, _, stored in self.cells) + sum(len(value) for _, value in self.puts)


class Committer:
    """Writes the edits of one store, in the order they come."""

    def __init__(self, store: KeyValueStore, log: MutationLog) -> None:
        self._store = store
        self._log = log
        self.freed: Freed = lambda change, manifest: None
        """Told of every large value that an edit deletes."""
        self.queued: Callable[[], None] = lambda: None
        """Told when a batch with pending work is written."""
        self._waiting: SimpleQueue[Change | None] = SimpleQueue()
        self._soon: deque[Change] = deque()
        """Small edits that share the next batch of the event loop."""
        self._writing = threading.RLock()
        self._gone: frozenset[int] = frozenset()
        last = max((int.from_bytes(key[2:], "big") for key in store.scan_keys(*work_span())), default=0)
        self._next_task = last + 1
        self.written = 0
        """Batches written so far, raised before anybody hears of the last one: while it stands, so does all that was
        read."""
        self._settled = 0
        """As many of them are durable."""
        self.edited: dict[int, dict[int, int]] = {}
        """Instance -> version -> `written` when its last edit was in the store, however that ended."""
        self._batch_s = 0.0
        """Seconds of a synced batch, smoothed."""
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="commits", daemon=True)
        self._thread.start()

    def submit(self, change: Change, done: Done) -> None:
        """Hand over an edit; `done` is called from the writing thread, with what went wrong or None."""
        self._demand_room()
        change.done = done
        with self._closing:
            if self._closed:
                raise Busy("the server is closing")
            self._waiting.put(change)

    def commit(self, change: Change) -> None:
        """Return when the edit is durable and visible. Where nobody writes, the caller does: it saves two switches."""
        self._demand_room()
        over = threading.Event()
        wrong: list[BaseException] = []

        def done(error: BaseException | None) -> None:
            if error is not None:
                wrong.append(error)
            over.set()

        change.done = done
        if not self._write_if_free([change]):
            self.submit(change, done)
        over.wait()
        if wrong:
            raise wrong[0]

    def write(self, change: Change) -> int:
        """Make an edit visible to others, before it is durable; for `settle`. What stands on it is durable after it."""
        self._demand_room()
        wrong: list[BaseException] = []
        change.sync, change.done = False, lambda error: wrong.append(error) if error is not None else None
        group = [change]
        with self._writing:
            if self._closed:
                raise Busy("the server is closing")
            _tell(group, self._write(group))
            written = self.written
        if wrong:
            raise wrong[0]
        return written

    def settle(self, written: int) -> None:
        """Return when what `write` wrote is durable. Who waits meanwhile shares the fsync."""
        with self._writing:
            if self._settled < written:
                self._write_batch(Batch(self._store, self.freed), sync=True)

    @contextmanager
    def free(self) -> Iterator[bool]:
        """Whether a thread may `write` inside without waiting for anybody."""
        may = self._waiting.empty() and self._writing.acquire(blocking=False)
        try:
            yield may
        finally:
            if may:
                self._writing.release()

    def _write_if_free(self, group: list[Change]) -> bool:
        """Write edits here and now, unless others wait or are being written."""
        if self._closed:
            return False
        with self.free() as free:
            if not free:
                return False
            wrong = self._write(group)
        _tell(group, wrong)
        return True

    async def commit_soon(self, change: Change) -> None:
        """The same, for the event loop. Small edits of one turn of the loop share a batch, which it writes itself."""
        self._demand_room()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        done = partial(_settle, loop, future)
        if self._batch_s < IN_LOOP_S and len(self._soon) < GROUP and change.size() <= IN_LOOP_BYTES:
            change.done = done
            self._soon.append(change)
            if len(self._soon) == 1:
                loop.call_soon(self._write_soon)
        else:
            self.submit(change, done)
        await future

    def _write_soon(self) -> None:
        """Write what the event loop gathered, unless the thread is writing: then it gets that too."""
        group = [self._soon.popleft() for _ in range(len(self._soon))]
        if self._write_if_free(group):
            return
        for change in group:
            try:
                self.submit(change, change.done)
            except Busy as error:
                change.done(error)

    def _demand_room(self) -> None:
        if self.pending() >= WAITING:
            raise Busy("too many edits are waiting to be written")

    def pending(self) -> int:
        """Edits waiting to be written."""
        return self._waiting.qsize() + len(self._soon)

    # ------------------------------------------------------------------ deletion
    def shut_out(self, instances: Iterable[int]) -> None:
        """Refuse edits of deleted instances from now on; on return none of them is being written."""
        self._gone |= frozenset(instances)
        with self._writing:  # the batch under way, and its lines of the log, are written
            pass

    def is_gone(self, instance: int) -> bool:
        """Whether edits of an instance are refused, because it is deleted."""
        return instance in self._gone

    def _refuse_gone(self, group: list[Change]) -> None:
        """Tell edits of deleted instances, and take them out."""
        gone = [change for change in group if change.instance in self._gone]
        group[:] = [change for change in group if change.instance not in self._gone]
        _tell(gone, UnknownInstance("this data instance was deleted"))

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._closing:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        self._writing.acquire()  # an event loop in another thread may be writing; nobody writes any more

    def _run(self) -> None:
        closing = False
        while not closing:
            group, closing = self._take()
            if group:
                with self._writing:
                    wrong = self._write(group)
                _tell(group, wrong)  # who hears of it finds that nobody writes

    def _take(self) -> tuple[list[Change], bool]:
        """(edits for one batch, whether they are the last)."""
        group: list[Change] = []
        size = 0
        while not group or (len(group) < GROUP and size < GROUP_BYTES and not self._waiting.empty()):
            change = self._waiting.get()
            if change is None:
                return group, True
            group.append(change)
            size += change.size()
        return group, False

    def _write(self, group: list[Change]) -> BaseException | None:
        """What went wrong with those that are left in the group: the others are told."""
        if self._gone:
            self._refuse_gone(group)
        try:
            self._write_group(group)
        except BaseException as error:  # the writer must outlive whatever the medium does
            return error
        return None

    def _write_group(self, group: list[Change]) -> None:
        batch = Batch(self._store, self.freed)
        mutations = []
        for change in group:
            batch.add(change)
            if change.mutation is not None:
                mutations.append(change.mutation)
        batch.operations.update(self._log.number(mutations))
        worked = self._number_tasks(group, batch)
        try:
            self._write_batch(batch, sync=any(change.sync for change in group))
        finally:
            for change in group:
                self.edited.setdefault(change.instance, {})[change.version] = self.written
        self._log.write(mutations)
        if worked:
            self.queued()

    def _number_tasks(self, group: list[Change], batch: Batch) -> bool:
        """Add what edits ask for to their batch; whether there is any."""
        tasks = [task for change in group for task in change.tasks]
        for task in tasks:
            batch.operations[keys.queue_key(WORK, self._next_task)] = task
            self._next_task += 1
        return bool(tasks)

    def _write_batch(self, batch: Batch, *, sync: bool) -> None:
        started = time.perf_counter()
        try:
            batch.write(sync=sync)
        finally:
            self.written += 1
        if sync:
            self._settled = self.written
            taken = min(time.perf_counter() - started, 10 * IN_LOOP_S)  # a hiccup is soon forgotten
            self._batch_s += (taken - self._batch_s) / 8


def work_span() -> tuple[bytes, bytes]:
    """(start, stop) of the keys of pending work."""
    return keys.queue_key(WORK, 0), keys.queue_key(WORK + 1, 0)


def _tell(group: Iterable[Change], wrong: BaseException | None) -> None:
    for change in group:
        try:
            change.done(wrong)
        except Exception:  # who waited is gone, its event loop with it
            structlog.get_logger().exception("nobody hears of an edit", instance=change.instance)


def _settle(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None], error: BaseException | None) -> None:
    """Wake who awaits an edit; from its own loop at once, from other threads soon."""
    if asyncio._get_running_loop() is not loop:  # noqa: SLF001  # the public one raises where there is none
        loop.call_soon_threadsafe(_wake, future, error)
    else:
        _wake(future, error)


def _wake(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _ignore(error: BaseException | None) -> None:
    """What happens to an edit nobody waits for."""
