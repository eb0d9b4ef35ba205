"""A server's stores with everything that stands on them: repos, versioned values, log, background work."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Collection, Container, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from dvidpy.config import Settings
from dvidpy.errors import Busy
from dvidpy.storage.blobs import BlobFolder, BlobPlace, Blobs, FirstOf
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.log import JsonLines
from dvidpy.storage.stores import mark_as_ours, open_store
from dvidpy.versioning import identity, log_places, metadata
from dvidpy.versioning.aside import Aside
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.duties import duties_of, workers
from dvidpy.versioning.freeing import Freeing, ask
from dvidpy.versioning.gates import Gates
from dvidpy.versioning.mutations import FIRST, MutationIds, MutationLog
from dvidpy.versioning.numbering import Numbering
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
        self.aside = Aside()
        self.ids = MutationIds(max(FIRST, settings.server.min_mutation_id_start))
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._process = secrets.token_hex(4)
        self._values: dict[int, VersionedStore] = {}
        self._stores: dict[str, KeyValueStore] = {}
        self.stacks: dict[str, Stack] = {}
        try:
            self._open(working=working)
        except BaseException:
            self.close()
            raise

    def _open(self, *, working: bool) -> None:
        settings = self.settings
        for name, chosen in settings.key_value_stores().items():
            self._stores[name] = open_store(chosen.engine, chosen.path)
            metadata.prepare(self._stores[name])
            mark_as_ours(chosen.engine, chosen.path)
        main, server = settings.default_store(), settings.server
        numbering = Numbering(server.instance_id_start, at_random=server.instance_id_gen == "random")
        self.repos = Repos(self._stores[main], self.gates, numbering)
        self.repos.drain, self.repos.merged = self.drain, self.settle
        self.catalogue = self.repos.catalogue
        identity.demand_same_stores(settings, self._stores, self.catalogue)
        identity.remember_stores(settings, self._stores)
        for name, store in self._stores.items():
            self.stacks[name] = self._stack(name, store)
        self.main = self.stacks[main]
        self._blobs = self._blob_places()
        self._go_on_freeing()
        self._settle_open_merges()
        if working:
            self._begin_work()

    def _begin_work(self) -> None:
        for stack in self.stacks.values():
            stack.queue.workers |= {kind: partial(work, self) for kind, work in workers()}
            stack.queue.start()
        self.repos.grown = self.prepare
        for repo in self.catalogue.repos.values():
            if (newest := repo.heads().get("")) is not None:
                self.prepare(newest)

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
            log = MutationLog(store, self._lines(name, store), self.ids)
            undo.callback(log.close)
            committer = Committer(store, log)
            undo.callback(committer.close)
            queue = WorkQueue(store, committer)
            undo.pop_all()
        Upkeep(store, committer, queue)
        return Stack(name, store, log, committer, queue, Blobs(store))

    def _lines(self, name: str, store: KeyValueStore) -> JsonLines:
        scratch = None if self.settings.stores[name].path else self._scratch_folder()
        return log_places.open_lines(self.settings, name, store, self.catalogue, scratch)

    def _scratch_folder(self) -> Path:
        """For the logs of stores without a folder; gone at the end."""
        self._scratch = self._scratch or tempfile.TemporaryDirectory(prefix="dvidpy-")
        return Path(self._scratch.name)

    def _blob_places(self) -> list[BlobPlace]:
        """Every place where blobs may lie, the one that [mutations] names first."""
        chosen = self.settings.mutations.blobstore
        folders = {
            name: BlobFolder(Path(store.path))
            for name, store in self.settings.stores.items()
            if store.engine == "filestore"
        }
        places = folders | {name: stack.blobs for name, stack in self.stacks.items()}
        return [places.pop(chosen), *places.values()] if chosen in places else list(places.values())

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

    def edition(self, instance: Instance, versions: Container[int]) -> str:
        """Another text after each edit of an instance in one of these versions, and in each process.

        Asked for before its values are read, it is that of values no newer than they.
        """
        last = self.stack_of(instance).committer.edited.get(instance.number, {}).copy()
        return f"{self._process}-{max((n for version, n in last.items() if version in versions), default=0):x}"

    def blobs(self, instance: Instance | None = None) -> BlobPlace:
        """Where blobs are kept: where [mutations] says, else with the instance, else in the main store. All places are
        searched.
        """
        if self.settings.mutations.blobstore:
            return FirstOf(*self._blobs)
        own = self.main if instance is None else self.stack_of(instance)
        return FirstOf(own.blobs, *self._blobs)

    def written(self) -> int:
        """Batches written so far, in all stores: what was read after this holds as long as it is the same."""
        return sum(stack.committer.written for stack in self.stacks.values())

    def drain(self, version: int) -> None:
        """Return when no background work of a version is pending; that of one store may ask for some in another."""
        queues = self.queues()
        before = -1
        while before != (before := sum(queue.done for queue in queues)):
            for queue in queues:
                queue.drain(version)

    def settle(self, node: Node) -> None:
        """Ask for the work that follows from a merge, or from what it deleted in a parent."""
        for instance in list(self.catalogue.place(node.uuid).repo.instances.values()):
            duties_of(instance).settle(self, instance, node)

    def prepare(self, node: Node) -> None:
        """Ask for what of a version should be in memory before requests come."""
        for instance in list(self.catalogue.place(node.uuid).repo.instances.values()):
            duties_of(instance).prepare(self, instance, node)

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

    def queues(self) -> Collection[WorkQueue]:
        """Background queues of all stores."""
        return [stack.queue for stack in self.stacks.values()]

    def close(self) -> None:
        """Finish what is being written, then let go of files and locks."""
        with ExitStack() as all_of_it:  # a medium that fails must not keep the others open
            all_of_it.callback(self._stores.clear)
            all_of_it.callback(self.stacks.clear)  # late: the task under way may ask for its store
            if self._scratch is not None:
                all_of_it.callback(self._scratch.cleanup)
            for store in self._stores.values():
                all_of_it.callback(store.close)
            all_of_it.callback(self.aside.close)
            for stack in self.stacks.values():
                for part in (stack.log, stack.committer, stack.queue):
                    all_of_it.callback(part.close)
