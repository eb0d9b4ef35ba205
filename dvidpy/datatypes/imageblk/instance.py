"""An imageblk instance at one version: its properties and extents."""

from __future__ import annotations

import threading
from copy import deepcopy
from typing import Any

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.imageblk.keys import EXTENTS
from dvidpy.datatypes.imageblk.settings import LEVELS, VOXEL_SIZE, read_voxel_size
from dvidpy.datatypes.voxels.extents import Extents, decode, united
from dvidpy.datatypes.voxels.kinds import KINDS, Kind
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, from_wire, to_wire
from dvidpy.versioning.commits import Change
from dvidpy.versioning.records import Instance

KIND_OF = {f"{kind.name}blk": kind for kind in KINDS}
"""Name of a type -> its voxels."""
LEVEL, PYRAMID_OF = "PyramidLevel", "PyramidOf"
"""Settings of a level: its number, and the data uuid of its base."""
_LOCKS = [threading.Lock() for _ in range(64)]
"""Held while extents are read, grown and stored; shared by instances and versions whose numbers collide."""


class ImageBlk(Data):
    """Voxels of one kind, as one version sees them."""

    __slots__ = ()

    @property
    def kind(self) -> Kind:
        """What its voxels are."""
        return KIND_OF[self.instance.type]

    @property
    def block(self) -> Zyx:
        """Voxels of a block along z, y, x."""
        return from_wire(self.instance.settings["BlockSize"])

    @property
    def block_bytes(self) -> int:
        """Bytes of a block."""
        return Box((0, 0, 0), self.block).volume * self.kind.itemsize

    @property
    def background(self) -> int:
        """The byte that fills blocks which were never written, where they show."""
        return int(self.instance.settings["Background"])

    @property
    def voxel_size(self) -> list[float]:
        """Size of a voxel along x, y, z, in its units."""
        base = self.base()
        if base is not None:
            return [side * 2**self.level for side in base.voxel_size]
        return list(self.instance.settings.get("VoxelSize", VOXEL_SIZE))

    # ------------------------------------------------------------------ lower resolutions
    @property
    def level(self) -> int:
        """0, or how often the sides were halved."""
        return int(self.instance.settings.get(LEVEL, 0))

    def base(self) -> ImageBlk | None:
        """What this instance is a lower resolution of."""
        data = self.instance.settings.get(PYRAMID_OF)
        found = data and self.datastore.catalogue.by_data(self.repo, data)
        return self._beside(found) if found else None

    def below(self) -> ImageBlk | None:
        """The level that this one is computed from."""
        found = self.base() if self.level == 1 else self.level_instance(self.level - 1)
        return self._beside(found) if isinstance(found, Instance) else found

    def level_instance(self, level: int) -> Instance | None:
        """A level of the same base, from 1 on; None where there is none."""
        settings = self.instance.settings
        if not (LEVELS in settings or PYRAMID_OF in settings):
            return None
        data = settings.get(PYRAMID_OF, self.instance.uuid)
        family = (one for one in self.repo.instances.values() if one.settings.get(PYRAMID_OF) == data)
        return next((one for one in family if one.settings.get(LEVEL) == level), None)

    def _beside(self, instance: Instance) -> ImageBlk:
        return ImageBlk(self.datastore, self.repo, self.node, instance, self.call)

    def demand_own(self) -> None:
        """BadRequest where the voxels are computed from those of another instance."""
        base = self.base()
        if base is not None:
            raise BadRequest(f"{self.instance.name!r} is computed from {base.instance.name!r}: write there")

    # ------------------------------------------------------------------ extents
    def extents(self) -> Extents:
        """Of this version; before it or an ancestor has any, those given at creation. A merge has its parents'."""
        base = self.base()
        if base is not None:
            return base.extents().halved(self.level)
        values, parents = self.datastore.values(self.instance), self.datastore.catalogue.parents
        found: list[Extents] = []
        waiting, seen = [self.version], {self.version}
        while waiting:
            version = waiting.pop()
            stored = values.at(version).get(EXTENTS)
            if stored is not None:
                found.append(decode(stored))
            elif not values.at(version).ancestry.linear:
                waiting += [parent for parent in parents(version) if parent not in seen]
                seen.update(waiting)
        settings = self.instance.settings
        return united(found) if found else Extents(settings.get("MinPoint"), settings.get("MaxPoint"))

    def set_extents(self, extents: Extents) -> None:
        """Replace the extents of this version; BadRequest where they follow from those of another instance."""
        self.demand_own()
        change = self.change()
        with self._lock():
            self.view.put(change, EXTENTS, extents.encode())
            self.view.commit(change)

    def commit_grown(self, change: Change, box: Box) -> None:
        """Commit an edit together with extents that hold a box too."""
        with self._lock():
            self.view.put(change, EXTENTS, self.extents().grown(box).encode())
            self.view.commit(change)

    def _lock(self) -> threading.Lock:
        return _LOCKS[hash((self.instance.number, self.version)) % len(_LOCKS)]

    # ------------------------------------------------------------------ properties
    def set_resolution(self, given: Any) -> None:
        """Replace the size of voxels, for all versions; BadRequest where that makes no sense."""
        self.demand_own()
        voxel_size = read_voxel_size(given)

        def update(instance: Instance) -> dict[str, Any]:
            return {"settings": {**instance.settings, "VoxelSize": voxel_size}}

        self.datastore.repos.update_instance(self.instance, update)

    def info(self) -> dict[str, Any]:
        """Base, Extended and Extents."""
        return {**super().info(), "Extents": self.extents().shown()}

    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words."""
        extents = self.extents()
        return {
            "Values": [{"DataType": data_type, "Label": label} for data_type, label in self.kind.channels],
            "Interpolable": True,
            **deepcopy(self.instance.settings),
            "VoxelSize": self.voxel_size,
            **extents.shown(),
            **extents.indices(self.block),
        }

    def metadata(self) -> dict[str, Any]:
        """The axes of the volume, with the properties."""
        properties = self.extended()
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
