"""Gray values of the voxels of a grid, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels.nanovdb import Leaves, Places
from dvidpy.datatypes.voxels.sources import Source, find_source
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box
from dvidpy.kernels.label_blocks import SIDE
from dvidpy.kernels.label_masks import Bits

NODE = 4
"""Bits of a leaf's place in the lower node that is read as a whole: 128 voxels along each axis."""


def find_gray(data: LabelMap, name: str) -> Source:
    """An image of 8 bits; BadRequest for anything else."""
    source = find_source(data, name)
    if source.kind.name != "uint8":
        raise BadRequest(f"{name!r} has {source.kind.name} voxels; gray values are uint8")
    return source


def gray_values(leaves: Leaves, source: Source) -> Iterator[bytes]:
    """A byte a voxel of published leaves; 0 where the image has none. One lower node at a time is in memory."""
    nodes = leaves.places >> NODE
    starts = np.flatnonzero(np.append(True, (nodes[1:] != nodes[:-1]).any(axis=1))).tolist()
    for first, last in zip(starts, [*starts[1:], len(nodes)], strict=True):
        yield _of_node(leaves.places[first:last], leaves.bits[first:last], source)


def _of_node(places: Places, bits: Bits, source: Source) -> bytes:
    low = places.min(axis=0)
    sides = places.max(axis=0) + 1 - low
    box = Box(_zyx(low * SIDE), _zyx(sides * SIDE))
    x, y, z = (places - low).T
    cubes = source.read(box).reshape(sides[2], SIDE, sides[1], SIDE, sides[0], SIDE).transpose(4, 2, 0, 5, 3, 1)
    inside = np.unpackbits(bits, axis=1, bitorder="little").astype(np.bool_)
    grays: bytes = cubes[x, y, z].reshape(-1, SIDE**3)[inside].tobytes()
    return grays


def _zyx(xyz: NDArray[np.int64]) -> tuple[int, int, int]:
    x, y, z = xyz.tolist()
    return z, y, x
