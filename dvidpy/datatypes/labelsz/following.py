"""Counts follow the events of an annotation instance; counted again from its elements by `reload`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.events import ROW, ElementsChanged, Heard, noted, noted_all, pending, subject_of, turn
from dvidpy.datatypes.labelsz.counts import Counts, Labels, rows, summed
from dvidpy.datatypes.labelsz.instance import LabelSizes
from dvidpy.datatypes.labelsz.keys import COUNTS, SOURCE
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import Kept
from dvidpy.versioning.queue import Task, WorkQueue
from dvidpy.versioning.records import Instance, Node

RELOAD = "reload label sizes"
"""Kind of its tasks."""
TOGETHER = 1 << 20
"""Elements that are counted together."""


def hear(data: LabelSizes, heard: Heard) -> None:
    """Count what labels gained and lost."""
    change = data.view.change()
    if isinstance(heard.event, ElementsChanged):
        found = data.inside(np.frombuffer(heard.event.rows, ROW))
        data.add(change, *summed(found["label"], found["kind"], found["sign"].astype(np.int64)))
        if heard.event.first and data.is_empty():
            data.view.put(change, SOURCE, heard.source.encode())
    noted(data, change, heard)
    data.view.commit(change)


# ---------------------------------------------------------------------- counting again
def ask(data: LabelSizes) -> None:
    """Ask for everything to be counted again, in the background."""
    change = data.view.change()
    WorkQueue.add(change, Task(RELOAD, data.instance.number, data.version))
    data.view.commit(change)


def settle(datastore: Datastore, instance: Instance, node: Node) -> None:
    """A merge brought together elements of several parents: they are counted again."""
    data = subject_of(datastore, instance.number, node.version)
    if isinstance(data, LabelSizes) and instance.versioned and data.source() is not None:
        ask(data)


def work(datastore: Datastore, task: Task, change: Change) -> None:
    """Count everything again; nothing where an instance is gone. `change` only removes the task."""
    data = subject_of(datastore, task.instance, task.version)
    if not isinstance(data, LabelSizes):
        return
    with turn(data):
        source = data.source()
        if source is None:
            return
        below, elements = source.placed()
        edit = data.view.change()
        data.replace(edit, counted(data, elements))
        data.view.put(edit, SOURCE, data.source_uuid().encode())
        noted_all(data, edit, data.source_uuid(), below)
        data.view.commit(edit)


def counted(data: LabelSizes, elements: Iterator[NDArray[Any]]) -> Counts:
    """Counts of elements in labels, some of them at a time."""
    labels, table = np.empty(0, np.uint64), np.empty((0, 4), np.int64)
    waiting: list[NDArray[Any]] = []
    for some in elements:
        waiting.append(data.inside(some))
        if sum(map(len, waiting)) >= TOGETHER:
            labels, table = _joined(labels, table, np.concatenate(waiting))
            waiting = []
    if waiting:
        labels, table = _joined(labels, table, np.concatenate(waiting))
    return rows(labels, table)


def _joined(labels: Labels, table: NDArray[np.int64], found: NDArray[Any]) -> tuple[Labels, NDArray[np.int64]]:
    more, changes = summed(found["label"], found["kind"], np.ones(len(found), np.int64))
    every = np.union1d(labels, more)
    whole = np.zeros((every.size, 4), np.int64)
    whole[np.searchsorted(every, labels)] = table
    whole[np.searchsorted(every, more)] += changes
    return every, whole


# ---------------------------------------------------------------------- checking
def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with stored counts."""
    if kept.typekey[:1] == b"\x01":
        stored = kept.read()
        if len(stored) % COUNTS.itemsize or not (np.diff(np.frombuffer(stored, COUNTS)["label"]) > 0).all():
            yield "these are no counts of ascending labels"


def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """Versions whose counts are not those of the elements, without pending work."""
    for node in datastore.catalogue.repo(instance.repo).nodes.values():
        data = subject_of(datastore, instance.number, node.version)
        if not isinstance(data, LabelSizes) or pending(data) or not data.complete():
            continue
        source = data.source()
        if source is not None and not np.array_equal(counted(data, source.placed()[1]), data.everything()):
            yield f"version {node.version}: the counts are not those of the elements"
