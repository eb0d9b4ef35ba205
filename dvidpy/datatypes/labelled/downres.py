"""Coarser scales: each block is the vote of eight of the scale below.

`follow` is part of an edit that has its blocks at hand: the blocks above them are computed at once, and stand in the
same batch. What only a task computes (`ask`: versions that were merged, scales that came later) waits in the queue; a
task stores its blocks in the batch that removes it, so exactly once, whatever ends the server between.

Clients may write scales by hand. A block that need not be what the scale below makes of it has a note (`apart_key`)
until it is computed; `faults` looks at all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import is_
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.edits import Edit
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import APART, BLOCK, apart_key, block_key
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.downres import downres
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.found import Found
from dvidpy.versioning.queue import Task
from dvidpy.versioning.records import Instance, Node

DOWNRES = "downres labels"
"""Kind of its tasks; `scale` is the one to compute, `blocks` are [z, y, x] of its blocks."""
AT_ONCE = 64
"""Blocks that one task computes."""


# ---------------------------------------------------------------------- as part of an edit
def follow(
    edit: Edit, scale: int, written: Mapping[Zyx, LabelBlock], *, downres: bool, ahead: Ahead | None = None
) -> None:
    """What becomes of the coarser scales of blocks that an edit writes: computed with it, or left apart."""
    data, ahead = edit.data, ahead or Ahead()
    if scale and written:
        _note_apart(edit, scale, written)
    busy = _pending(data)
    while scale < data.scales and written:
        scale += 1
        above = _by_parent(written)
        late = above.keys() & busy[scale]
        ask(data, edit.change, scale - 1, (child for parent in late for child in above[parent]))
        if not downres:
            _note_apart(edit, scale, above.keys() - late)
            return
        made = ahead.blocks(data, scale, above, sorted(above.keys() - late))
        written = {parent: block for parent, (block, _) in made.items()}
        for parent, (_, stored) in made.items():
            edit.put_block(scale, parent, stored)
            if data.view.exists(apart_key(scale, parent)):  # it was computed from all below it
                data.view.delete(edit.change, apart_key(scale, parent))


def _note_apart(edit: Edit, scale: int, blocks: Iterable[Zyx]) -> None:
    for index in blocks:
        edit.data.plain_view.put(edit.change, apart_key(scale, index), b"")


class _Above(NamedTuple):
    """A block above some that an edit writes, and what it was computed from."""

    octants: list[LabelBlock | None]
    """Those below it that are written."""
    apart: bool
    others: list[bytes | None]
    """As stored: the block itself as it was; or, where that stood apart, those below it that are not written."""
    block: LabelBlock
    stored: bytes

    def is_of(self, octants: list[LabelBlock | None], others: list[bytes | None], *, apart: bool) -> bool:
        """Whether it would come out the same of these."""
        return apart == self.apart and others == self.others and all(map(is_, octants, self.octants))


class Ahead:
    """Coarser blocks that are computed before an edit has its turn, and anew where what they are of has changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Zyx], _Above] = {}

    def prepare(self, data: LabelMap, written: Mapping[Zyx, LabelBlock]) -> None:
        """Compute what lies above blocks of full resolution that an edit is going to write."""
        busy = _pending(data)
        for scale in range(1, data.scales + 1):
            above = _by_parent(written)
            made = self.blocks(data, scale, above, sorted(above.keys() - busy[scale]))
            written = {one: block for one, (block, _) in made.items()}

    def blocks(
        self, data: LabelMap, scale: int, above: Mapping[Zyx, Mapping[Zyx, LabelBlock]], some: Sequence[Zyx]
    ) -> dict[Zyx, tuple[LabelBlock, bytes]]:
        """Some of the blocks above those that an edit writes, worked out by all threads that are idle."""
        made = stored_blocks.spread(data, lambda one: self.block(data, scale, one, above[one]), some)
        return dict(zip(some, made, strict=True))

    def block(
        self, data: LabelMap, scale: int, index: Zyx, written: Mapping[Zyx, LabelBlock]
    ) -> tuple[LabelBlock, bytes]:
        """(block above some that an edit writes, the same packed); where it stood apart, from all eight below it."""
        octants = [written.get(child) for child in _children(index)]
        apart = data.view.exists(apart_key(scale, index))
        missing = (child for child, octant in zip(_children(index), octants, strict=True) if octant is None)
        rows = [block_key(scale - 1, child) for child in missing] if apart else [block_key(scale, index)]
        found = [data.view.find(row) for row in rows]
        others = [None if one is None else one.stored for one in found]
        known = self._known.get((scale, index))
        if known is None or not known.is_of(octants, others, apart=apart):
            block = _computed(data, octants, found, apart=apart)
            known = _Above(octants, apart, others, block, stored_blocks.pack(data, block))
            self._known[scale, index] = known
        return known.block, known.stored


