"""An imageblk instance at one version: its voxels' kind, its lower resolutions, its extents."""

from __future__ import annotations

from typing import Any, ClassVar

from dvidpy.datatypes.imageblk.keys import EXTENTS
from dvidpy.datatypes.imageblk.settings import LEVELS
from dvidpy.datatypes.views.volumes import Level
from dvidpy.datatypes.voxels.extents import Extents
from dvidpy.datatypes.voxels.kinds import KINDS, Kind, Voxels
from dvidpy.datatypes.voxels.settings import VOXEL_SIZE
from dvidpy.datatypes.voxels.volume import Volume
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box
from dvidpy.versioning.records import Instance

KIND_OF = {f"{kind.name}blk": kind for kind in KINDS}
"""Name of a type -> its voxels."""
LEVEL = "PyramidLevel"
"""Setting of a level: its number. It is a companion of its base."""


class ImageBlk(Volume):
    """Voxels of one kind, as one version sees them."""

    __slots__ = ()

    extents_key = EXTENTS

    @property
    def kind(self) -> Kind:
        """What its voxels are."""
        return KIND_OF[self.instance.type]

    @property
    def block_bytes(self) -> int:
        """Bytes of a block."""
        return self.block_volume * self.kind.itemsize

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

    def read(self, box: Box) -> Voxels:
        """(z, y, x) voxels of a box, 0 where none were written (`voxels.sources`)."""
        from dvidpy.datatypes.imageblk.volumes import read_box  # which is about instances itself

        return read_box(self, box)

    # ------------------------------------------------------------------ as other formats show it (`views.volumes`)
    are_labels: ClassVar[bool] = False

    @property
    def voxel_type(self) -> str:
        """What numpy calls the numbers of its voxels."""
        return "uint8" if self.kind.interleaved else self.kind.name

    @property
    def voxel_channels(self) -> int:
        """Numbers of a voxel."""
        return len(self.kind.channels)

    @property
    def encodings(self) -> tuple[str, ...]:
        """Encodings of precomputed chunks."""
        from dvidpy.datatypes.imageblk import chunks  # which is about instances itself

        return chunks.encodings_of(self)

    def levels(self) -> list[Level]:
        """Its scales; of a level only its own."""
        from dvidpy.datatypes.imageblk import chunks

        found = [self]
        while not self.level and (level := self.level_instance(len(found))):
            found.append(self._beside(level))
        return [chunks.level_of(one) for one in found]

    def level_voxels(self, number: int, box: Box) -> Voxels:
        """(z, y, x) or (channel, z, y, x) voxels of a box of one scale."""
        from dvidpy.datatypes.imageblk import chunks

        return chunks.voxels_of(self._scaled(number), box)

    def level_chunk(self, number: int, box: Box, encoding: str) -> bytes:
        """The same as a precomputed chunk."""
        from dvidpy.datatypes.imageblk import chunks

        return chunks.chunk_of(self._scaled(number), box, encoding)

    def _scaled(self, number: int) -> ImageBlk:
        level = self.level_instance(number) if number else None
        return self if level is None else self._beside(level)

    # ------------------------------------------------------------------ lower resolutions
    @property
    def level(self) -> int:
        """0, or how often the sides were halved."""
        return int(self.instance.settings.get(LEVEL, 0))

    def base(self) -> ImageBlk | None:
        """What this instance is a lower resolution of."""
        data = self.instance.companion_of
        found = data and self.datastore.catalogue.by_data(self.repo, data)
        return self._beside(found) if found else None

    def below(self) -> ImageBlk | None:
        """The level that this one is computed from."""
        found = self.base() if self.level == 1 else self.level_instance(self.level - 1)
        return self._beside(found) if isinstance(found, Instance) else found

    def level_instance(self, level: int) -> Instance | None:
        """A level of the same base, from 1 on; None where there is none."""
        settings = self.instance.settings
        if not (LEVELS in settings or self.instance.companion_of):
            return None
        data = self.instance.companion_of or self.instance.uuid
        family = (one for one in self.repo.instances.values() if one.companion_of == data)
        return next((one for one in family if one.settings.get(LEVEL) == level), None)

    def _beside(self, instance: Instance) -> ImageBlk:
        return ImageBlk(self.datastore, self.repo, self.node, instance, self.call)

    def demand_own(self) -> None:
        """BadRequest where the voxels are computed from those of another instance."""
        base = self.base()
        if base is not None:
            raise BadRequest(f"{self.instance.name!r} is computed from {base.instance.name!r}: write there")

    # ------------------------------------------------------------------ properties
    def extents(self) -> Extents:
        """Of this version; those of a level follow from its base."""
        base = self.base()
        return super().extents() if base is None else base.extents().halved(self.level)

    def set_extents(self, extents: Extents) -> None:
        """Replace the extents of this version; BadRequest where they follow from those of another instance."""
        self.demand_own()
        super().set_extents(extents)

    def set_resolution(self, given: Any) -> None:
        """Replace the size of voxels, for all versions; BadRequest where that makes no sense."""
        self.demand_own()
        super().set_resolution(given)

    def channels(self) -> list[dict[str, str]]:
        """Type and name of the values of a voxel."""
        return [{"DataType": data_type, "Label": label} for data_type, label in self.kind.channels]
