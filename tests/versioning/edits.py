"""Instances and edits without HTTP, for tests of what lies below it."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from dvidpy.storage.keys import after, escape, unescape
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.mutations import Mutation
from dvidpy.versioning.records import Instance, Node, Repo
from dvidpy.versioning.store import View

FIRST, LAST = b"\x01", b"\x02"


def new_instance(datastore: Datastore, repo: Repo, name: str = "notes", **record: Any) -> Instance:
    """A data instance of type keyvalue."""
    given: dict[str, Any] = {
        "type": "keyvalue",
        "repo": repo.record.root,
        "root_version": repo.root.version,
        "store": datastore.main.name,
    } | record
    return datastore.repos.add_instance(
        repo, name, lambda number, data: Instance(name=name, number=number, uuid=data, **given)
    )


def typekey(name: str) -> bytes:
    return FIRST + escape(name.encode())


def name_of(key: bytes) -> str:
    return unescape(key[1:]).decode()


def put(view: View, name: str, value: bytes) -> None:
    change = view.change(sync=False)
    view.put(change, typekey(name), value)
    view.commit(change)


def delete(view: View, name: str) -> None:
    change = view.change(sync=False)
    view.delete(change, typekey(name))
    view.commit(change)


def contents(view: View) -> dict[str, bytes]:
    """All that is visible, read by a range."""
    return {name_of(key): found.read() for key, found in view.range(FIRST, LAST)}


def names(view: View) -> list[str]:
    return [name_of(key) for key in view.keys(FIRST, LAST)]


def logged(instance: Instance, node: Node, *messages: bytes) -> Change:
    """An edit that leaves only its record in the log."""
    change = Change(instance.number, node.version, sync=False)
    change.mutation = Mutation(instance.number, node.version, instance.uuid, node.uuid, [Raw(m) for m in messages])
    return change


class Chain:
    """A repo, its instance and the newest version: `commit` locks it and goes on with a child."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore
        root = datastore.repos.create().record.root
        self.instance = new_instance(datastore, datastore.catalogue.repos[root])
        self.root = root
        self.node = self.repo.root

    @property
    def repo(self) -> Repo:
        """As it now is."""
        return self.datastore.catalogue.repos[self.root]

    def view(self, node: Node | None = None) -> View:
        return self.datastore.values(self.instance).at((node or self.node).version)

    def commit(self) -> Node:
        """The version that was locked."""
        done = self.node
        self.datastore.repos.commit(done)
        self.node = self.datastore.repos.new_version(done)
        return done

    def branch(self, parent: Node, name: str) -> Node:
        return self.datastore.repos.branch(parent, name)


def stored(store: KeyValueStore, prefix: bytes) -> list[bytes]:
    """Keys of a space."""
    return list(store.scan_keys(prefix, after(prefix)))
