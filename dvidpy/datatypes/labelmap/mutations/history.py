"""History of a body: the edits, from one version to another, of the bodies that its supervoxels have belonged to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelmap.mutations.splits import splits_by_version
from dvidpy.versioning.records import Node

SHOWN = {
    "merge-complete": ("merge", ("Target", "Labels")),
    "cleave-complete": ("cleave", ("OrigLabel", "CleavedLabel", "CleavedSupervoxels")),
    "split-complete": ("split", ("Target", "NewLabel")),
    "split-supervoxel-complete": ("split-supervoxel", ("Supervoxel", "SplitSupervoxel", "RemainSupervoxel")),
}
"""Action in the mutation log -> action and members that are told. Renumbering is followed, and not told, as in the
reference."""


def history(data: LabelMap, label: int, first: Node, last: Node) -> Iterator[bytes]:
    """JSON of one edit after the other, oldest first; BadRequest where `last` does not descend from `first`.

    Followed are the supervoxels that the body has at `last`, and those they were split from; their bodies are those at
    `first`, as that version stands, and what these become.
    """
    nodes = data.datastore.catalogue.sequence(first, last)
    return _told(data, _Followed(data, label, nodes), nodes)


class _Followed:
    """Supervoxels, and the bodies that they belong to as the log goes on."""

    def __init__(self, data: LabelMap, label: int, nodes: list[Node]) -> None:
        end = data.at(nodes[-1])
        self.supervoxels = set(end.supervoxels_of(label).tolist())
        rows = [row for rows in splits_by_version(end).values() for row in reversed(rows)]
        for _, old, remain, split in sorted(rows, reverse=True):
            if self.supervoxels & {remain, split}:
                self.supervoxels.add(old)
        labels = np.array(sorted(self.supervoxels), np.uint64)
        self.bodies: set[int] = set(data.at(nodes[0]).bodies().apply(labels).tolist()) - {0}

    def concerns(self, said: dict[str, Any]) -> bool:
        """Whether an edit is of one of the bodies; where they went, they are followed."""
        match said.get("Action"):
            case "merge-complete":
                return self._touched([said["Target"], *said["Labels"]], said["Target"])
            case "cleave-complete":
                moved = self.supervoxels.intersection(said["CleavedSupervoxels"])
                return self._touched([said["OrigLabel"]], said["CleavedLabel"] if moved else None)
            case "renumber-complete":
                return self._touched([said["OrigLabel"]], said["NewLabel"])
            case "split-complete":
                return self._touched([said["Target"]], said["NewLabel"])
            case "split-supervoxel-complete":
                return said["Supervoxel"] in self.supervoxels
        return False

    def _touched(self, labels: list[int], then: int | None) -> bool:
        touched = not self.bodies.isdisjoint(labels)
        if touched and then is not None:
            self.bodies.add(then)
        return touched


def _told(data: LabelMap, followed: _Followed, nodes: list[Node]) -> Iterator[bytes]:
    log = data.datastore.stack_of(data.instance).log
    for node in nodes:
        for message in log.read(data.instance.uuid, node.uuid):
            said = orjson.loads(message)
            if followed.concerns(said) and said["Action"] in SHOWN:
                action, members = SHOWN[said["Action"]]
                yield orjson.dumps({"Action": action} | {name: said[name] for name in members})
