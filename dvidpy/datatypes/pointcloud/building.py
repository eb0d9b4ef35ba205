"""A cloud made of the segmentation that it follows, in the background.

A step makes the points of some blocks, at once on several threads, and asks for the next; each replaces what the blocks
had, so a step done twice is as one done once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from dvidpy.datatypes.events import turn
from dvidpy.datatypes.pointcloud.edits import Packed, pack, put_block
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.datatypes.pointcloud.voxels import Order, demand_fitting, points_of
from dvidpy.datatypes.pointcloud.working import (
    AGAIN,
    BUILD,
    ask_next,
    ask_whole,
    is_complete,
    order_of,
    pending,
    source_of,
    work_of,
)
from dvidpy.errors import BadRequest, Busy
from dvidpy.geometry import Zyx, from_wire
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task

TOGETHER = 16
"""Blocks of a step."""
THREADS = min(8, os.cpu_count() or 1)


# ---------------------------------------------------------------------- ordering
def start(cloud: Cloud, scale: int, voxels: str, every: int) -> None:
    """Ask for the points of all blocks of a scale. Busy where that is under way.

    BadRequest where the cloud has points that were not made in this way: they would stay beside the new ones.
    """
    source = cloud.segmentation()
    if source is None:
        raise BadRequest(f"{cloud.instance.name!r} follows no segmentation: POST sync first")
    order = demand_fitting(Order(source.instance.uuid, scale, voxels, every), source, cloud.kind)
    with turn(cloud):
        if progress(cloud)["Running"]:
            raise Busy("a cloud of this version is being made already")
        if order_of(cloud) != order and next(cloud.blocks(), None) is not None:
            raise BadRequest(f"{cloud.instance.name!r} has points already that were made otherwise: use a new instance")
        change = cloud.change()
        ask_whole(cloud, change, order)
        cloud.view.commit(change)


def progress(cloud: Cloud) -> dict[str, Any]:
    """What is made of the cloud, and how far that is."""
    order, tasks = order_of(cloud), [*pending(cloud)]
    first = next((task.args for task in tasks if task.kind == BUILD and not task.failed), None)
    again = sum(len(task.args["blocks"]) for task in tasks if task.kind == AGAIN)
    said: dict[str, Any] = {"Running": first is not None, "BlocksAgain": again}
    if failed := next((task.failed for task in tasks if task.failed), ""):
        said["Failed"] = failed
    if first is not None:
        said |= {"Blocks": first["total"], "BlocksDone": first["done"]}
    if order is not None:
        said |= {"Complete": is_complete(cloud), "Scale": order.scale, "Voxels": order.voxels, "Every": order.every}
    return said


# ---------------------------------------------------------------------- making
def build(datastore: Datastore, task: Task, change: Change) -> None:
    """The next blocks, and those behind them asked for."""
    work = work_of(datastore, task, change)
    if work is None or work.order is None:
        return
    last = task.args["after"] and from_wire(task.args["after"])
    places = [*islice(work.source.blocks_from(work.order.scale, last), TOGETHER)]
    _make(work.cloud, work.order, places)
    total = task.args["total"]
    if total is None:
        total = sum(1 for _ in work.source.blocks_from(work.order.scale, None))
    said = {"done": task.args["done"] + len(places), "total": total}
    ask_next(work.cloud, change, task, {"after": [*reversed(places[-1])], **said} if places else None)


def build_again(datastore: Datastore, task: Task, change: Change) -> None:
    """Some blocks, once what they are made of is settled."""
    work = work_of(datastore, task, change)
    if work is None or work.order is None:
        return
    blocks = task.args["blocks"]
    _make(work.cloud, work.order, [from_wire(xyz) for xyz in blocks[:TOGETHER]])
    ask_next(work.cloud, change, task, {"blocks": blocks[TOGETHER:]} if blocks[TOGETHER:] else None)


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
        source = source_of(cloud)  # a snapshot belongs to one thread
        if source is None:
            return "", []
        block = points_of(source, order, place, kind)
        return block.name, [pack(label, points, codec) for label, points in block.parts]

    return make
