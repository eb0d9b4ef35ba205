"""What every instance of voxels has: blocks on a grid, extents of each version, a size of voxels that all share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar, TypeVar

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.voxels.extents import Extents, decode, united
from dvidpy.datatypes.voxels.settings import read_voxel_size
from dvidpy.geometry import Box, Zyx, from_wire, to_wire
from dvidpy.versioning.commits import Change
from dvidpy.versioning.records import Instance

T = TypeVar("T")
_LOCKS = [threading.Lock() for _ in range(64)]
"""Held while extents are read, grown and stored; shared by instances and versions whose numbers collide."""


class Volume(Data):
    """Voxels of one data instance, as one version sees them."""

    __slots__ = ()

    extents_key: ClassVar[bytes]
    """Type key of the extents."""
    interpolable: ClassVar[bool] = True

    @property
    def block(self) -> Zyx:
        """Voxels of a block along z, y, x."""
        return from_wire(self.instance.settings["BlockSize"])

    @property
    def block_volume(self) -> int:
        """Voxels of a block."""
        return Box((0, 0, 0), self.block).volume

    @property
    def voxel_size(self) -> list[float]:
        """Size of a voxel along x, y, z, in its units."""
        return list(self.instance.settings["VoxelSize"])

    def channels(self) -> list[dict[str, str]]:
        """Type and name of the values of a voxel, in the reference's words."""
        raise NotImplementedError

    # ------------------------------------------------------------------ what versions inherit
    def nearest(self, typekey: bytes, read: Callable[[bytes], T]) -> list[T]:
        """A value of this version or its nearest ancestor that has one; below a merge, those of all its parents."""
        values, parents = self.datastore.values(self.instance), self.datastore.catalogue.parents
        found: list[T] = []
        waiting, seen = [self.version], {self.version}
        while waiting:
            version = waiting.pop()
            view = values.at(version)
            stored = view.get(typekey)
            if stored is not None:
                found.append(read(stored))
            elif not view.ancestry.linear:
                waiting += [parent for parent in parents(version) if parent not in seen]
                seen.update(waiting)
        return found

    # ------------------------------------------------------------------ extents
    def extents(self) -> Extents:
        """Of this version; before it or an ancestor has any, those given at creation. A merge has its parents'."""
        found = self.nearest(self.extents_key, decode)
        settings = self.instance.settings
        return united(found) if found else Extents(settings.get("MinPoint"), settings.get("MaxPoint"))

    def set_extents(self, extents: Extents) -> None:
        """Replace the extents of this version."""
        change = self.change()
        with self._lock():
            self.view.put(change, self.extents_key, extents.encode())
            self.view.commit(change)

    def commit_grown(self, change: Change, box: Box) -> None:
        """Commit an edit together with extents that hold a box too."""
        with self._lock():
            self.view.put(change, self.extents_key, self.extents().grown(box).encode())
            self.view.commit(change)

    def _lock(self) -> threading.Lock:
        return _LOCKS[hash((self.instance.number, self.version)) % len(_LOCKS)]

    # ------------------------------------------------------------------ properties
    def set_resolution(self, given: Any) -> None:
        """Replace the size of voxels, for all versions; BadRequest where that makes no sense."""
        self.update_settings({"VoxelSize": read_voxel_size(given)})

    def update_settings(self, changes: dict[str, Any]) -> None:
        """Replace settings, for all versions."""

        def update(instance: Instance) -> dict[str, Any]:
            return {"settings": {**instance.settings, **changes}}

        self.datastore.repos.update_instance(self.instance, update)

    def info(self) -> dict[str, Any]:
        """Base, Extended and Extents."""
        return {**super().info(), "Extents": self.extents().shown()}

    def listed(self) -> dict[str, Any]:
        """Before any voxels are there, one block: Neuroglancer passes over instances without corners."""
        found = self.info()
        if found["Extended"].get("MinPoint", ()) is not None:
            return found
        first = Extents([0, 0, 0], [side - 1 for side in self.block[::-1]])
        return {**found, "Extended": {**found["Extended"], **first.shown(), **first.indices(self.block)}}

    def properties(self) -> dict[str, Any]:
        """Properties, in the reference's words."""
        extents = self.extents()
        return {
            "Values": self.channels(),
            "Interpolable": self.interpolable,
            **deepcopy(self.instance.settings),
            "VoxelSize": self.voxel_size,
            **extents.shown(),
            **extents.indices(self.block),
        }

    def extended(self) -> dict[str, Any]:
        """The type's own part of `info`."""
        return self.properties()

    def metadata(self) -> dict[str, Any]:
        """The axes of the volume, with the properties."""
        properties = self.properties()
        low, high = properties["MinPoint"], properties["MaxPoint"]
        box = (low, [b - a + 1 for a, b in zip(low, high, strict=True)]) if low and high else ([0] * 3, [0] * 3)
        axes = zip("XYZ", self.voxel_size, self.instance.settings["VoxelUnits"], *box, strict=True)
        return {
            "Axes": [
                {"Label": label, "Resolution": resolution, "Units": units, "Size": size, "Offset": offset}
                for label, resolution, units, offset, size in axes
            ],
            "Properties": properties,
        }


def describe(box: Box) -> str:
    """A box in words, as clients write it."""
    return f"{to_wire(box.size)} at {to_wire(box.start)}"
