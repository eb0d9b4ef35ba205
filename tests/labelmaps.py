"""Labelmap instances without HTTP: made, filled, and seen from all sides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.base import TYPES
from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import NewBlock, store_blocks
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.masks import masks_of
from dvidpy.datatypes.labels.runs import traced
from dvidpy.datatypes.labels.several import together
from dvidpy.datatypes.settings import Given
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_runs import Runs
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Node

SIDE = 16
"""Voxels on a side of a block."""
Volume = NDArray[np.uint64]
Blocks = Mapping[Zyx, Volume]


def new_labelmap(
    datastore: Datastore, name: str = "seg", side: int = SIDE, levels: int = 1, **settings: str
) -> LabelMap:
    """An instance in a new repo, at its root."""
    repo = datastore.repos.create()
    given = {"BlockSize": f"{side},{side},{side}", "MaxDownresLevel": str(levels), **settings}
    kind = TYPES["labelmap"]
    instance = datastore.repos.add_instance(
        repo,
        name,
        lambda number, data: kind.make_instance(
            Given(given),
            name=name,
            number=number,
            uuid=data,
            repo=repo.record.root,
            root_version=repo.root.version,
            store=datastore.main.name,
        ),
    )
    return LabelMap(datastore, datastore.catalogue.repo(repo.record.root), repo.root, instance, None)


def at(data: LabelMap, node: Node) -> LabelMap:
    """The instance at a version, all records as they are now."""
    repo, node = data.datastore.catalogue.place(node.uuid)
    return LabelMap(data.datastore, repo, node, data.datastore.catalogue.current(data.instance), None)


def new_blocks(data: LabelMap, volumes: Blocks) -> list[NewBlock]:
    """Volumes of whole blocks as what is stored."""
    made = {place: codec.from_volume(volume) for place, volume in volumes.items()}
    return [
        NewBlock(place, block, stored_blocks.pack(data, block), codec.count(block)) for place, block in made.items()
    ]


def post(data: LabelMap, volumes: Blocks, *, downres: bool = False) -> None:
    """Store whole blocks."""
    store_blocks(data, new_blocks(data, volumes), downres=downres)


def blocks_of(volume: Volume, side: int = SIDE) -> dict[Zyx, Volume]:
    """A volume at the origin, cut into blocks."""
    depth, height, width = (length // side for length in volume.shape)
    return {
        (z, y, x): volume[z * side : (z + 1) * side, y * side : (y + 1) * side, x * side : (x + 1) * side]
        for z in range(depth)
        for y in range(height)
        for x in range(width)
    }


def voxels(data: LabelMap, size: Zyx, scale: int = 0) -> Volume:
    """Supervoxels of a box at the origin."""
    out = np.zeros(size, np.uint64)
    box = Box((0, 0, 0), tuple(-(-length // side) for length, side in zip(size, data.block, strict=True)))  # type: ignore[arg-type]
    for place, found in stored_blocks.walk(data, scale, box):
        start = tuple(at * side for at, side in zip(place, data.block, strict=True))
        codec.paste(stored_blocks.load(data, found), start, out, (0, 0, 0))  # type: ignore[arg-type]
    return out


def runs_of(mask: NDArray[np.bool_], side: int = SIDE) -> Runs:
    """Runs of a boolean volume at the origin."""
    blocks = [(place, codec.from_volume(part)) for place, part in blocks_of(mask.astype(np.uint64), side).items()]
    return traced(masks_of(together(blocks), np.array([1], np.uint64)))
