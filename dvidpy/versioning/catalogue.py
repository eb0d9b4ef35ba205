"""All repos, versions and instances of a server, as readers see them: looked up without locks.

`Repos` replaces what stands here, whole objects at a time, after they are durable.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import NamedTuple

from dvidpy.errors import UnknownInstance, UnknownVersion
from dvidpy.versioning import dag
from dvidpy.versioning.ancestry import Ancestries
from dvidpy.versioning.records import Instance, Node, Repo
from dvidpy.versioning.uuids import MASTER, match_prefix, parse_reference


class Place(NamedTuple):
    """A version and its repo."""

    repo: Repo
    node: Node


class Catalogue:
    """Lookups. Dictionaries are only ever replaced or given single items, so that readers need no lock."""

    def __init__(self, repos: Iterable[Repo] = ()) -> None:
        self.repos: dict[str, Repo] = {}
        """Root uuid -> repo."""
        self._repo_of: dict[str, str] = {}
        self._version_of: dict[str, int] = {}
        self._repo_of_version: dict[int, str] = {}
        self._sorted: list[str] = []
        self.ancestries = Ancestries(self.parents)
        for repo in repos:
            self.show(repo)

    # ------------------------------------------------------------------ lookups
    def place(self, uuid: str) -> Place:
        """Version of a full uuid; UnknownVersion where there is none (any more)."""
        try:
            repo = self.repos[self._repo_of[uuid]]
            return Place(repo, repo.nodes[self._version_of[uuid]])
        except KeyError:
            raise UnknownVersion(f"Could not find UUID {uuid!r}") from None

    def repo(self, root: str) -> Repo:
        """Repo of a root uuid; UnknownVersion where there is none (any more)."""
        try:
            return self.repos[root]
        except KeyError:
            raise UnknownVersion(f"Could not find UUID {root!r}") from None

    def find(self, reference: str) -> Place:
        """Version that a reference names; UnknownVersion where none, or more than one, goes by it."""
        if reference in self._repo_of:
            return self.place(reference)
        prefix, branch, back = parse_reference(reference)
        place = self.place(match_prefix(self._sorted, prefix)) if prefix else self._only_repo(reference)
        return place if branch is None else self._on_branch(place.repo, branch, back)

    def parents(self, version: int) -> tuple[int, ...]:
        """Parents of a version."""
        return self.node(version).parents

    def node(self, version: int) -> Node:
        """Node of a version number; UnknownVersion where there is none (any more)."""
        try:
            return self.repos[self._repo_of_version[version]].nodes[version]
        except KeyError:
            raise UnknownVersion("this version was deleted, with its repo") from None

    def knows(self, uuid: str) -> bool:
        """Whether a version has this very uuid."""
        return uuid in self._repo_of

    def knows_version(self, version: int) -> bool:
        """Whether a version has this number."""
        return version in self._repo_of_version

    def instances(self) -> dict[int, Instance]:
        """All instances by number."""
        return {i.number: i for repo in list(self.repos.values()) for i in repo.instances.values()}

    def has_instance(self, instance: Instance) -> bool:
        """Whether an instance is still there, under whatever name."""
        repo = self.repos.get(instance.repo)
        return repo is not None and any(i.number == instance.number for i in repo.instances.values())

    def current(self, instance: Instance) -> Instance:
        """An instance as it now is, under whatever name; UnknownInstance where it was deleted."""
        for found in self.repo(instance.repo).instances.values():
            if found.number == instance.number:
                return found
        raise UnknownInstance(f"Data {instance.name!r} was deleted")

    def of_data(self, data: str) -> Instance | None:
        """Instance of any repo by the uuid of its data."""
        found = (self.by_data(repo, data) for repo in list(self.repos.values()))
        return next((instance for instance in found if instance is not None), None)

    def by_data(self, repo: Repo, data: str) -> Instance | None:
        """Instance of a repo by the uuid of its data."""
        return next((i for i in repo.instances.values() if i.uuid == data), None)

    def branch_path(self, repo: Repo, branch: str) -> list[Node]:
        """Nodes from the newest of a branch back to the root; empty where there is no such branch."""
        head = repo.heads().get("" if branch == MASTER else branch)
        if head is None:
            return []
        return [repo.nodes[version] for version in dag.path_to_root(self.parents, head.version)]

    def sequence(self, first: Node, last: Node) -> list[Node]:
        """Nodes from `first` down to its descendant `last`; UnknownVersion where it is none."""
        path = dag.path_to_root(self.parents, last.version)
        if first.version not in path:
            raise UnknownVersion(f"{first.uuid} is no ancestor of {last.uuid}")
        return [self.node(version) for version in reversed(path[: path.index(first.version) + 1])]

    def _only_repo(self, reference: str) -> Place:
        if len(self.repos) != 1:
            raise UnknownVersion(f"{reference!r} names no repo, and this server has {len(self.repos)}")
        repo = next(iter(self.repos.values()))
        return Place(repo, repo.root)

    def _on_branch(self, repo: Repo, branch: str, back: int) -> Place:
        path = self.branch_path(repo, branch)
        if not path:
            raise UnknownVersion(f"branch {branch!r} not found in repo {repo.record.root}")
        if back >= len(path):
            raise UnknownVersion(f"branch {branch!r} has no version {back} steps back")
        return Place(repo, path[back])

    # ------------------------------------------------------------------ changes, by `Repos` under its lock
    def show(self, repo: Repo) -> None:
        """Let readers see a new state of a repo."""
        root = repo.record.root
        self.repos = self.repos | {root: repo}
        for version, node in repo.nodes.items():
            if version not in self._repo_of_version:
                self._version_of[node.uuid] = version
                self._repo_of_version[version] = root
                self._repo_of[node.uuid] = root
                grown = self._sorted.copy()
                insort(grown, node.uuid)
                self._sorted = grown

    def hide(self, repo: Repo) -> None:
        """A repo is gone, with its versions."""
        root = repo.record.root
        self.repos = {other: kept for other, kept in self.repos.items() if other != root}
        uuids = {node.uuid for node in repo.nodes.values()}
        self._sorted = [uuid for uuid in self._sorted if uuid not in uuids]
        for version, node in repo.nodes.items():
            self._repo_of_version.pop(version, None)
            self._repo_of.pop(node.uuid, None)
            self._version_of.pop(node.uuid, None)


def find_instance(repo: Repo, name: str) -> Instance:
    """Instance of a repo; UnknownInstance where there is none of that name."""
    try:
        return repo.instances[name]
    except KeyError:
        raise UnknownInstance(f"Data {name!r} not found in repo {repo.record.root}") from None
