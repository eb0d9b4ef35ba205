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


def find_mask(data: Data, named: str) -> Mask:
    """The mask of a name, at the same version; or of "name,version", at that one. BadRequest where there is none."""
    name, comma, version = named.partition(",")
    repo, node = data.datastore.catalogue.find(version) if comma else (data.repo, data.node)
    instance = find_instance(repo, name)
    found = type_named(instance.type).subject(data.datastore, repo, node, instance, data.call)
    if not isinstance(found, Mask):
        raise BadRequest(f"{name!r} is of type {instance.type}, which is no region of interest")
    return found
