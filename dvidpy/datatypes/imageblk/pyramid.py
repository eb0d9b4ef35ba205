"""Lower resolutions of an instance, NAME_1, NAME_2…: instances whose voxels are means of eight of the one below.

An edit asks, in its own batch, for the blocks above those it writes. A task computes some blocks of one level from the
level below, and stores them in the batch that removes it and asks for those above them: exactly once, whatever ends
the server between. What a merge brings together is asked for like an edit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
from msgspec.structs import replace

from dvidpy.datatypes.imageblk.blocks import pack, unpack
from dvidpy.datatypes.imageblk.instance import LEVEL, ImageBlk
from dvidpy.datatypes.imageblk.keys import BLOCK, block_key
from dvidpy.datatypes.imageblk.settings import LEVELS
from dvidpy.datatypes.voxels.cutting import paste
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.datatypes.voxels.kinds import Voxels
from dvidpy.errors import StoreError
from dvidpy.geometry import Box, Zyx
from dvidpy.storage.codecs import JPEG
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task
from dvidpy.versioning.records import Instance, Node
from dvidpy.versioning.store import View

HALVE = "halve blocks"
"""Kind of its tasks; `blocks` are [z, y, x] of the blocks to compute, `instance` the one they belong to."""
LOOK_AHEAD = 32
"""Pending tasks that are looked through for the same blocks."""
AT_ONCE = 16 << 20
"""Bytes of blocks that one task reads, if they are more than eight."""
_OWN = ("VoxelSize", "MinPoint", "MaxPoint", LEVELS)
"""Settings that the levels do not share with their base."""


def companions(base: Instance) -> list[Instance]:
    """Records of the levels of a new instance."""
    shared = {key: value for key, value in base.settings.items() if key not in _OWN}
    return [
        replace(
            base,
            name=f"{base.name}_{level}",
            settings={
                **shared,
                "ScaleLevel": shared["ScaleLevel"] + level,
                LEVEL: level,
            },
        )
        for level in range(1, base.settings.get(LEVELS, 0) + 1)
    ]


# ---------------------------------------------------------------------- asking
def ask(data: ImageBlk, change: Change, written: Iterable[Zyx]) -> None:
    """Ask, as part of an edit, for what lies above the blocks it writes."""
    upper = data.level_instance(data.level + 1)
    if upper is not None:
        _ask_for(data, upper, change, {_above(index) for index in written})


def _ask_for(data: ImageBlk, level: Instance, change: Change, wanted: Iterable[Zyx]) -> None:
    """Ask for blocks of a level, as many in a task as it may read at once."""
    blocks = sorted(wanted)
    limit = max(1, AT_ONCE // (8 * data.block_bytes))
    queue = data.datastore.stack_of(level).queue
    for first in range(0, len(blocks), limit):
        queue.add(change, Task(HALVE, level.number, data.version, {"blocks": blocks[first : first + limit]}))


def settle(datastore: Datastore, instance: Instance, node: Node) -> None:
    """Ask for what lies above the blocks in which a version differs from one of its parents; of a level for these."""
    if not (instance.versioned and (LEVELS in instance.settings or instance.companion_of)):
        return
    fresh = _fresh(datastore, node)
    touched = (index for index, versions in _cells(datastore, instance) if not fresh.isdisjoint(versions))
    data = _at(datastore, instance, node)
    change = data.change()
    if instance.companion_of:  # `resolve` may have been told to delete there
        _ask_for(data, instance, change, touched)
    else:
        ask(data, change, touched)
    if change.tasks:
        data.view.commit(change)


def _above(index: Zyx) -> Zyx:
    z, y, x = index
    return z >> 1, y >> 1, x >> 1


def _fresh(datastore: Datastore, node: Node) -> frozenset[int]:
    """The version and those of its ancestors that some parent does not see."""
    ancestries = datastore.catalogue.ancestries
    seen_by_all = [ancestries.of(parent).members for parent in node.parents]
    return ancestries.of(node.version).members.difference(frozenset.intersection(*seen_by_all) if seen_by_all else ())


def _cells(datastore: Datastore, instance: Instance) -> Iterator[tuple[Zyx, list[int]]]:
    """(index of a block, versions that stored or deleted it)."""
    for typekey, cells in datastore.values(instance).rows():
        if typekey[:1] == BLOCK:
            yield index_of(typekey), [version for version, _ in cells]


# ---------------------------------------------------------------------- computing
def halve_blocks(datastore: Datastore, task: Task, change: Change) -> None:
    """Compute some blocks of a level; nothing where the level or what it is computed from is gone."""
    instance = datastore.catalogue.instances().get(task.instance)
    upper = instance and _at(datastore, instance, datastore.catalogue.node(task.version))
    lower = upper and upper.below()
    if not (upper and lower):
        return
    blocks = sorted(_blocks_of(task) - _asked_again(datastore, task, change))
    frozen = lower.view.frozen()
    for index in blocks:
        found = block_above(lower, frozen, index)
        if found is not None:
            upper.view.put_stored(change, block_key(index), pack(upper, found))
        elif upper.view.exists(block_key(index)):  # a merge left nothing to see below it
            upper.view.delete(change, block_key(index))
    ask(upper, change, blocks)


def _blocks_of(task: Task) -> set[Zyx]:
    return {(z, y, x) for z, y, x in task.args["blocks"]}


def _asked_again(datastore: Datastore, task: Task, change: Change) -> set[Zyx]:
    """Blocks that one of the next tasks computes too: slabs posted one after the other share what lies above them."""
    queue = datastore.stack_of(datastore.catalogue.instances()[task.instance]).queue
    return set().union(*map(_blocks_of, queue.behind(task, change, LOOK_AHEAD)))


def _at(datastore: Datastore, instance: Instance, node: Node) -> ImageBlk:
    return ImageBlk(datastore, datastore.catalogue.repos[instance.repo], node, instance, None)


def block_above(lower: ImageBlk, view: View, index: Zyx) -> Voxels | None:
    """The block above eight, background where some were never written; None where none was."""
    from dvidpy.kernels.halving import halve

    depth, height, width = lower.block
    place = Box(index, (1, 1, 1)).voxels((2, 2, 2))
    found = {child: value for child in place.points() if (value := view.find(block_key(child))) is not None}
    if not found:
        return None
    filled = np.full(8 * lower.block_bytes, lower.background, np.uint8)
    whole = filled.view(lower.kind.dtype).reshape(2 * depth, 2 * height, 2 * width)
    for (z, y, x), value in found.items():
        at = (z - place.start[0], y - place.start[1], x - place.start[2])
        paste(whole, (0, 0, 0), unpack(lower, value), (at[0] * depth, at[1] * height, at[2] * width))
    if lower.kind.interleaved:
        return lower.kind.voxels(halve(lower.kind.values(whole)))
    return halve(whole[..., None])[..., 0]


# ---------------------------------------------------------------------- checking
def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """Blocks of a level that are not what lies below them, at any version without pending work."""
    if not instance.companion_of:
        return
    repo = datastore.catalogue.repos[instance.repo]
    busy = {task.version for _, task in datastore.stack_of(instance).queue.pending() if task.kind == HALVE}
    for version, blocks in _to_check(datastore, instance).items():
        upper = _at(datastore, instance, repo.nodes[version])
        lower = upper.below()
        if lower is not None and version not in busy:
            wrong = (index for index in sorted(blocks) if not _agrees(upper, lower, index))
            yield from (f"block {[*index]} at version {version} is not what lies below it" for index in wrong)


def _to_check(datastore: Datastore, instance: Instance) -> dict[int, set[Zyx]]:
    """Blocks of a level by the versions in which they, or what lies below them, changed or were merged."""
    repo = datastore.catalogue.repos[instance.repo]
    below = _at(datastore, instance, repo.root).below()
    merges = {node.version: _fresh(datastore, node) for node in repo.nodes.values() if len(node.parents) > 1}
    changed = list(_cells(datastore, instance))
    if below is not None:
        changed += [(_above(index), versions) for index, versions in _cells(datastore, below.instance)]
    found: dict[int, set[Zyx]] = defaultdict(set)
    for index, versions in changed:
        for version in versions:
            found[version].add(index)
        for merge, fresh in merges.items():
            if not fresh.isdisjoint(versions):
                found[merge].add(index)
    return found


def _agrees(upper: ImageBlk, lower: ImageBlk, index: Zyx) -> bool:
    """Of blocks kept as JPEG only whether they are there: another encoder gives other bytes."""
    try:
        stored, computed = upper.view.find(block_key(index)), block_above(lower, lower.view, index)
        if stored is None or computed is None or upper.instance.codec.packing == JPEG:
            return (stored is None) == (computed is None)
        return bool(unpack(upper, stored).tobytes() == computed.tobytes())
    except StoreError:
        return False
