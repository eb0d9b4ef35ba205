"""A server's stores with everything that stands on them: repos, versioned values, log, background work."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from dvidpy.config import LOG_ENGINES, Settings
from dvidpy.errors import Busy, StoreError
from dvidpy.storage.blobs import Blobs
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.log import JsonLines
from dvidpy.storage.stores import open_store
from dvidpy.versioning import metadata
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.duties import duties_of, workers
from dvidpy.versioning.freeing import Freeing, ask
from dvidpy.versioning.gates import Gates
from dvidpy.versioning.mutations import MutationIds, MutationLog
from dvidpy.versioning.queue import WorkQueue
from dvidpy.versioning.records import Deleted, Instance, Node, Repo
from dvidpy.versioning.repos import Repos
from dvidpy.versioning.store import VersionedStore
from dvidpy.versioning.upkeep import Upkeep


@dataclass(frozen=True)
class Stack:
    """One store and what writes to it."""

    name: str
    store: KeyValueStore
    log: MutationLog
    committer: Committer
    queue: WorkQueue
    blobs: Blobs


class Datastore:
    """Open stores of a configuration. `close` it; everything acknowledged is durable anyway."""

    def __init__(self, settings: Settings, *, working: bool = True) -> None:
        """Without `working`, background work rests: for those who look at a store."""
        self.settings = settings
        self.gates = Gates()
        self.ids = MutationIds()
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._values: dict[int, VersionedStore] = {}
        self.stacks: dict[str, Stack] = {}
        try:
            self._open(working=working)
        except BaseException:
            self.close()
            raise

    def _open(self, *, working: bool) -> None:
        settings = self.settings
        for name, store in settings.stores.items():
            if store.engine not in LOG_ENGINES:
                self.stacks[name] = self._stack(name, open_store(store.engine, store.path, store.model_extra or {}))
        self.main = self.stacks[settings.default_store()]
        self.repos = Repos(self.main.store, self.gates)
        self.repos.drain, self.repos.merged = self.drain, self.settle
        self.catalogue = self.repos.catalogue
        for instance in self.catalogue.instances().values():
            if instance.store not in self.stacks:
                raise StoreError(
                    f"the values of {instance.name!r} in repo {instance.repo} are in the store {instance.store!r}, "
                    "which is not configured"
                )
        self._go_on_freeing()
        self._settle_open_merges()
        for stack in self.stacks.values() if working else ():
            stack.queue.workers |= {kind: partial(work, self) for kind, work in workers()}
            stack.queue.start()

    def _go_on_freeing(self) -> None:
        """What a crash left of deleted instances is freed too, though it came before that was asked for."""
        for name, stack in self.stacks.items():
            doomed = [one for one in self.repos.deleted.values() if one.store == name]
            Freeing(stack.store, stack.committer, stack.log.lines, stack.queue, self.repos.forget_deleted)
            stack.committer.shut_out(one.number for one in doomed)
            asked = stack.queue.freeing()
            if missing := [one for one in doomed if one.number not in asked]:
                self._ask_to_free(stack, missing)

    @staticmethod
    def _ask_to_free(stack: Stack, doomed: Iterable[Deleted]) -> None:
        change = Change(0, 0)
        stack.queue.add(change, ask(doomed))
        try:
            stack.committer.commit(change)
        except Busy:  # they are deleted all the same; the next start asks again
            structlog.get_logger().warning("deleted instances are freed after the next start", store=stack.name)

    def _stack(self, name: str, store: KeyValueStore) -> Stack:
        with ExitStack() as undo:
            undo.callback(store.close)
            metadata.prepare(store)
            log = MutationLog(store, self._lines(name), self.ids)
            undo.callback(log.close)
            committer = Committer(store, log)
            undo.callback(committer.close)
            queue = WorkQueue(store, committer)
            undo.pop_all()
        Upkeep(store, committer, queue)
        return Stack(name, store, log, committer, queue, Blobs(store))

    def _lines(self, name: str) -> JsonLines:
        folder = self._log_folder(name)
        try:
            return JsonLines(folder)
        except OSError as error:
            raise StoreError(f"cannot open the log of mutations in {folder}: {error}") from error

    def _log_folder(self, name: str) -> Path:
        """Folder of the JSON lines: of the filelog store that [mutations] names, else beside the store."""
        chosen = self.settings.stores.get(self.settings.mutations.jsonstore)
        if chosen is not None and chosen.engine == "filelog" and chosen.path:
            return Path(chosen.path) / name
        path = self.settings.stores[name].path
        if path:
            return Path(path).parent / f"{Path(path).name}-mutations"
        self._scratch = self._scratch or tempfile.TemporaryDirectory(prefix="dvidpy-")
        return Path(self._scratch.name) / name

    # ------------------------------------------------------------------ what requests use
    def values(self, instance: Instance) -> VersionedStore:
        """The versioned values of an instance."""
        found = self._values.get(instance.number)
        if found is None or found.codec != instance.codec:
            stack = self.stacks[instance.store]
            found = VersionedStore(
                stack.store, instance.number, instance.codec, self.catalogue.ancestries, stack.committer
            )
            self._values[instance.number] = found
        return found

    def stack_of(self, instance: Instance) -> Stack:
        """The store of an instance with its log and queue."""
        return self.stacks[instance.store]

    def blobs(self) -> Blobs:
        """The server's blob store: the one [mutations] names, else the main store."""
        stack = self.stacks.get(self.settings.mutations.blobstore, self.main)
        return stack.blobs

    def drain(self, version: int) -> None:
        """Return when no background work of a version is pending."""
        for stack in self.stacks.values():
            stack.queue.drain(version)

    def settle(self, node: Node) -> None:
        """Ask for the work that follows from a merge, or from what it deleted in a parent."""
        for instance in list(self.catalogue.place(node.uuid).repo.instances.values()):
            duties_of(instance).settle(self, instance, node)

    def _settle_open_merges(self) -> None:
        """A crash may have come between a merge and its work; that may be asked for twice."""
        for repo in self.catalogue.repos.values():
            for node in repo.nodes.values():
                if len(node.parents) > 1 and not node.locked:
                    self.settle(node)

    # ------------------------------------------------------------------ deletion
    def delete_instance(self, instance: Instance) -> None:
        """Hide an instance at once; what is stored of it is freed in the background."""
        self._free(self.repos.delete_instance(instance))

    def delete_repo(self, repo: Repo) -> None:
        """Hide a repo at once; what is stored of it is freed in the background."""
        self._free(self.repos.delete_repo(repo))

    def _free(self, doomed: Iterable[Deleted]) -> None:
        by_store: dict[str, list[Deleted]] = {}
        for one in doomed:
            by_store.setdefault(one.store, []).append(one)
            self._values.pop(one.number, None)
        for name, gone in by_store.items():
            stack = self.stacks[name]
            stack.committer.shut_out(one.number for one in gone)
            self._ask_to_free(stack, gone)

    def queues(self) -> Iterable[WorkQueue]:
        """Background queues of all stores."""
        return [stack.queue for stack in self.stacks.values()]

    def close(self) -> None:
        """Finish what is being written, then let go of files and locks."""
        with ExitStack() as all_of_it:  # a medium that fails must not keep the others open
            all_of_it.callback(self.stacks.clear)  # last: the task under way may ask for its store
            if self._scratch is not None:
                all_of_it.callback(self._scratch.cleanup)
            for stack in self.stacks.values():
                for part in (stack.store, stack.log, stack.committer, stack.queue):
                    all_of_it.callback(part.close)
