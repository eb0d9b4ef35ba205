"""What a datatype does beside answering requests, told to the layers below it: `datatypes.registry` fills `DUTIES`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dvidpy.versioning.commits import Change
from dvidpy.versioning.queue import Task
from dvidpy.versioning.records import Instance, Node

if TYPE_CHECKING:
    from dvidpy.versioning.datastore import Datastore


class Kept(NamedTuple):
    """A stored value, for the type it belongs to."""

    instance: Instance
    version: int
    typekey: bytes
    read: Callable[[], bytes]
    """Its plain bytes."""


class Note(str):
    """What an operator should know of an instance, and is no fault."""

    __slots__ = ()


@dataclass(frozen=True)
class Duties:
    """Of one datatype; what it leaves out is nothing."""

    workers: Mapping[str, Callable[[Datastore, Task, Change], None]] = field(default_factory=dict)
    """Kind of a task -> does it: adds what it writes to the edit that also removes the task."""
    settle: Callable[[Datastore, Instance, Node], None] = lambda datastore, instance, node: None
    """A merge made or changed this version of an instance: asks for the work that follows from it."""
    prepare: Callable[[Datastore, Instance, Node], None] = lambda datastore, instance, node: None
    """A version was made, or is the newest of master when the server begins: asks `Datastore.aside` for what should be
    in memory before it is asked for. Quick; edits of a new version come later.
    """
    shared: frozenset[bytes] = frozenset()
    """Type keys of which a merge has what all its parents have, put together by the type: no conflict."""
    judge: Callable[[Kept], Iterable[str]] = lambda kept: ()
    """What is wrong with a stored value, for `dvidpy check`."""
    faults: Callable[[Datastore, Instance], Iterable[str]] = lambda datastore, instance: ()
    """What is wrong with an instance as a whole; a `Note` is no fault."""


DUTIES: dict[str, Duties] = {}
"""By name of the type."""


def duties_of(instance: Instance) -> Duties:
    """Those of an instance's type; none where the type is not known here."""
    return DUTIES.get(instance.type, Duties())


def workers() -> Iterator[tuple[str, Callable[[Datastore, Task, Change], None]]]:
    """(kind of a task, who does it) of all types."""
    for duties in {id(duties): duties for duties in DUTIES.values()}.values():
        yield from duties.workers.items()
