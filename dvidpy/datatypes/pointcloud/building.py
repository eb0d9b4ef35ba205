"""A cloud made of the segmentation that it follows, in the background, and kept in step with its voxels.

A step makes the points of some blocks, at once on several threads, and asks for the next; each replaces what the blocks
had, so a step done twice is as one done once. An edit of voxels (a split, a block posted) has the blocks that it wrote
made again. Merges and cleaves change no supervoxel, and nothing here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from dvidpy.datatypes.bodies import Segmented, followed
from dvidpy.datatypes.events import BlocksChanged, Heard, noted, subject_of, turn
from dvidpy.datatypes.pointcloud.edits import Packed, pack, put_block
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.datatypes.pointcloud.keys import ORDER
from dvidpy.datatypes.pointcloud.voxels import SURFACE, Order, demand_fitting, points_of
from dvidpy.errors import BadRequest, Busy
from dvidpy.geometry import Zyx, from_wire
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task, WorkQueue

BUILD, AGAIN = "build points", "build points again"
"""Kinds of its tasks: the next blocks, and some that changed."""
TOGETHER = 16
"""Blocks of a step."""
PAUSE_S = 0.02
THREADS = min(8, os.cpu_count() or 1)


# ---------------------------------------------------------------------- ordering
def start(cloud: Cloud, scale: int, voxels: str, every: int) -> None:
    """Ask for the points of all blocks of a scale. Busy where that is under way.

    BadRequest where the cloud has points that were not made in this way: they would stay beside the new ones.
    """
    source = _demand_source(cloud)
    order = demand_fitting(Order(source.instance.uuid, scale, voxels, every), source, cloud.kind)
    with turn(cloud):
        if progress(cloud)["Running"]:
            raise Busy("a cloud of this version is being made already")
        if order_of(cloud) != order and next(cloud.blocks(), None) is not None:
            raise BadRequest(f"{cloud.instance.name!r} has points already that were made otherwise: use a new instance")
        total = sum(1 for _ in source.blocks_from(scale, None))
        change = cloud.change()
        cloud.view.put(change, ORDER, msgspec.json.encode(order))
        _ask(cloud, change, BUILD, {"after": None, "done": 0, "total": total})
        cloud.view.commit(change)


def _demand_source(cloud: Cloud) -> Segmented:
    source = cloud.segmentation()
    if source is None:
        raise BadRequest(f"{cloud.instance.name!r} follows no segmentation: POST sync first")
    return source


def _ask(cloud: Cloud, change: Change, kind: str, args: dict[str, Any]) -> None:
    WorkQueue.add(change, Task(kind, cloud.instance.number, cloud.version, args))


def order_of(cloud: Cloud) -> Order | None:
    """How the cloud is made; None where it is not made of a segmentation."""
    stored = cloud.view.get(ORDER)
    return None if stored is None else msgspec.json.decode(stored, type=Order)


def progress(cloud: Cloud) -> dict[str, Any]:
    """What is made of the cloud, and how far that is."""
    order = order_of(cloud)
    queue = cloud.datastore.stack_of(cloud.instance).queue
    tasks = [
        task
        for key, task in queue.pending()
        if task.instance == cloud.instance.number and task.version == cloud.version and key not in queue.parked
    ]
    first = next((task.args for task in tasks if task.kind == BUILD), None)
    again = sum(len(task.args["blocks"]) for task in tasks if task.kind == AGAIN)
    said: dict[str, Any] = {"Running": first is not None, "BlocksAgain": again}
    if first is not None:
        said |= {"Blocks": first["total"], "BlocksDone": first["done"]}
    if order is not None:
        said |= {"Scale": order.scale, "Voxels": order.voxels, "Every": order.every}
    return said


# ---------------------------------------------------------------------- making
def build(datastore: Datastore, task: Task, change: Change) -> None:
    """The next blocks, and those behind them asked for; nothing where instance or segmentation is gone."""
    cloud, source, order = _found(datastore, task)
    if cloud is None or source is None or order is None:
        return
    last = task.args["after"] and from_wire(task.args["after"])
    places = [*islice(source.blocks_from(order.scale, last), TOGETHER)]
    _make(cloud, order, places)
    if places:
        said = {"after": [*reversed(places[-1])], "done": task.args["done"] + len(places), "total": task.args["total"]}
        _ask(cloud, change, BUILD, said)


def build_again(datastore: Datastore, task: Task, change: Change) -> None:
    """Some blocks, once what they are made of is settled."""
    cloud, source, order = _found(datastore, task)
    if cloud is None or source is None or order is None:
        return
    if order.scale and _unsettled(datastore, source, cloud.version):
        time.sleep(PAUSE_S)  # those of another store, that is
        _ask(cloud, change, AGAIN, task.args)  # behind what makes the coarser scales
        return
    places = [from_wire(xyz) for xyz in task.args["blocks"]]
    _make(cloud, order, places[:TOGETHER])
    if places[TOGETHER:]:
        _ask(cloud, change, AGAIN, {"blocks": [[*reversed(place)] for place in places[TOGETHER:]]})


def _found(datastore: Datastore, task: Task) -> tuple[Cloud | None, Segmented | None, Order | None]:
    cloud = subject_of(datastore, task.instance, task.version)
    if not isinstance(cloud, Cloud):
        return None, None, None
    return cloud, _source_of(cloud), order_of(cloud)


def _source_of(cloud: Cloud) -> Segmented | None:
    """The segmentation that the cloud is made of, as long as it is followed."""
    order = order_of(cloud)
    named = (found for found in followed(cloud) if order is not None and found.instance.uuid == order.source)
    return next((found for found in named if isinstance(found, Segmented)), None)


def _unsettled(datastore: Datastore, source: Segmented, version: int) -> bool:
    number = source.instance.number
    return any(
        task.instance == number and task.version == version and key not in queue.parked
        for queue in datastore.queues()
        for key, task in queue.pending()
    )


def _make(cloud: Cloud, order: Order, places: Iterable[Zyx]) -> None:
    """The points of some blocks, instead of what they had."""
    with turn(cloud), ThreadPoolExecutor(THREADS, thread_name_prefix="build") as threads:
        change = cloud.change()
        for name, packed in threads.map(_maker(cloud, order), places):
            put_block(cloud, change, name, packed)
        if change.cells:
            cloud.view.commit(change)


def _maker(cloud: Cloud, order: Order) -> Callable[[Zyx], tuple[str, list[Packed]]]:
    kind, codec = cloud.kind, cloud.view.codec

    def make(place: Zyx) -> tuple[str, list[Packed]]:
        source = _source_of(cloud)  # a snapshot belongs to one thread
        if source is None:
            return "", []
        block = points_of(source, order, place, kind)
        return block.name, [pack(label, points, codec) for label, points in block.parts]

    return make


# ---------------------------------------------------------------------- following
def hear(cloud: Cloud, heard: Heard) -> None:
    """Blocks of voxels that changed are to be made again."""
    change = cloud.view.change()
    order = order_of(cloud)
    if isinstance(heard.event, BlocksChanged) and order is not None and heard.source == order.source:
        places = _concerned(order, heard.event.blocks)
        _ask(cloud, change, AGAIN, {"blocks": [[*reversed(place)] for place in places]})
    noted(cloud, change, heard)
    cloud.view.commit(change)


def _concerned(order: Order, blocks: Iterable[Zyx]) -> list[Zyx]:
    """Blocks of the scale that are made of these; where surfaces count, those that touch them too."""
    found = np.unique(np.array([*blocks], np.int64) >> order.scale, axis=0)
    if order.voxels == SURFACE:
        steps = np.concatenate((np.zeros((1, 3), np.int64), np.eye(3, dtype=np.int64), -np.eye(3, dtype=np.int64)))
        found = np.unique((found[:, None] + steps[None]).reshape(-1, 3), axis=0)
    return [(z, y, x) for z, y, x in found.tolist()]
