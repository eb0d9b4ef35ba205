"""Events between instances: an edit of one tells those that follow it (POST sync) what became of it.

`publish` adds to the edit one task a follower that it concerns, so that event and edit are durable together; the
background queue hands them over in the order of the edits. The follower's type is told by `DataType.hears`, on the
queue's thread, and commits its answer together with a mark of the event (`noted`): an event that comes twice, because
the server ended between that batch and the removal of the task, is known. Commit of a version waits until all its
events are heard.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import takewhile
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from dvidpy.datatypes.base import Data, type_named
from dvidpy.errors import Busy
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task, WorkQueue
from dvidpy.versioning.records import Instance

FOLLOW = "follow"
"""Kind of the tasks that hand over an event; their instance is the follower."""
MARKS = b"\xff"
"""Class byte of a follower's marks, behind which stands the uuid of the data it follows."""
REMEMBERED = 64
"""Events of a source whose marks are kept; only those under way when a server ended can come again."""
PATIENCE_S = 20.0
PAUSE_S = 0.02

KINDS = ("Unknown", "PostSyn", "PreSyn", "Gap", "Note")
"""Kinds of elements, by the number that stands in rows."""
ROW = np.dtype([("x", "<i4"), ("y", "<i4"), ("z", "<i4"), ("kind", "u1"), ("sign", "i1"), ("label", "<u8")])
"""One element that a label gained (sign 1) or lost (sign -1)."""


class BlocksChanged(Struct, frozen=True, tag=True):
    """Voxels of these blocks may have other labels."""

    block: tuple[int, int, int]
    """Voxels of a block along z, y, x."""
    blocks: tuple[tuple[int, int, int], ...]
    """(z, y, x) of each in the grid."""
    labels: tuple[int, ...] = ()
    """Labels that voxels moved to, with the last blocks of an edit: who copies may find them written over already."""
    splits: tuple[tuple[int, int, int], ...] = ()
    """(label, remain, split) of each that was cut, with the last blocks: some of its voxels are `split` now, the rest
    `remain`, which may be the label itself."""


class BodiesChanged(Struct, frozen=True, tag=True):
    """Voxels of these bodies may belong to others: merged away, cleaved, split or renumbered."""

    bodies: tuple[int, ...]
    block: tuple[int, int, int] = (0, 0, 0)
    """Voxels of a block along z, y, x."""
    within: tuple[tuple[int, int, int], ...] = ()
    """(z, y, x) in the grid of all blocks with such voxels; none: that is not known."""


class Moved(Struct, frozen=True, array_like=True):
    """Voxels that had one label, and have another one."""

    label: int
    to: int
    """0: no label any more."""
    voxels: int
    """How many went."""
    left: int
    """How many the label still has; 0: it is no more."""
    supervoxels: tuple[int, ...] = ()
    """All that went, where labels are bodies of supervoxels."""
    others: int = 0
    """How many supervoxels the label still has, where it has any."""


class Recut(Struct, frozen=True, array_like=True):
    """A supervoxel that is no more, before anything moved: two others of its body have its voxels."""

    body: int
    supervoxel: int
    into: tuple[int, int]


class LabelsMoved(Struct, frozen=True, tag=True):
    """Labels were merged, split, cleaved, renumbered, or written over until none of their voxels was left."""

    moves: tuple[Moved, ...]
    """One after the other."""
    cuts: tuple[Recut, ...] = ()


class ElementsChanged(Struct, frozen=True, tag=True):
    """Labels gained or lost elements."""

    rows: bytes
    """Of `ROW`."""
    first: bool
    """Before this edit the version had no elements at all."""


Event = BlocksChanged | BodiesChanged | LabelsMoved | ElementsChanged


class Heard(Struct, frozen=True):
    """An event on its way to a follower."""

    source: str
    """Uuid of the data it comes from."""
    mutation: int
    """Id of the mutation it tells of; ids of a source ascend with its edits."""
    part: int
    """A mutation may have several events."""
    event: Event
    also: tuple[Heard, ...] = ()
    """Later events of the source, to be answered together with this one."""

    @property
    def mark(self) -> tuple[int, int]:
        """What it is known by, among the events of its source."""
        return self.mutation, self.part

    @property
    def events(self) -> Iterator[Event]:
        """This one, and what is to be answered together with it."""
        return (one.event for one in (self, *self.also))


# ---------------------------------------------------------------------- telling
def followers(data: Data) -> list[Instance]:
    """Instances of the repo that follow this one now."""
    instances = data.datastore.catalogue.repo(data.instance.repo).instances.values()
    return [one for one in instances if data.instance.uuid in one.syncs]


@contextmanager
def publish(
    data: Data, change: Change, mutation: int, events: Callable[[Collection[str]], Iterable[Event]]
) -> Iterator[None]:
    """Tell the followers as part of an edit, which has this id and is written while nobody else's is.

    `events` gives those of the names that are wanted, and may give others.

    It is written inside. A follower that an event does not concern is not told, and not edited inside either: what
    would concern it could come in between.
    """
    told = followers(data)
    if not told:
        yield
        return
    names = {name for one in told for name in type_named(one.type).told_of}
    with ExitStack() as still:
        for part, event in enumerate(events(names)):
            wanting = [one for one in told if _must_hear(data, one, event, still)]
            if not wanting:
                continue
            args = msgspec.to_builtins(Heard(data.instance.uuid, mutation, part, event))
            for follower in wanting:
                WorkQueue.add(change, Task(FOLLOW, follower.number, data.version, args))
        yield


