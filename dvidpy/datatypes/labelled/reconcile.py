"""After a merge of versions: indices that tell what the merged version shows.

The parents of a merge may each have edited the same bodies. Every mutation of both stays: the mapping of the merged
version is that of all their mutations, of a supervoxel's several the latest holds. A block that both wrote is a
conflict: nothing is seen of it until the merged version has its own, or `resolve` settles it. Indices are derived from
both, so they are made anew, in the background, for every body that one of the parents changed. A commit waits for that.

| parents | merged |
|---|---|
| both put different bodies into one | it has all of them |
| one merged a supervoxel away, the other cleaved it | the later of the two edits |
| both split the same supervoxel | its blocks are in conflict; the supervoxels that are left to see count |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from msgspec import Struct

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import entries_of_block
from dvidpy.datatypes.labelled.keys import INDEX, number_of, scale_prefix
from dvidpy.datatypes.labels.index import Entries, LabelIndex, added, joined
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task
from dvidpy.versioning.records import Instance, Node

RECONCILE = "reconcile labels"
"""Kind of its task."""
AT_ONCE = 1000
"""Bodies that are counted together."""
NO_LABELS = np.empty(0, np.uint64)


class Reconciled(Struct, frozen=True, tag="reconcile", tag_field="kind"):
    """Event: parents of a merge have edited these bodies, so that indices of some were made anew."""

    bodies: list[int]


def settle(datastore: Datastore, instance: Instance, node: Node) -> None:
    """Ask for the indices of a version that a merge, or what `resolve` deleted before one, has made."""
    if not (instance.versioned and instance.settings["IndexedLabels"]):
        return
    change = LabelMap(datastore, datastore.catalogue.repo(instance.repo), node, instance, None).change()
    datastore.stack_of(instance).queue.add(change, Task(RECONCILE, instance.number, node.version))
    datastore.values(instance).committer.commit(change)


def reconcile(datastore: Datastore, task: Task, change: Change) -> None:
    """Make indices anew; done twice, it changes nothing. It writes edits of its own, before its task is removed."""
    instance = datastore.catalogue.instances().get(task.instance)
    if instance is None:
        return
    repo, node = datastore.catalogue.place(datastore.catalogue.node(task.version).uuid)
    data = LabelMap(datastore, repo, node, instance, None)
    with data.state.turns.of():
        changed = _Changed(data)
        for first in range(0, len(changed.bodies), AT_ONCE):
            _index_anew(data, changed, changed.bodies[first : first + AT_ONCE])


class _Changed:
    """What some parents of a version, or the version itself, see of an instance and not all of them do."""

    def __init__(self, data: LabelMap) -> None:
        self._data = data
        of = data.datastore.catalogue.ancestries.of
        self.parents = [data.at(data.datastore.catalogue.node(parent)) for parent in data.node.parents]
        common = frozenset.intersection(*(of(parent).members for parent in data.node.parents))
        fresh = data.view.ancestry.members - common
        labels, blocks = set[int](), set[Zyx]()
        for typekey, cells in data.datastore.values(data.instance).rows():
            if fresh.isdisjoint(version for version, _ in cells):
                continue
            if typekey[:1] == INDEX:
                labels.add(number_of(typekey))
            elif typekey.startswith(scale_prefix(0)):
                blocks.add(index_of(typekey))
        self.places: dict[int, set[Zyx]] = {label: set() for label in labels}
        """Body -> changed blocks that have, or had, some of it."""
        for place in blocks:
            for body in self._bodies_in(place).tolist():
                self.places.setdefault(body, set()).add(place)
        self.places.pop(0, None)
        self.bodies = sorted(self.places)

    def _bodies_in(self, place: Zyx) -> Labels:
        """Bodies, now, of the supervoxels that a block may have in the version or in one of its parents."""
        blocks = (stored_blocks.load_one(data, 0, place) for data in (self._data, *self.parents))
        labels = [block.labels for block in blocks if block is not None]
        return np.unique(self._data.bodies().apply(np.unique(np.concatenate(labels)))) if labels else NO_LABELS


def _index_anew(data: LabelMap, changed: _Changed, bodies: list[int]) -> None:
    """Count the voxels of some bodies, in all blocks where they may have some."""
    wanted = np.array(bodies, np.uint64)
    places = {place for body in bodies for place in changed.places[body]}
    for parent in (data, *changed.parents):
        for body in bodies:
            found = parent.find_index(body)
            places.update((z, y, x) for z, y, x in (found.blocks.tolist() if found else ()))
    counted = joined(_counted(data, sorted(places), wanted))
    owners = data.bodies().apply(counted.supervoxels)
    made = [added(LabelIndex(body), counted.where(owners == body)) for body in bodies]
    other = [index for index in made if not _is_seen(data, index)]
    if other:
        with editing(data) as edit:
            for index in other:
                edit.put_index(index)
            edit.publish(Reconciled(bodies))


def _counted(data: LabelMap, places: Iterable[Zyx], bodies: Labels) -> Iterator[Entries]:
    for place in places:
        block = stored_blocks.load_one(data, 0, place)
        if block is not None:
            entries = entries_of_block(place, block)
            yield entries.where(np.isin(data.bodies().apply(entries.supervoxels), bodies))


def _is_seen(data: LabelMap, index: LabelIndex) -> bool:
    """Whether a body has these entries already; where parents disagree, it has none."""
    now = data.find_index(index.label) or LabelIndex(index.label)
    return all(np.array_equal(a, b) for a, b in zip(now.entries, index.entries, strict=True))
