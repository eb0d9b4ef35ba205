"""Blocks of a labelvol that are not those of its labelblk: made again when a sync is set, told by `dvidpy check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.events import pending, subject_of
from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.copies import made_of
from dvidpy.datatypes.labelled.duties import FOLLOWING
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import rewrite
from dvidpy.datatypes.labelled.keys import scale_prefix
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labelvol.instance import FILL, LabelVol
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.errors import Busy
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import Note
from dvidpy.versioning.queue import Task
from dvidpy.versioning.records import Instance

TOGETHER = 256
"""Blocks that are compared, and made again, in one edit."""


class Differing(NamedTuple):
    """A block that is not what the labelblk has there."""

    place: Zyx
    made: LabelBlock
    """Of the labelblk."""
    wrong: bool
    """It has other labels, and not only less of them."""


def ask(data: LabelVol) -> None:
    """What it follows was set: all versions that are open get the blocks of the labelblk, in the background."""
    gates, nodes = data.datastore.gates, data.datastore.catalogue.repo(data.instance.repo).nodes
    for number, node in list(nodes.items()) if data.instance.versioned else [(data.version, data.node)]:
        if (node.locked and data.instance.versioned) or not _is_worth_it(data, number):
            continue
        try:
            gates.enter(number)
        except Busy:  # it is being committed
            continue
        try:
            view = data.datastore.values(data.instance).at(number)
            change = view.change()
            data.datastore.stack_of(data.instance).queue.add(change, Task(FILL, data.instance.number, number))
            view.commit(change)
        finally:
            gates.leave(number)


def _is_worth_it(data: LabelVol, version: int) -> bool:
    """Whether there is any block to compare; what is posted from now on comes by events."""
    there = subject_of(data.datastore, data.instance.number, version)
    if not isinstance(there, LabelVol) or (source := there.labelblk()) is None:
        return False
    return any(True for one in (there, source) for _ in one.view.keys(scale_prefix(0), scale_prefix(1)))


def fill(datastore: Datastore, task: Task, change: Change) -> None:
    """Make blocks again that differ; done twice, it changes nothing. It writes edits of its own, before its task is
    removed.
    """
    data = subject_of(datastore, task.instance, task.version)
    if not isinstance(data, LabelVol) or (source := data.labelblk()) is None:
        return
    every = _places(data, source)
    for places in (every[first : first + TOGETHER] for first in range(0, len(every), TOGETHER)):
        with data.state.turns.of():
            found = {one.place: one.made for one in _differing(data, source, places)}
            if found:
                with editing(data) as edit:
                    rewrite(edit, found)


def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """What does not agree in an instance, and with its labelblk in versions that are open and have no pending work.

    A labelvol that its labelblk does not follow may be edited alone.
    """
    yield from FOLLOWING.faults(datastore, instance)
    for node in datastore.catalogue.repo(instance.repo).nodes.values():
        data = subject_of(datastore, instance.number, node.version)
        if not isinstance(data, LabelVol) or node.locked or (source := data.labelblk()) is None or pending(data):
            continue
        for one in _differing(data, source, _places(data, source)):
            said = f"version {node.uuid}: block {one.place[::-1]} is not that of {source.instance.name!r}"
            yield said if one.wrong and data.is_pair(source) else Note(f"{said}, as after DELETE area or an own edit")


def _places(data: LabelVol, source: LabelMap) -> list[Zyx]:
    """Blocks of the labelvol where either of them has any."""
    places: set[Zyx] = set()
    for one in (data, source):
        for key in one.view.keys(scale_prefix(0), scale_prefix(1)):
            places.update(Box(index_of(key), (1, 1, 1)).voxels(one.block).blocks(data.block).points())
    return sorted(places)


def _differing(data: LabelVol, source: LabelMap, places: list[Zyx]) -> Iterator[Differing]:
    boxes = (Box(place, (1, 1, 1)).voxels(data.block) for place in places)
    for place, made in made_of(source, boxes, data.block):
        here = stored_blocks.load_one(data, 0, place)
        theirs, own = codec.to_volume(made), _volume(here, made)
        if not np.array_equal(theirs, own):
            yield Differing(place, made, bool(((own != theirs) & (own > 0)).any()))


def _volume(block: LabelBlock | None, like: LabelBlock) -> Labels:
    return np.zeros_like(codec.to_volume(like)) if block is None else codec.to_volume(block)
