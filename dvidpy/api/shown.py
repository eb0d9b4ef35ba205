"""Repos as clients read them, in the reference's words."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from dvidpy.api.state import Server
from dvidpy.datatypes.base import Data
from dvidpy.versioning.records import Instance, Node, Repo, stamp

KEPT = 256
"""States of repos whose versions are kept as JSON."""


def show_repo(server: Server, repo: Repo) -> dict[str, Any]:
    """What info shows of a repo."""
    record = repo.record
    ids = server.datastore.ids
    return {
        "Root": record.root,
        "Alias": record.alias,
        "Description": record.description,
        "Log": record.log,
        "Properties": record.properties,
        "DataInstances": {name: _show_instance(server, repo, i) for name, i in repo.instances.items()},
        "DAG": {"Root": record.root, "Nodes": orjson.Fragment(_nodes(repo))},
        "Created": stamp(record.created),
        "Updated": stamp(record.updated),
        "MutationID": ids.next,
        "SavedMutationID": ids.next,
    }


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


def _show_instance(server: Server, repo: Repo, instance: Instance) -> dict[str, Any]:
    """Info of an instance at the newest version of master."""
    newest = repo.heads().get("", repo.root)
    subject: type[Data] = server.types[instance.type].subject
    return subject(server.datastore, repo, newest, instance, None).info()
