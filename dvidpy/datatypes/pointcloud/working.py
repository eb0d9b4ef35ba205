"""Work on a cloud that its segmentation asks for, in the background: asked for, found again, and ended.

A task is asked for together with a note (`keys.OPEN`), which goes when all of it is done: a cloud is complete where
there is none. Work whose version was committed meanwhile (it failed, and commits do not wait for such) is not done any
more, as a committed version's cloud never changes; its note stays, and a child may make the cloud anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import structlog
from msgspec.structs import replace

from dvidpy.datatypes.bodies import Segmented, followed
from dvidpy.datatypes.events import subject_of
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.datatypes.pointcloud.keys import OPEN, ORDER
from dvidpy.datatypes.pointcloud.voxels import Order
from dvidpy.storage.keys import after
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task, WorkQueue

BUILD, AGAIN, DIVIDE = "build points", "build points again", "divide points"
"""Kinds of its tasks: the next blocks, some that changed, points of labels that were cut."""
PAUSE_S = 0.02


class Work(NamedTuple):
    """What a task is about."""

    cloud: Cloud
    source: Segmented
    order: Order | None
    """How the cloud is made; not None where it is to be made."""


# ---------------------------------------------------------------------- asking
def ask_first(cloud: Cloud, change: Change, kind: str, name: str, args: dict[str, Any]) -> None:
    """Ask for work under a name of its own, as part of an edit."""
    note = f"{kind} {name}"
    cloud.view.put(change, OPEN + note.encode(), b"")
    WorkQueue.add(change, Task(kind, cloud.instance.number, cloud.version, {**args, "note": note}))


def ask_next(cloud: Cloud, change: Change, task: Task, args: dict[str, Any] | None) -> None:
    """Ask for the rest of a task's work; None: all of it is done."""
    if args is not None:
        kept = {name: task.args[name] for name in ("note", "forced") if name in task.args}
        WorkQueue.add(change, Task(task.kind, task.instance, task.version, args | kept))
        return
    cloud.view.delete(change, OPEN + task.args["note"].encode())
    if task.kind == BUILD:  # all blocks are made, also those that somebody failed to make again
        for key in cloud.view.keys(OPEN + BUILD.encode(), after(OPEN + BUILD.encode())):
            cloud.view.delete(change, key)


def ask_whole(cloud: Cloud, change: Change, order: Order) -> None:
    """Ask for all blocks of a segmentation; one who may force that does it in a committed version too."""
    cloud.view.put(change, ORDER, msgspec.json.encode(order))
    forced = {"forced": True} if cloud.is_settled else {}
    ask_first(cloud, change, BUILD, "", {"after": None, "done": 0, "total": None, **forced})


# ---------------------------------------------------------------------- what is asked for
def order_of(cloud: Cloud) -> Order | None:
    """How the cloud is made; None where it is not made of a segmentation."""
    stored = cloud.view.get(ORDER)
    return None if stored is None else msgspec.json.decode(stored, type=Order)


def pending(cloud: Cloud) -> Iterator[Task]:
    """Tasks of this version of the cloud, in order; `failed` of those that were given up until the next start."""
    queue = cloud.datastore.stack_of(cloud.instance).queue
    for key, task in queue.pending():
        if task.instance == cloud.instance.number and task.version == cloud.version:
            failed = key in queue.parked
            yield replace(task, failed=(task.failed or "the log has why") if failed else "")


def is_complete(cloud: Cloud) -> bool:
    """Whether nothing that was asked for is still to be done."""
    return next(cloud.view.keys(OPEN, after(OPEN)), None) is None


def work_of(datastore: Datastore, task: Task, change: Change) -> Work | None:
    """What a task is about; None where there is nothing to do: never more, or not yet, and then it is asked for."""
    cloud = subject_of(datastore, task.instance, task.version)
    if not isinstance(cloud, Cloud):
        return None
    if cloud.is_settled and not task.args.get("forced"):
        structlog.get_logger().warning("a committed cloud stays as it is", task=task.kind, version=cloud.version_uuid)
        return None
    order = order_of(cloud)
    source = cloud.segmentation() if task.kind == DIVIDE else _source_of(cloud, order)
    if source is None:
        ask_next(cloud, change, task, None)
        return None
    if order is not None and order.scale and _is_changing(datastore, source, cloud.version):
        time.sleep(PAUSE_S)  # those of another store, that is
        ask_next(cloud, change, task, task.args)  # behind what makes the coarser scales
        return None
    return Work(cloud, source, order)


def _source_of(cloud: Cloud, order: Order | None) -> Segmented | None:
    """The segmentation that the cloud is made of, as long as it is followed."""
    named = (found for found in followed(cloud) if order is not None and found.instance.uuid == order.source)
    return next((found for found in named if isinstance(found, Segmented)), None)


def source_of(cloud: Cloud) -> Segmented | None:
    """The same, as stored now."""
    return _source_of(cloud, order_of(cloud))


def _is_changing(datastore: Datastore, source: Segmented, version: int) -> bool:
    number = source.instance.number
    return any(
        task.instance == number and task.version == version and key not in queue.parked
        for queue in datastore.queues()
        for key, task in queue.pending()
    )
