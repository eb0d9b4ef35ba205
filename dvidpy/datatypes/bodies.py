"""Bodies as seen by types that follow a segmentation. Any type whose subject answers `supervoxels_of` keeps them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.base import Data, type_named
from dvidpy.errors import BadRequest

Labels = NDArray[np.uint64]
"""(n,) labels."""


@runtime_checkable
class Bodies(Protocol):
    """A data instance that knows which supervoxels make up a body."""

    def supervoxels_of(self, label: int) -> Labels:
        """Supervoxels of a body at this version, in any order; none where there is no such body."""
        ...


def find_bodies(data: Data) -> Bodies:
    """The segmentation that an instance follows (POST sync), at the same version; BadRequest where it follows none."""
    for uuid in data.instance.syncs:
        instance = data.datastore.catalogue.by_data(data.repo, uuid)
        if instance is not None:
            found = type_named(instance.type).subject(data.datastore, data.repo, data.node, instance, data.call)
            if isinstance(found, Bodies):
                return found
    raise BadRequest(f"{data.instance.name!r} is not synced with any labelmap instance")