def _computed(
    data: LabelMap, octants: list[LabelBlock | None], others: list[Found | None], *, apart: bool
) -> LabelBlock:
    loaded = [None if one is None else stored_blocks.load(data, one) for one in others]
    if not apart:
        return downres(octants, data.block, loaded[0])
    rest = iter(loaded)
    return downres([octant or next(rest) for octant in octants], data.block)


def _pending(data: LabelMap) -> defaultdict[int, set[Zyx]]:
    """Scale -> blocks that tasks will compute in this version, those that follow from them included."""
    busy: defaultdict[int, set[Zyx]] = defaultdict(set)
    for task in _tasks(data.datastore, data.instance):
        if task.version == data.version:
            blocks = _blocks_of(task)
            for scale in range(task.args["scale"], data.scales + 1):
                busy[scale] |= blocks
                blocks = {_above(index) for index in blocks}
    return busy


def _by_parent(written: Mapping[Zyx, LabelBlock]) -> dict[Zyx, dict[Zyx, LabelBlock]]:
    found: defaultdict[Zyx, dict[Zyx, LabelBlock]] = defaultdict(dict)
    for index, block in written.items():
        found[_above(index)][index] = block
    return found


def _above(index: Zyx) -> Zyx:
    z, y, x = index
    return z >> 1, y >> 1, x >> 1


def _children(index: Zyx) -> Iterator[Zyx]:
    """The eight below, x fastest."""
    return Box(index, (1, 1, 1)).voxels((2, 2, 2)).points()


# ---------------------------------------------------------------------- tasks
def ask(data: LabelMap, change: Change, scale: int, written: Iterable[Zyx]) -> None:
    """Ask, as part of an edit, for what lies above the blocks of a scale."""
    if scale >= data.scales:
        return
    above = sorted({_above(index) for index in written})
    queue = data.datastore.stack_of(data.instance).queue
    for first in range(0, len(above), AT_ONCE):
        args = {"scale": scale + 1, "blocks": above[first : first + AT_ONCE]}
        queue.add(change, Task(DOWNRES, data.instance.number, data.version, args))


def compute(datastore: Datastore, task: Task, change: Change) -> None:
    """Compute some blocks; nothing where the instance is gone."""
    instance = datastore.catalogue.instances().get(task.instance)
    if instance is None:
        return
    data = _at(datastore, instance, datastore.catalogue.node(task.version))
    data.view = data.view.frozen()
    scale, blocks = task.args["scale"], _blocks_of(task)
    for index in sorted(blocks):
        block = block_above(data, scale, index)
        if block is not None:
            data.view.put_stored(change, block_key(scale, index), stored_blocks.pack(data, block))
        elif data.view.exists(block_key(scale, index)):  # a merge left nothing to see below it
            data.view.delete(change, block_key(scale, index))
        if data.view.exists(apart_key(scale, index)):
            data.view.delete(change, apart_key(scale, index))
    ask(data, change, scale, blocks)


def block_above(data: LabelMap, scale: int, index: Zyx) -> LabelBlock | None:
    """The block of a scale, computed from the scale below; None where nothing is below it."""
    octants = [stored_blocks.load_one(data, scale - 1, child) for child in _children(index)]
    return downres(octants, data.block) if any(octants) else None


