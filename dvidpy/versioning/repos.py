"""Changes of repos, versions and instances: each checked, stored in one synced batch, then shown to readers."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from dvidpy.errors import BadRequest, LockedVersion, NotPrivileged
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning import metadata
from dvidpy.versioning.catalogue import Catalogue
from dvidpy.versioning.gates import Gates
from dvidpy.versioning.metadata import Counters, encode
from dvidpy.versioning.numbering import SEQUENTIAL, Numbering
from dvidpy.versioning.records import Deleted, Instance, Node, Repo, RepoRecord, log_line, now
from dvidpy.versioning.uuids import MASTER, new_uuid

RESERVED = frozenset({"log", "branch", "note", "commit", "newversion"})
"""Names an instance cannot have, as in the reference."""


class Drain(Protocol):
    """Returns when no background work of a version is pending; Busy when that takes too long."""

    def __call__(self, version: int) -> None:
        """Wait."""


class Repos:
    """All changes go through here, one at a time."""

    def __init__(self, store: KeyValueStore, gates: Gates, numbering: Numbering = SEQUENTIAL) -> None:
        metadata.prepare(store)
        self._store = store
        self._gates = gates
        self._numbering = numbering
        self._lock = threading.RLock()
        self._counters, repos = metadata.load(store)
        self.deleted = metadata.load_deleted(store)
        """Instances of which something may still be stored, by number."""
        self.catalogue = Catalogue(repos)
        self.drain: Drain = lambda version: None
        self.merged: Callable[[Node], None] = lambda node: None
        """Told of every child of a merge, before anybody else hears of it."""
        self.grown: Callable[[Node], None] = lambda node: None
        """The same of every new version that has a parent."""

    # ------------------------------------------------------------------ repos
    def create(self, alias: str = "", description: str = "", root: str | None = None, passcode: str = "") -> Repo:
        """A new repo with one open version."""
        with self._lock:
            uuid = self._free(root)
            counters = self._counters
            record = RepoRecord(
                root=uuid, number=counters.repo, alias=alias, description=description, passcode=passcode
            )
            node = Node(uuid=uuid, version=counters.version)
            grown = Counters(counters.repo + 1, counters.version + 1, counters.instance)
            repo = Repo(record, {node.version: node}, {})
            self._save(repo, [node], counters=grown)
            return repo

    def describe(self, repo: Repo, alias: str | None, description: str | None) -> None:
        """Change alias, description or both."""
        with self._lock:
            record = self._fresh(repo).record
            self._save_record(
                replace(
                    record,
                    alias=record.alias if alias is None else alias,
                    description=record.description if description is None else description,
                    updated=now(),
                )
            )

    def add_repo_log(self, repo: Repo, lines: Iterable[str]) -> None:
        """Append to the log of a repo, which stays writable when versions are locked."""
        with self._lock:
            record = self._fresh(repo).record
            self._save_record(replace(record, log=(*record.log, *map(log_line, lines)), updated=now()))

    # ------------------------------------------------------------------ versions
    def set_note(self, node: Node, note: str, *, forced: bool = False) -> None:
        """Replace the note of a version; LockedVersion if it is locked, unless forced."""
        with self._lock:
            node = self._node(node) if forced else self._refuse_locked(node)
            self._save_node(replace(node, note=note, updated=now()))

    def add_log(self, node: Node, lines: Iterable[str], *, forced: bool = False) -> None:
        """Append to the log of a version; LockedVersion if it is locked, unless forced."""
        with self._lock:
            node = self._node(node) if forced else self._refuse_locked(node)
            self._save_node(replace(node, log=(*node.log, *map(log_line, lines)), updated=now()))

    def commit(self, node: Node, note: str = "", log: Iterable[str] = ()) -> None:
        """Lock a version for good. Waits for edits and background work of it; LockedVersion if it is locked."""
        self._refuse_locked(node)
        with self._gates.closed(node.version):
            self.drain(node.version)
            with self._lock:
                node = self._refuse_locked(node)
                grown = (*node.log, *map(log_line, log))
                self._save_node(replace(node, locked=True, note=note or node.note, log=grown, updated=now()))

    def new_version(self, parent: Node, note: str = "", uuid: str | None = None) -> Node:
        """An open child on the branch of its locked parent, which has one at most."""
        with self._lock:
            repo, parent = self.catalogue.place(parent.uuid)
            self._demand_locked([parent])
            if any(parent.version in n.parents and n.branch == parent.branch for n in repo.nodes.values()):
                raise BadRequest(f"version {parent.uuid} already has a child on its own branch")
            return self._grow(repo, [parent], branch=parent.branch, note=note, uuid=uuid)

    def branch(self, parent: Node, branch: str, note: str = "", uuid: str | None = None) -> Node:
        """An open child on a new branch. The parent's own branch makes it a new version."""
        if branch in ("", MASTER):
            raise BadRequest("cannot create a master branch")
        with self._lock:
            repo, parent = self.catalogue.place(parent.uuid)
            if branch == parent.branch:
                return self.new_version(parent, note, uuid)
            self._demand_locked([parent])
            self._demand_new_branch(repo, branch)
            return self._grow(repo, [parent], branch=branch, note=note, uuid=uuid)

    def tag(self, parent: Node, tag: str) -> Node:
        """A locked child whose uuid is the tag, on branch `tag-<tag>`."""
        with self._lock:
            repo, parent = self.catalogue.place(parent.uuid)
            self._demand_locked([parent])
            self._demand_new_branch(repo, f"tag-{tag}")
            note = f'Tag of version {parent.uuid} with "{tag}"'
            return self._grow(repo, [parent], branch=f"tag-{tag}", note=note, uuid=tag, locked=True)

    def merge(self, parents: Sequence[Node], note: str = "") -> Node:
        """An open child, on the master branch, of two or more locked versions of one repo."""
        with self._lock:
            places = [self.catalogue.place(parent.uuid) for parent in parents]
            repo = places[0].repo
            if len({place.node.version for place in places}) < max(2, len(places)):
                raise BadRequest("a merge needs at least two different parents")
            if any(place.repo is not repo for place in places):
                raise BadRequest("the parents of a merge must belong to one repo")
            nodes = [place.node for place in places]
            self._demand_locked(nodes)
            child = self._grow(repo, nodes, branch="", note=note, uuid=None)
            self.merged(child)
            return child

    # ------------------------------------------------------------------ instances
    def add_instance(
        self,
        repo: Repo,
        name: str,
        make: Callable[[int, str], Instance],
        companions: Callable[[Instance], Sequence[Instance]] = lambda instance: (),
        line: str = "",
    ) -> Instance:
        """A new instance; `make` gets its number and data uuid. Its companions, which get their own, come with it.

        `line` goes into the log of the repo.
        """
        self._check_name(name)
        with self._lock:
            repo = self._fresh(repo)
            counters = self._counters
            taken = self.catalogue.instances().keys() | self.deleted.keys()
            number, following = self._numbering.take(counters.instance, taken)
            family = [instance := make(number, new_uuid())]
            for companion in companions(instance):
                taken = taken | {number}
                number, following = self._numbering.take(following, taken)
                family.append(replace(companion, number=number, uuid=new_uuid(), companion_of=family[0].uuid))
            for one in family:
                self._demand_new_name(repo, one.name)
            grown = Counters(counters.repo, counters.version, following)
            self._save_instances(_logged(repo, line), family, counters=grown)
            return instance

    def change_instance(self, instance: Instance, **changes: Any) -> Instance:
        """Replace fields of an instance's record."""
        with self._lock:
            changed = replace(self.catalogue.current(instance), **changes)
            self._save_instances(self.catalogue.repo(instance.repo), [changed])
            return changed

    def update_instance(
        self,
        instance: Instance,
        update: Callable[[Instance], dict[str, Any]],
        line: Callable[[Instance], str] | None = None,
    ) -> Instance:
        """The same, with changes worked out from the record as it now is; `line` goes into the log of the repo."""
        with self._lock:
            current = self.catalogue.current(instance)
            changed = replace(current, **update(current))
            repo = self.catalogue.repo(changed.repo)
            self._save_instances(_logged(repo, line(changed)) if line else repo, [changed])
            return changed

    def rename_instance(self, instance: Instance, name: str) -> Instance:
        """Give an instance another name, and its companions theirs; data, their uuid and what follows them stay."""
        self._check_name(name)
        with self._lock:
            current = self.catalogue.current(instance)
            repo = self.catalogue.repo(instance.repo)
            family = _family(repo, current)
            renamed = [replace(i, name=name + i.name.removeprefix(current.name)) for i in family]
            others = {other: i for other, i in repo.instances.items() if i not in family}
            for one in renamed:
                self._demand_new_name(repo, one.name)
            self._save(Repo(_touched(repo), repo.nodes, others | {i.name: i for i in renamed}), [], renamed)
            return renamed[0]

    # ------------------------------------------------------------------ deletion
    def demand_passcode(self, repo: Repo, passcode: str) -> None:
        """NotPrivileged where the repo was made with another passcode."""
        wanted = self._fresh(repo).record.passcode
        if wanted and not hmac.compare_digest(wanted.encode(), passcode.encode()):
            raise NotPrivileged("the passcode of the repo is needed, and was not given")

    def delete_instance(self, instance: Instance) -> list[Deleted]:
        """Hide an instance and its companions, at once and for good; what is left of them stands in `deleted`.

        Others follow them no more.
        """
        with self._lock:
            repo = self.catalogue.repo(instance.repo)
            family = _family(repo, self.catalogue.current(instance))
            uuids = {i.uuid for i in family}
            others = [i for i in repo.instances.values() if i.uuid not in uuids]
            changed = [
                replace(i, syncs=tuple(uuid for uuid in i.syncs if uuid not in uuids))
                for i in others
                if not uuids.isdisjoint(i.syncs)
            ]
            kept = {i.name: i for i in (*others, *changed)}
            gone = [metadata.instance_key(repo.record.number, i.number) for i in family]
            marked = self._mark_deleted(family)
            self._save(Repo(_touched(repo), repo.nodes, kept), [], changed, deleted=marked, deletes=gone)
            return marked

    def delete_repo(self, repo: Repo) -> list[Deleted]:
        """Hide a repo with its versions and instances, at once and for good."""
        with self._lock:
            repo = self._fresh(repo)
            number = repo.record.number
            marked = self._mark_deleted(repo.instances.values())
            deletes = [metadata.repo_key(number)]
            deletes += [metadata.node_key(number, version) for version in repo.nodes]
            deletes += [metadata.instance_key(number, i.number) for i in repo.instances.values()]
            puts = [(metadata.deleted_key(one.number), encode(one)) for one in marked]
            self._store.batch(puts, deletes, sync=True)
            self._remember(marked)
            self.catalogue.hide(repo)
            return marked

    def forget_deleted(self, numbers: Iterable[int]) -> None:
        """Nothing is stored of these instances any more."""
        with self._lock:
            known = [number for number in numbers if number in self.deleted]
            self._store.batch((), list(map(metadata.deleted_key, known)), sync=True)
            self.deleted = {number: one for number, one in self.deleted.items() if number not in known}

    @staticmethod
    def _mark_deleted(instances: Iterable[Instance]) -> list[Deleted]:
        return [Deleted(number=i.number, data=i.uuid, name=i.name, repo=i.repo, store=i.store) for i in instances]

    def _remember(self, marked: Iterable[Deleted]) -> None:
        self.deleted = self.deleted | {one.number: one for one in marked}

    # ------------------------------------------------------------------ checks
    def _free(self, uuid: str | None) -> str:
        """A uuid nobody has: the chosen one, if it may be."""
        if uuid is None:
            return new_uuid()
        # It is also part of the name of a file.
        if any(c in "/:~^" or c.isspace() or not c.isprintable() for c in uuid) or not 0 < len(uuid.encode()) <= 200:
            raise BadRequest(f"{uuid!r} cannot be the name of a version")
        if self.catalogue.knows(uuid):
            raise BadRequest(f"there is already a version {uuid}")
        return uuid

    @staticmethod
    def _check_name(name: str) -> None:
        if not name or "/" in name or name in RESERVED or not name.isprintable():
            raise BadRequest(f"{name!r} cannot be the name of a data instance")

    @staticmethod
    def _demand_new_name(repo: Repo, name: str) -> None:
        if name in repo.instances:
            raise BadRequest(f"there is already a data instance named {name!r} in repo {repo.record.root}")

    @staticmethod
    def _demand_locked(nodes: Iterable[Node]) -> None:
        for node in nodes:
            if not node.locked:
                raise BadRequest(f"version {node.uuid} is not committed, so it can have no child")

    @staticmethod
    def _demand_new_branch(repo: Repo, branch: str) -> None:
        if any(node.branch == branch for node in repo.nodes.values()):
            raise BadRequest(f"there is already a branch {branch!r} in repo {repo.record.root}")

    def _refuse_locked(self, node: Node) -> Node:
        node = self._node(node)
        if node.locked:
            raise LockedVersion(f"version {node.uuid} is committed already")
        return node

    # ------------------------------------------------------------------ storing and showing
    def _node(self, node: Node) -> Node:
        """The node as it now is."""
        return self.catalogue.node(node.version)

    def _fresh(self, repo: Repo) -> Repo:
        """The repo as it now is."""
        return self.catalogue.repo(repo.record.root)

    def _grow(
        self, repo: Repo, parents: Sequence[Node], *, branch: str, note: str, uuid: str | None, locked: bool = False
    ) -> Node:
        counters = self._counters
        child = Node(
            uuid=self._free(uuid),
            version=counters.version,
            parents=tuple(parent.version for parent in parents),
            branch=branch,
            note=note,
            locked=locked,
        )
        touched = [replace(parent, updated=now()) for parent in parents]
        grown = Counters(counters.repo, counters.version + 1, counters.instance)
        nodes = repo.nodes | {node.version: node for node in (*touched, child)}
        self._save(Repo(_touched(repo), nodes, repo.instances), [*touched, child], counters=grown)
        self.grown(child)
        return child

    def _save_record(self, record: RepoRecord) -> None:
        repo = self.catalogue.repo(record.root)
        self._save(Repo(record, repo.nodes, repo.instances), [])

    def _save_node(self, node: Node) -> None:
        repo = self.catalogue.place(node.uuid).repo
        self._save(Repo(repo.record, repo.nodes | {node.version: node}, repo.instances), [node])

    def _save_instances(self, repo: Repo, instances: Sequence[Instance], counters: Counters | None = None) -> None:
        named = {instance.name: instance for instance in instances}
        grown = Repo(_touched(repo), repo.nodes, repo.instances | named)
        self._save(grown, [], instances, counters)

    def _save(
        self,
        repo: Repo,
        nodes: Iterable[Node],
        instances: Iterable[Instance] = (),
        counters: Counters | None = None,
        deleted: Sequence[Deleted] = (),
        deletes: Sequence[bytes] = (),
    ) -> None:
        """Store the records in one synced batch, then let readers see the repo."""
        number = repo.record.number
        puts = [(metadata.repo_key(number), encode(repo.record))]
        puts += [(metadata.node_key(number, node.version), encode(node)) for node in nodes]
        puts += [(metadata.instance_key(number, i.number), encode(i)) for i in instances]
        if counters is not None:
            puts.append((metadata.COUNTERS_KEY, encode(counters)))
        puts += [(metadata.deleted_key(one.number), encode(one)) for one in deleted]
        self._store.batch(puts, deletes, sync=True)
        self._counters = counters or self._counters
        self._remember(deleted)
        self.catalogue.show(repo)


def _logged(repo: Repo, line: str) -> Repo:
    """The repo with one more line in its log; an empty one is none."""
    if not line:
        return repo
    return Repo(replace(repo.record, log=(*repo.record.log, log_line(line))), repo.nodes, repo.instances)


def _touched(repo: Repo) -> RepoRecord:
    return replace(repo.record, updated=now())


def _family(repo: Repo, instance: Instance) -> list[Instance]:
    """An instance and its companions; BadRequest for one that is itself a companion."""
    base = next((i for i in repo.instances.values() if i.uuid == instance.companion_of), None)
    if base is not None:
        raise BadRequest(f"{instance.name!r} goes with {base.name!r}: rename or delete that")
    return [instance, *(i for i in repo.instances.values() if i.companion_of == instance.uuid)]
