"""What is stored of deleted instances is freed in the background, step by step.

A deletion hides its instances at once: their records give way to `Deleted` ones, and the committer refuses their
edits. The task that frees them does one bounded step, removes itself and asks for the next in one batch, so that other
work comes in between and a crash costs one step at most. Each step gives its space back to the medium. The `Deleted`
records go last: while they are there, what is left is no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dvidpy.storage import keys
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.log import JsonLines
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.mutations import Mutation
from dvidpy.versioning.queue import FREE, Task, WorkQueue
from dvidpy.versioning.records import Deleted

STEP = 20_000
"""Keys that one step deletes, or mutation records that it looks at."""


class Doom(Struct, frozen=True):
    """Arguments of the task. They say all, as the `Deleted` records may be gone when a step is repeated."""

    instances: dict[int, str]
    """Number -> uuid of the data."""
    above: int = 0
    """Mutation records up to this id were looked at."""


def ask(doomed: Iterable[Deleted]) -> Task:
    """The task that frees instances."""
    return _task(Doom({one.number: one.data for one in doomed}))


def _task(doom: Doom) -> Task:
    return Task(FREE, 0, args=msgspec.to_builtins(doom, str_keys=True))


class Freeing:
    """The worker of one store."""

    def __init__(
        self,
        store: KeyValueStore,
        committer: Committer,
        lines: JsonLines,
        queue: WorkQueue,
        forget: Callable[[Iterable[int]], None],
    ) -> None:
        self._store, self._committer, self._lines, self._queue = store, committer, lines, queue
        self._forget = forget
        queue.workers[FREE] = self._step

    def _step(self, task: Task, change: Change) -> None:
        doom = msgspec.convert(task.args, Doom, strict=False)
        following = self._free_keys(doom) or self._free_mutations(doom)
        if following is not None:
            self._queue.add(change, _task(following))
            return
        self._committer.shut_out(doom.instances)  # whoever mended lines from their records is done
        self._lines.remove(set(doom.instances.values()))
        change.deletes += [key for key, other in self._queue.pending() if other.instance in doom.instances]
        self._forget(doom.instances)

    def _free_keys(self, doom: Doom) -> Doom | None:
        """Delete some values or parts; what is left to do, None where there are none."""
        for prefix in _prefixes(doom.instances):
            doomed = list(self._store.scan_keys(prefix, keys.after(prefix), STEP))
            if doomed:
                self._store.batch((), doomed, sync=True)
                self._store.compact(doomed[0], keys.after(doomed[-1]))
                return doom
        return None

    def _free_mutations(self, doom: Doom) -> Doom | None:
        """The same for records of the mutation log, which stand among those of others."""
        decode = msgspec.json.Decoder(Mutation).decode
        span = (keys.mutation_key(doom.above + 1), keys.after(keys.MUTATIONS))
        seen = list(self._store.scan(*span, STEP))
        doomed = [key for key, value in seen if decode(value).instance in doom.instances]
        if doomed:
            self._store.batch((), doomed, sync=True)
            self._store.compact(doomed[0], keys.after(doomed[-1]))
        return replace(doom, above=int.from_bytes(seen[-1][0][1:], "big")) if seen else None


def _prefixes(instances: Iterable[int]) -> Iterator[bytes]:
    for number in instances:
        yield keys.instance_prefix(number)
        yield keys.part_prefix(number)
