"""What the versions of a labelmap should show: whole volumes of supervoxels, and a list of what was mapped when."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from labelmaps import Volume, blocks_of
from stateful.model import Model

from dvidpy.geometry import Zyx


@dataclass
class LabelModel:
    """Blocks of versions, and mappings in the order in which they were made."""

    size: Zyx
    side: int
    blocks: Model = field(default_factory=Model)
    mapped: list[tuple[int, dict[int, int]]] = field(default_factory=list)
    """(version, supervoxel -> body)."""

    def write(self, version: int, place: Zyx, voxels: Volume) -> None:
        self.blocks.wrote[version][repr(place)] = voxels.tobytes()

    def supervoxels(self, version: int) -> Volume:
        """What is seen of each block; nothing of one that two parents of a merge wrote differently."""
        out = np.zeros(self.size, np.uint64)
        visible = self.blocks.visible(version)
        for place, part in blocks_of(out, self.side).items():
            if repr(place) in visible:
                part[...] = np.frombuffer(visible[repr(place)], np.uint64).reshape(part.shape)
        return out

    def mapping(self, version: int) -> dict[int, int]:
        """Supervoxel -> body, for those that were ever mapped."""
        members = self.blocks.above(version)
        found: dict[int, int] = {}
        for where, mapped in self.mapped:
            if where in members:
                found |= mapped
        return found

    def bodies(self, version: int) -> dict[int, dict[int, int]]:
        """Body -> its supervoxels and their voxels."""
        mapping, found = self.mapping(version), dict[int, dict[int, int]]()
        labels, counts = np.unique(self.supervoxels(version), return_counts=True)
        for label, voxels in zip(labels.tolist(), counts.tolist(), strict=True):
            if label:
                found.setdefault(mapping.get(label, label), {})[label] = voxels
        return found

    def come(self, version: int, labels: set[int]) -> None:
        """Labels of voxels that are posted: one that was no more is a body of its own again."""
        mapping = self.mapping(version)
        back = {label: label for label in labels if label and mapping.get(label) == 0}
        if back:
            self.mapped.append((version, back))
