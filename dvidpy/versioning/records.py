"""What is remembered of repos, versions and instances. Values: a change makes a new record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from dvidpy.storage.codecs import Codec


def now() -> datetime:
    """The time that goes into records."""
    return datetime.now(UTC)


def stamp(time: datetime) -> str:
    """RFC 3339 with microseconds, as shown in info."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def log_line(text: str) -> str:
    """A line of a log: RFC 3339 time, two blanks, text."""
    return f"{now().isoformat(timespec='seconds').replace('+00:00', 'Z')}  {text}"


class Node(Struct, frozen=True, kw_only=True):
    """One version of a repo."""

    uuid: str
    version: int
    """Number that stands in keys; a child's is larger than its parents'."""
    parents: tuple[int, ...] = ()
    branch: str = ""
    note: str = ""
    log: tuple[str, ...] = ()
    locked: bool = False
    created: datetime = msgspec.field(default_factory=now)
    updated: datetime = msgspec.field(default_factory=now)
    hidden: bool = False
    """Room for hide-branch."""


class Instance(Struct, frozen=True, kw_only=True):
    """One data instance: a named set of values of one type, belonging to the whole repo."""

    name: str
    number: int
    """Number that stands in keys."""
    uuid: str
    """Identity of the data, apart from its name."""
    type: str
    repo: str
    """Root uuid of its repo."""
    root_version: int
    store: str
    """Name of the store its values live in, settled at creation."""
    log: str = ""
    """Name of the filelog store of its mutation log, settled at creation; empty for the folder of its store."""
    versioned: bool = True
    codec: Codec = Codec()
    tags: dict[str, str] | None = None
    syncs: tuple[str, ...] = ()
    """Uuids of the data it follows."""
    companion_of: str = ""
    """Uuid of the data it was made with, and goes with: renamed and deleted together."""
    settings: dict[str, Any] = {}
    """What its type keeps: block size, resolution…"""
    created: datetime = msgspec.field(default_factory=now)


class Deleted(Struct, frozen=True, kw_only=True):
    """An instance that was deleted, until all that is stored of it is gone. Its number is not used again."""

    number: int
    data: str
    """Uuid of its data."""
    name: str
    repo: str
    store: str
    at: datetime = msgspec.field(default_factory=now)


class RepoRecord(Struct, frozen=True, kw_only=True):
    """What belongs to the whole repo."""

    root: str
    number: int
    alias: str = ""
    description: str = ""
    passcode: str = ""
    properties: dict[str, Any] = {}
    log: tuple[str, ...] = ()
    masters: tuple[str, ...] = ()
    """Room for make-master: former names of branches."""
    created: datetime = msgspec.field(default_factory=now)
    updated: datetime = msgspec.field(default_factory=now)


class Repo:
    """A repo as readers see it: its records, replaced whole at each change, never changed in place."""

    __slots__ = ("instances", "nodes", "record")

    def __init__(self, record: RepoRecord, nodes: dict[int, Node], instances: dict[str, Instance]) -> None:
        self.record = record
        self.nodes = nodes
        """Version number -> node."""
        self.instances = instances
        """Name -> instance."""

    @property
    def root(self) -> Node:
        """The first version."""
        return self.nodes[min(self.nodes)]

    def heads(self) -> dict[str, Node]:
        """Branch name -> newest version made on it. The child of a merge is no head: see reference-notes."""
        return {node.branch: node for _, node in sorted(self.nodes.items()) if len(node.parents) < 2}
