"""Regions of interest as seen by the types that keep voxels. Any type whose subject answers `inside` is one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.base import Data, type_named
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.catalogue import find_instance

Inside = NDArray[np.bool_]
"""(z, y, x) array over a box of the block grid."""


@runtime_checkable
class Mask(Protocol):
    """A data instance that tells blocks inside from blocks outside."""

    def inside(self, blocks: Box, block: Zyx) -> Inside:
        """Which blocks of a box of the block grid are inside; `block` is their size in voxels."""
        ...


@runtime_checkable
class Region(Protocol):
    """A data instance that tells voxels inside from voxels outside."""

    @property
    def block(self) -> Zyx:
        """Voxels along z, y, x of the blocks it is made of."""
        ...

    def holds(self, voxels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of (n, 3) voxels z, y, x are inside."""
        ...


def find_mask(data: Data, named: str) -> Mask:
    """The mask of a name, at the same version; or of "name,version", at that one. BadRequest where there is none."""
    found = _find(data, named)
    if not isinstance(found, Mask):
        raise _no_region(found)
    return found


def find_region(data: Data, named: str) -> Region:
    """The same, asked for voxels instead of blocks."""
    found = _find(data, named)
    if not isinstance(found, Region):
        raise _no_region(found)
    return found


def _find(data: Data, named: str) -> Data:
    name, comma, version = named.partition(",")
    repo, node = data.datastore.catalogue.find(version) if comma else (data.repo, data.node)
    instance = find_instance(repo, name)
    return type_named(instance.type).subject(data.datastore, repo, node, instance, data.call)


def _no_region(found: Data) -> BadRequest:
    return BadRequest(f"{found.instance.name!r} is of type {found.instance.type}, which is no region of interest")
