"""Repos as clients read them, in the reference's words. Put together once, until something changes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from dvidpy.datatypes.base import Data, Types
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Instance, Node, Repo, stamp

KEPT = 256
"""States of repos whose versions are kept as JSON."""
INSTANCES = 4096
"""Instances whose info is kept, deleted ones among them; beyond that all are put together again."""


class _Kept(NamedTuple):
    """Info of an instance, and of which moment it is."""

    data: Data
    written: int
    passing: object
    info: orjson.Fragment


class ShownRepos:
    """What info shows of repos. Any thread may ask."""

    def __init__(self, datastore: Datastore, types: Types) -> None:
        self._datastore = datastore
        self._types = types
        self._kept: dict[tuple[int, bool], _Kept] = {}
        """By number of the instance, and whether it is as in the list of all repos."""

    def repo(self, repo: Repo, *, listed: bool = False) -> dict[str, Any]:
        """What info shows of a repo; in the list of all repos some instances say more (`Data.listed`)."""
        record = repo.record
        ids, written = self._datastore.ids, self._datastore.written()
        return {
            "Root": record.root,
            "Alias": record.alias,
            "Description": record.description,
            "Log": record.log,
            "Properties": record.properties,
            "DataInstances": {
                name: self._instance(repo, one, written, listed=listed) for name, one in repo.instances.items()
            },
            "DAG": {"Root": record.root, "Nodes": orjson.Fragment(_nodes(repo))},
            "Created": stamp(record.created),
            "Updated": stamp(record.updated),
            "MutationID": ids.next,
            "SavedMutationID": ids.next,
        }

    def _instance(self, repo: Repo, instance: Instance, written: int, *, listed: bool) -> orjson.Fragment:
        """Info of an instance at the newest version of master. A state of a repo never changes, what is stored does."""
        kept = self._kept.get((instance.number, listed))
        if kept is not None and kept.data.repo is repo and kept.written == written:
            passing = kept.data.passing()
            if passing == kept.passing:
                return kept.info
        data = self._subject(repo, instance)
        passing = data.passing()
        made = _Kept(data, written, passing, orjson.Fragment(orjson.dumps(data.listed() if listed else data.info())))
        if len(self._kept) >= INSTANCES:
            self._kept.clear()
        self._kept[instance.number, listed] = made
        return made.info

    def _subject(self, repo: Repo, instance: Instance) -> Data:
        subject: type[Data] = self._types[instance.type].subject
        return subject(self._datastore, repo, repo.heads().get("", repo.root), instance, None)


@lru_cache(KEPT)
def _nodes(repo: Repo) -> bytes:
    """Versions as JSON; a state of a repo never changes."""
    children: dict[int, list[int]] = {version: [] for version in repo.nodes}
    for version, node in sorted(repo.nodes.items()):
        for parent in node.parents:
            children[parent].append(version)
    return orjson.dumps({node.uuid: _show_node(node, children[version]) for version, node in repo.nodes.items()})


def _show_node(node: Node, children: list[int]) -> dict[str, Any]:
    return {
        "Branch": node.branch,
        "Note": node.note,
        "Log": node.log,
        "UUID": node.uuid,
        "VersionID": node.version,
        "Locked": node.locked,
        "Parents": node.parents,
        "Children": children,
        "Created": stamp(node.created),
        "Updated": stamp(node.updated),
    }
