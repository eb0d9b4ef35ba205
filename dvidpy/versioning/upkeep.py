"""Space given back: after enough parts of large values were deleted, their range is compacted in the background."""

from __future__ import annotations

from collections import Counter

from dvidpy.storage import keys
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.large import Manifest
from dvidpy.versioning.queue import Task, WorkQueue

COMPACT_AFTER = 256 << 20
"""Bytes of deleted parts in an instance that are worth a compaction."""
COMPACT_PARTS = "compact parts"


class Upkeep:
    """Counts what edits delete, and asks the background queue to give the space back."""

    def __init__(self, store: KeyValueStore, committer: Committer, queue: WorkQueue) -> None:
        self._store, self._queue = store, queue
        self._freed: Counter[int] = Counter()
        committer.freed = self.freed
        queue.workers[COMPACT_PARTS] = self._compact

    def freed(self, change: Change, manifest: Manifest) -> None:
        """An edit deletes a large value; if it is time, the edit also asks for a compaction."""
        self._freed[change.instance] += manifest.size
        if self._freed[change.instance] >= COMPACT_AFTER:
            self._freed[change.instance] = 0
            self._queue.add(change, Task(COMPACT_PARTS, change.instance))

    def _compact(self, task: Task, _: Change) -> None:
        prefix = keys.part_prefix(task.instance)
        self._store.compact(prefix, keys.after(prefix))