def _must_hear(data: Data, follower: Instance, event: Event, still: ExitStack) -> bool:
    """Whether it wants to be told; where it need not be, `still` holds its turn. Nobody waits here for who has that."""
    kind = type_named(follower.type)
    if type(event).__name__ not in kind.told_of:
        return False
    if kind.concerned is None:
        return True
    subject = subject_of(data.datastore, follower.number, data.version)
    if subject is None or not (taken := turn(subject)).acquire(blocking=False):
        return True
    if kind.concerned(subject, event):
        taken.release()
        return True
    still.callback(taken.release)
    return False


# ---------------------------------------------------------------------- hearing
def deliver(datastore: Datastore, task: Task, change: Change) -> None:
    """Hand an event over; nothing where the follower is gone. `change` only removes the task."""
    follower = subject_of(datastore, task.instance, task.version)
    if follower is None:
        return
    with turn(follower):
        heard = _heard(task.args)
        if heard.source in follower.instance.syncs and not is_known(follower, heard):
            type_named(follower.instance.type).hears(follower, _with_next(follower, task, change, heard))


def _with_next(follower: Data, task: Task, change: Change, heard: Heard) -> Heard:
    """Together with the next ones that name bodies too: what became of those is looked up once, as it is by now."""
    source = follower.datastore.catalogue.by_data(follower.repo, heard.source)
    if source is None or not isinstance(heard.event, BodiesChanged):
        return heard
    behind = follower.datastore.stack_of(source).queue.behind(task, change, REMEMBERED - 1)
    return replace(heard, also=tuple(takewhile(partial(_alike, heard), (_heard(one.args) for one in behind))))


def _heard(args: dict[str, Any]) -> Heard:
    return msgspec.convert(args, Heard)


def _alike(one: Heard, other: Heard) -> bool:
    return one.source == other.source and isinstance(other.event, BodiesChanged)


def subject_of(datastore: Datastore, number: int, version: int) -> Data | None:
    """An instance at a version, as its type knows it; None where it is gone."""
    instance = datastore.catalogue.instances().get(number)
    if instance is None:
        return None
    repo = datastore.catalogue.repo(instance.repo)
    return type_named(instance.type).subject(datastore, repo, repo.nodes[version], instance, None)


class _Marks(Struct, omit_defaults=True):
    """What is known of the events of a source."""

    below: int = 0
    """All with smaller ids of mutations."""
    known: list[tuple[int, int]] = []


def _marks(data: Data, source: str) -> _Marks:
    stored = data.view.get(_marks_key(source))
    return _Marks() if stored is None else msgspec.json.decode(stored, type=_Marks)


def _marks_key(source: str) -> bytes:
    return MARKS + bytes.fromhex(source)


def is_known(data: Data, heard: Heard) -> bool:
    """The event was heard already."""
    marks = _marks(data, heard.source)
    return heard.mutation < marks.below or heard.mark in marks.known


def noted(data: Data, change: Change, heard: Heard) -> None:
    """Add to the edit that answers an event that it was heard, and what came with it.

    It needs no fsync where it stands behind its source's edit in the same log: it is durable before its task is gone.
    """
    change.sync = change.sync and not _shares_log(data, heard.source)
    marks = _marks(data, heard.source)
    marks.known = [*marks.known, heard.mark, *(one.mark for one in heard.also)][-REMEMBERED:]
    data.view.put(change, _marks_key(heard.source), msgspec.json.encode(marks))


def _shares_log(data: Data, source: str) -> bool:
    """Whether a source and its follower are stored together."""
    instance = data.datastore.catalogue.by_data(data.repo, source)
    return instance is not None and data.datastore.values(instance).committer is data.view.of.committer


def noted_all(data: Data, change: Change, source: str, below: int) -> None:
    """Add to an edit that it holds what all events of a source say, of mutations with smaller ids."""
    data.view.put(change, _marks_key(source), msgspec.json.encode(_Marks(below)))


_TURNS: WeakKeyDictionary[Datastore, dict[int, threading.RLock]] = WeakKeyDictionary()
_MAKING = threading.Lock()


def turn(data: Data) -> threading.RLock:
    """Held by whoever edits an instance, from the first look at what is there until the edit is durable."""
    with _MAKING:
        return _TURNS.setdefault(data.datastore, {}).setdefault(data.instance.number, threading.RLock())


# ---------------------------------------------------------------------- asking
def sources_of(data: Data, instance: Instance) -> Iterator[Instance]:
    """An instance of the repo, what it follows, and what that follows, each once."""
    waiting, seen = [instance], {instance.uuid}
    while waiting:
        yield (one := waiting.pop())
        found = (data.datastore.catalogue.by_data(data.repo, uuid) for uuid in one.syncs if uuid not in seen)
        waiting += [other for other in found if other is not None]
        seen.update(one.syncs)


def pending(data: Data) -> int:
    """Pieces of background work that may still change this version of an instance; parked ones do not count."""
    numbers = {one.number for one in sources_of(data, data.datastore.catalogue.current(data.instance))}
    queues = data.datastore.queues()
    return sum(
        task.instance in numbers and task.version == data.version and key not in queue.parked
        for queue in queues
        for key, task in queue.pending()
    )


async def until_settled(data: Data) -> None:
    """Return when nothing is pending; Busy when that takes too long."""
    until = time.monotonic() + PATIENCE_S
    while pending(data):
        if time.monotonic() > until:
            raise Busy("background work of this instance is still pending")
        await asyncio.sleep(PAUSE_S)
