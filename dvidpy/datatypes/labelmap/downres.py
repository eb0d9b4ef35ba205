"""Coarser scales: each block is the vote of eight of the scale below.

An edit asks, in its own batch, for the blocks above those it writes. A task computes some blocks of one scale, stores
them in the batch that removes it and asks for those above them: exactly once, whatever ends the server between.
"""

from __future__ import annotations

from collections.abc import Iterable

from dvidpy.datatypes.labelmap import blocks as stored_blocks
from dvidpy.datatypes.labelmap.instance import LabelMap
from dvidpy.datatypes.labelmap.keys import block_key
from dvidpy.datatypes.labels.downres import downres
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task

DOWNRES = "downres labels"
"""Kind of its tasks; `scale` is the one to compute, `blocks` are [z, y, x] of its blocks."""
AT_ONCE = 64
"""Blocks that one task computes."""


def ask(data: LabelMap, change: Change, scale: int, written: Iterable[Zyx]) -> None:
    """Ask, as part of an edit, for what lies above the blocks of a scale that it writes."""
    if scale >= data.scales:
        return
    above = sorted({(z >> 1, y >> 1, x >> 1) for z, y, x in written})
    queue = data.datastore.stack_of(data.instance).queue
    for first in range(0, len(above), AT_ONCE):
        args = {"scale": scale + 1, "blocks": above[first : first + AT_ONCE]}
        queue.add(change, Task(DOWNRES, data.instance.number, data.version, args))


def compute(datastore: Datastore, task: Task, change: Change) -> None:
    """Compute some blocks; nothing where the instance is gone."""
    instance = datastore.catalogue.instances().get(task.instance)
    if instance is None:
        return
    repo, node = datastore.catalogue.place(datastore.catalogue.node(task.version).uuid)
    data = LabelMap(datastore, repo, node, instance, None)
    data.view = data.view.frozen()
    scale = task.args["scale"]
    blocks = [(z, y, x) for z, y, x in task.args["blocks"]]
    for index in blocks:
        stored = block_above(data, scale, index)
        if stored is not None:
            data.view.put_stored(change, block_key(scale, index), stored)
    ask(data, change, scale, blocks)


def block_above(data: LabelMap, scale: int, index: Zyx) -> bytes | None:
    """The packed block of a scale, computed from the scale below; None where nothing is below it."""
    children = Box(index, (1, 1, 1)).voxels((2, 2, 2)).points()
    octants = [stored_blocks.load_one(data, scale - 1, child) for child in children]
    if not any(octants):
        return None
    return stored_blocks.pack(data, downres(octants, data.block))
