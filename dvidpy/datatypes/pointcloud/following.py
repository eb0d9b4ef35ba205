"""What edits of the segmentation make of a cloud that follows it.

Merges and cleaves change no supervoxel, and nothing here. Blocks whose voxels were written are made again where the
cloud is made of them. Points of a label that was cut, however they came here, go to what has their voxels now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from dvidpy.datatypes.events import BlocksChanged, Heard, noted, subject_of, turn
from dvidpy.datatypes.labels.blocks import box_of, group_by_block
from dvidpy.datatypes.pointcloud.edits import move
from dvidpy.datatypes.pointcloud.instance import Cloud, Labels
from dvidpy.datatypes.pointcloud.keys import MERGED
from dvidpy.datatypes.pointcloud.packing import Points
from dvidpy.datatypes.pointcloud.voxels import SURFACE, Order
from dvidpy.datatypes.pointcloud.working import (
    AGAIN,
    DIVIDE,
    Work,
    ask_first,
    ask_next,
    ask_whole,
    order_of,
    pending,
    work_of,
)
from dvidpy.geometry import Zyx
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task
from dvidpy.versioning.records import Instance, Node

BLOCKS = 64
"""Blocks whose points are divided in one edit."""
FARTHEST = 1 << 31
"""Voxels have coordinates of 32 bits."""
Part = tuple[int, Points]
"""(label, its points)."""


def hear(cloud: Cloud, heard: Heard) -> None:
    """Blocks of voxels changed: those are to be made again, and points of labels that were cut to be divided."""
    change = cloud.view.change()
    order, event = order_of(cloud), heard.event
    if isinstance(event, BlocksChanged):
        name = "{}.{}".format(*heard.mark)
        if order is not None and heard.source == order.source:
            places = [[*reversed(place)] for place in concerned(order, event.blocks)]
            ask_first(cloud, change, AGAIN, name, {"blocks": places})
        if event.splits:
            ask_first(cloud, change, DIVIDE, name, {"splits": event.splits})
    noted(cloud, change, heard)
    cloud.view.commit(change)


def concerned(order: Order, blocks: Iterable[Zyx]) -> list[Zyx]:
    """Blocks of the scale that are made of these; where surfaces count, those that touch them too."""
    found = np.unique(np.array([*blocks], np.int64) >> order.scale, axis=0)
    if order.voxels == SURFACE:
        steps = np.concatenate((np.zeros((1, 3), np.int64), np.eye(3, dtype=np.int64), -np.eye(3, dtype=np.int64)))
        found = np.unique((found[:, None] + steps[None]).reshape(-1, 3), axis=0)
    return [(z, y, x) for z, y, x in found.tolist()]


# ---------------------------------------------------------------------- points of labels that were cut
def divide(datastore: Datastore, task: Task, change: Change) -> None:
    """Points of labels that were cut. All in one task, so that labels are cut here in the order they were cut there."""
    work = work_of(datastore, task, change)
    if work is None:
        return
    for label, remain, split in task.args["splits"]:
        blocks = work.cloud.blocks_of([label])
        for first in range(0, len(blocks), BLOCKS):
            with turn(work.cloud):
                edit = work.cloud.change()
                for block, parts in _divided(work, (label, remain, split), blocks[first : first + BLOCKS]):
                    move(work.cloud, edit, block, label, parts)
                work.cloud.view.commit(edit)
    ask_next(work.cloud, change, task, None)


def _divided(work: Work, cut: tuple[int, int, int], blocks: list[str]) -> Iterator[tuple[str, list[Part]]]:
    """(block, parts of the label's points in it)."""
    label, remain, split = cut
    found = [(block, points := work.cloud.part(label, block), _under(work, points)) for block in blocks]
    known = _descent(work.cloud, split)  # after the look at voxels: they may have been cut again meanwhile
    for block, points, supervoxels in found:
        goes = np.isin(supervoxels, known) | (remain == split)
        yield block, [(one, points[some]) for one, some in ((remain, ~goes), (split, goes)) if some.any()]


def _under(work: Work, points: Points) -> Labels:
    """(N,) supervoxels of the voxels that points lie in; 0 where there are none."""
    scale = work.order.scale if work.order is not None else 0
    out = np.zeros(len(points), np.uint64)
    if points.shape[1] < 3:
        return out
    near = ((points[:, :3] >= -FARTHEST) & (points[:, :3] < FARTHEST)).all(axis=1)
    places = np.flatnonzero(near)
    for group in group_by_block(np.floor(points[near, 2::-1]).astype(np.int64), work.source.block):
        voxels = work.source.supervoxels_in(scale, box_of(group.block, work.source.block))
        out[places[group.places]] = voxels[tuple(group.points.T)]
    return out


def _descent(cloud: Cloud, label: int) -> Labels:
    """A label, and what was made of it by cuts that this cloud has still to hear of, or to follow."""
    found = {label}
    for task in pending(cloud):
        splits = task.args.get("splits") or task.args.get("event", {}).get("splits", ())
        for one, *halves in splits:
            found.update(halves if one in found else ())
    return np.array([*found], np.uint64)


# ---------------------------------------------------------------------- merges of versions
def settle(datastore: Datastore, instance: Instance, node: Node) -> None:
    """A merge brought together clouds and voxels of several parents: the cloud is made again of the voxels."""
    cloud = subject_of(datastore, instance.number, node.version)
    if len(node.parents) < 2 or not instance.versioned or not isinstance(cloud, Cloud):
        return
    done = MERGED + node.version.to_bytes(4, "big")
    parents = (subject_of(datastore, instance.number, version) for version in node.parents)
    orders = (order_of(parent) for parent in parents if isinstance(parent, Cloud))
    order = next((one for one in orders if one is not None), None)
    if order is not None and not cloud.view.exists(done):
        change = cloud.change()
        cloud.view.put(change, done, b"")
        ask_whole(cloud, change, order)
        cloud.view.commit(change)
