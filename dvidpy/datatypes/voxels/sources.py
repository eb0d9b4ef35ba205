"""Instances that show voxels, as seen by types that make pictures of them. Any whose subject answers `read` is one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from dvidpy.datatypes.base import Data, type_named
from dvidpy.datatypes.voxels.extents import Extents
from dvidpy.datatypes.voxels.kinds import Kind, Voxels
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.records import Instance


@runtime_checkable
class Source(Protocol):
    """A data instance at one version, whose voxels can be read box by box."""

    instance: Instance

    @property
    def kind(self) -> Kind:
        """What its voxels are."""
        ...

    @property
    def block(self) -> Zyx:
        """Voxels that it keeps together, along z, y, x."""
        ...

    @property
    def voxel_size(self) -> list[float]:
        """Size of a voxel along x, y, z, in its units."""
        ...

    def extents(self) -> Extents:
        """Where it has voxels."""
        ...

    def read(self, box: Box) -> Voxels:
        """(z, y, x) voxels of a box, 0 where there are none."""
        ...


def find_source(data: Data, name: str) -> Source:
    """The instance of a name in the same repo, at the same version; BadRequest where it shows no voxels."""
    instance = data.sibling(name)
    found = type_named(instance.type).subject(data.datastore, data.repo, data.node, instance, data.call)
    if not isinstance(found, Source):
        raise BadRequest(f"{name!r} is of type {instance.type}, which shows no voxels")
    return found