def settle(datastore: Datastore, instance: Instance, node: Node) -> None:
    """Ask for what lies above the blocks in which a version differs from one of its parents, and for these."""
    data = _at(datastore, instance, node)
    if not (instance.versioned and data.scales):
        return
    fresh, change = _fresh(datastore, node), data.change()
    touched: defaultdict[int, set[Zyx]] = defaultdict(set)
    for scale, index, versions in _cells(datastore, instance, BLOCK):
        if not fresh.isdisjoint(versions):
            touched[scale].add(index)
    for scale, blocks in sorted(touched.items()):
        kept = {index for index in blocks if not data.view.exists(apart_key(scale + 1, _above(index)))}
        ask(data, change, scale, kept)
    if change.tasks:
        data.view.commit(change)


def ask_above(data: LabelMap, scale: int) -> None:
    """Ask, in every version, for the scales above one that was the last."""
    wanted: defaultdict[int, set[Zyx]] = defaultdict(set)
    for found, index, versions in _cells(data.datastore, data.instance, BLOCK):
        for version in versions if found == scale else ():
            wanted[version].add(index)
    for version, blocks in wanted.items():
        instance = data.datastore.catalogue.current(data.instance)
        there = _at(data.datastore, instance, data.datastore.catalogue.node(version))
        change = there.change()
        ask(there, change, scale, blocks)
        there.view.commit(change)


def _at(datastore: Datastore, instance: Instance, node: Node) -> LabelMap:
    return LabelMap(datastore, datastore.catalogue.repos[instance.repo], node, instance, None)


def _tasks(datastore: Datastore, instance: Instance) -> Iterator[Task]:
    for _, task in datastore.stack_of(instance).queue.pending():
        if task.kind == DOWNRES and task.instance == instance.number:
            yield task


def _blocks_of(task: Task) -> set[Zyx]:
    return {(z, y, x) for z, y, x in task.args["blocks"]}


def _fresh(datastore: Datastore, node: Node) -> frozenset[int]:
    """The version and those of its ancestors that some parent does not see."""
    ancestries = datastore.catalogue.ancestries
    seen_by_all = [ancestries.of(parent).members for parent in node.parents]
    return ancestries.of(node.version).members.difference(frozenset.intersection(*seen_by_all) if seen_by_all else ())


def _cells(datastore: Datastore, instance: Instance, kind: bytes) -> Iterator[tuple[int, Zyx, list[int]]]:
    """(scale, index, versions that stored or deleted it) of blocks or notes."""
    for typekey, cells in datastore.values(instance).rows():
        if typekey[:1] == kind:
            yield typekey[1], index_of(typekey), [version for version, _ in cells]


# ---------------------------------------------------------------------- checking
def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """Blocks that are not what the scale below makes of them, at any version without pending work."""
    repo = datastore.catalogue.repos[instance.repo]
    busy = {task.version for task in _tasks(datastore, instance)}
    for version, blocks in _to_check(datastore, instance).items():
        if version not in busy:
            data = _at(datastore, instance, repo.nodes[version])
            wrong = (one for one in sorted(blocks) if one[0] <= data.scales and not _agrees(data, *one))
            for scale, index in wrong:
                yield f"block {[*index]} of scale {scale} at version {version} is not what lies below it"


def _to_check(datastore: Datastore, instance: Instance) -> dict[int, set[tuple[int, Zyx]]]:
    """Blocks (scale, index) by the versions in which they, or what lies below them, changed or were merged."""
    repo = datastore.catalogue.repos[instance.repo]
    merges = {node.version: _fresh(datastore, node) for node in repo.nodes.values() if len(node.parents) > 1}
    found: dict[int, set[tuple[int, Zyx]]] = defaultdict(set)
    for kind in (BLOCK, APART):
        for scale, index, versions in _cells(datastore, instance, kind):
            places = {(scale, index), (scale + 1, _above(index))} if kind == BLOCK else {(scale, index)}
            places = {place for place in places if place[0]}
            for version in versions:
                found[version] |= places
            for merge, fresh in merges.items():
                if not fresh.isdisjoint(versions):
                    found[merge] |= places
    return found


def _agrees(data: LabelMap, scale: int, index: Zyx) -> bool:
    if data.view.exists(apart_key(scale, index)):
        return True
    stored, computed = stored_blocks.load_one(data, scale, index), block_above(data, scale, index)
    if stored is None or computed is None:
        return (stored is None) == (computed is None)
    return bool(np.array_equal(codec.to_volume(stored), codec.to_volume(computed)))
