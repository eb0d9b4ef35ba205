"""Segmentations as seen by the types that follow one. Any type whose subject has these methods is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.base import Data, type_named
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.records import Instance

Labels = NDArray[np.uint64]
"""(n,) labels."""


@runtime_checkable
class Bodies(Protocol):
    """A data instance that knows which supervoxels make up a body."""

    def supervoxels_of(self, label: int) -> Labels:
        """Supervoxels of a body at this version, in any order; none where there is no such body."""
        ...


@runtime_checkable
class Segmented(Bodies, Protocol):
    """One that also says whose supervoxels are, and shows them voxel by voxel."""

    instance: Instance

    @property
    def block(self) -> Zyx:
        """Voxels of a block along z, y, x, at every scale."""
        ...

    @property
    def scales(self) -> int:
        """The coarsest scale; 0 is full resolution."""
        ...

    def bodies_of(self, supervoxels: Labels) -> Labels:
        """Bodies of supervoxels at this version; 0 for one that is no more."""
        ...

    def blocks_from(self, scale: int, first: Zyx | None) -> Iterator[Zyx]:
        """(z, y, x) of the blocks of a scale that were written, in order, behind one or from the beginning."""
        ...

    def supervoxels_in(self, scale: int, box: Box) -> Labels:
        """(z, y, x) supervoxels of a box of voxels of a scale; 0 where none were written."""
        ...


@runtime_checkable
class Labelled(Protocol):
    """A data instance that has a label at every voxel."""

    @property
    def block(self) -> Zyx:
        """Voxels of a block along z, y, x."""
        ...

    def labels_at(self, points: NDArray[np.int64]) -> Labels:
        """Labels (bodies) of (n, 3) voxels z, y, x at this version, all from one moment; 0 where there is none."""
        ...


@runtime_checkable
class Ending(Protocol):
    """A data instance whose labels come and go."""

    def ended(self, labels: Iterable[int], since: int = 0) -> list[int]:
        """Those that voxels had until a mutation with this id or a later one, and that none has at this version."""
        ...


@runtime_checkable
class Placed(Protocol):
    """A data instance whose elements lie in labels."""

    def placed(self) -> tuple[int, Iterator[NDArray[Any]]]:
        """(id of mutations: what those with smaller ids did is in it; rows of all elements in labels).

        Rows have the members x, y, z, kind (a number of `events.KINDS`) and label.
        """
        ...


def find_bodies(data: Data) -> Bodies:
    """The segmentation that an instance follows (POST sync), at the same version; BadRequest where it follows none."""
    for found in followed(data):
        if isinstance(found, Bodies):
            return found
    raise BadRequest(f"{data.instance.name!r} is not synced with any labelmap instance")


def find_labels(data: Data) -> Labelled | None:
    """What says which label a voxel has, among what an instance follows, at the same version."""
    return next((found for found in followed(data) if isinstance(found, Labelled)), None)


def followed(data: Data) -> Iterator[Data]:
    """What an instance follows now, at the same version, as its types know it."""
    catalogue = data.datastore.catalogue
    for uuid in catalogue.current(data.instance).syncs:
        instance = catalogue.by_data(catalogue.repo(data.instance.repo), uuid)
        if instance is not None:
            yield type_named(instance.type).subject(data.datastore, data.repo, data.node, instance, data.call)
