"""Merging with conflicts settled: earlier parents win, by deletions in a child of the later ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count

from dvidpy.errors import BadRequest
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import duties_of
from dvidpy.versioning.records import Instance, Node
from dvidpy.versioning.store import VersionedStore
from dvidpy.versioning.visibility import choose

NOTE = "Version for deleting conflicts before merge"
BATCH = 1000
"""Deletions in one edit."""


def resolve(datastore: Datastore, instances: Sequence[Instance], parents: Sequence[Node], note: str) -> Node:
    """The merged child. Parents that lose something get a locked child on a branch `conflict-<uuid>` first."""
    repo = datastore.catalogue.place(parents[0].uuid).repo
    if any(datastore.catalogue.place(parent.uuid).repo is not repo for parent in parents):
        raise BadRequest("the parents of a merge must belong to one repo")
    if len({parent.version for parent in parents}) < len(parents):
        raise BadRequest("a merge needs different parents")
    for parent in parents:
        if not parent.locked:
            raise BadRequest(f"version {parent.uuid} is not committed, so it cannot be merged")
    losers: dict[int, Node] = {}
    for instance in instances:
        if instance.versioned:
            _delete_conflicts(datastore, instance, parents, losers)
    for node in losers.values():
        datastore.settle(node)
        datastore.repos.commit(node, NOTE)
    return datastore.repos.merge([losers.get(parent.version, parent) for parent in parents], note)


def _delete_conflicts(
    datastore: Datastore, instance: Instance, parents: Sequence[Node], losers: dict[int, Node]
) -> None:
    values, shared = datastore.values(instance), duties_of(instance).shared
    waiting: dict[int, Change] = {}
    for at, typekey in _lost(values, parents):
        if typekey in shared:
            continue
        parent = parents[at]
        if parent.version not in losers:
            name = _free_name(datastore, parent, f"conflict-{parent.uuid}")
            losers[parent.version] = datastore.repos.branch(parent, name, NOTE)
        view = values.at(losers[parent.version].version)
        change = waiting.setdefault(at, view.change())
        view.delete(change, typekey)
        if len(change.cells) >= BATCH:
            view.commit(waiting.pop(at))
    for change in waiting.values():
        values.committer.commit(change)


def _free_name(datastore: Datastore, parent: Node, name: str) -> str:
    """The name, or name-2, name-3… where an earlier merge, or one that broke off, has taken it."""
    taken = {node.branch for node in datastore.catalogue.place(parent.uuid).repo.nodes.values()}
    return next(free for free in chain((name,), (f"{name}-{n}" for n in count(2))) if free not in taken)


def _lost(values: VersionedStore, parents: Sequence[Node]) -> Iterator[tuple[int, bytes]]:
    """(index of a parent, type key) of each value that an earlier parent has changed differently."""
    ancestries = [values.ancestries.of(parent.version) for parent in parents]
    for typekey, cells in values.rows():
        chosen = [choose(ancestry, cells) for ancestry in ancestries]
        alive = [(at, cell[0]) for at, cell in enumerate(chosen) if cell is not None]
        # A value that an other parent descends from was not changed here: it is no rival.
        rivals = [
            (at, version)
            for at, version in alive
            if not any(version in values.ancestries.of(other).members for _, other in alive if other != version)
        ]
        winner = rivals[0][1] if rivals else None
        yield from ((at, typekey) for at, version in rivals[1:] if version != winner)
