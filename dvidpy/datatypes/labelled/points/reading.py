"""Labels at points, bodies of supervoxels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labelled.asked import AT_ONCE
from dvidpy.datatypes.labelled.blocks import load, supervoxels_at
from dvidpy.datatypes.labelled.instance import LabelMap, is_large
from dvidpy.datatypes.labelled.keys import block_key, label_key
from dvidpy.datatypes.labelled.raw.reading import Reading, begin
from dvidpy.datatypes.labelled.state import Bodies
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.kernels.label_index import read
from dvidpy.kernels.rows import parse_rows
from dvidpy.versioning.found import Found

FEW = 16
"""Indices that are looked at in the event loop."""
SHORT = 1 << 10
"""Bytes of a stored index that takes no longer to decode than to remember."""


def parse_points(body: bytes) -> NDArray[np.int64]:
    """JSON [[x, y, z], …] -> (n, 3) z, y, x; BadRequest where they are no points of 32 bits."""
    try:
        return parse_rows(body, 3)[:, ::-1].astype(np.int64)
    except ValueError as error:
        raise BadRequest(f"expected a JSON list of points [x, y, z]: {error}") from None


def label_at(data: LabelMap, point: Zyx, *, scale: int, supervoxels: bool) -> int:
    """Label of one voxel z, y, x; 0 where none was written. The short way of `labels_at`."""
    scale = data.shown_scale(scale)
    (z, dz), (y, dy), (x, dx) = map(divmod, point, data.block)
    key = block_key(scale, (z, y, x))
    found, bodies = data.state.steady(lambda: (data.view.find(key), data.bodies()))
    if found is None:
        return 0
    if found.manifest is not None:  # its parts must stay while they are read
        return int(labels_at(begin(data, scale=scale, supervoxels=supervoxels), np.array([point], np.int64))[0])
    label = codec.label_at(load(data, found), (dz, dy, dx))
    return label if supervoxels else bodies.of(label)


def labels_at(reading: Reading, points: NDArray[np.int64]) -> Labels:
    """Labels of (n, 3) voxels z, y, x, in their order; 0 where none were written. No block is decoded."""
    out = supervoxels_at(reading.data, reading.scale, points)
    return out if reading.bodies is None else reading.bodies.apply(out)


def bodies_of(data: LabelMap, bodies: Bodies, supervoxels: Labels, *, verify: bool) -> Labels:
    """Bodies of supervoxels. With `verify`, 0 for those that no mapping names and no index knows."""
    found = bodies.apply(supervoxels)
    if not verify:
        return found
    implicit = np.flatnonzero(~bodies.knows(supervoxels))
    there = np.fromiter(_exist(data, supervoxels[implicit].tolist()), np.bool_, implicit.size)
    found = found.copy()
    found[implicit[~there]] = 0
    return found


def _exist(data: LabelMap, supervoxels: list[int]) -> Iterable[bool]:
    """Which supervoxels a body of the same number has."""
    stored = data.view.find_many(map(label_key, supervoxels))
    for supervoxel, found in zip(supervoxels, stored, strict=True):
        yield supervoxel > 0 and found is not None and _names(data, found, supervoxel)


def _names(data: LabelMap, found: Found, supervoxel: int) -> bool:
    """Whether the stored index of a body has a supervoxel of the same number. A long one is remembered."""
    known = data.known_body(supervoxel, found)
    if known is None and (len(found.stored) > SHORT or is_large(found)):
        known = data.decode_body(supervoxel, found)
    if known is not None:
        return supervoxel in known.sizes[0]
    return bool((read(found.read()).supervoxels == supervoxel).any())


def is_quick(data: LabelMap, bodies: Bodies, supervoxels: Labels) -> bool:
    """Whether `bodies_of` has few indices to look at, and none of them is large."""
    unnamed = supervoxels[~bodies.knows(supervoxels)]
    if unnamed.size > FEW:
        return False
    stored = data.view.find_many(map(label_key, unnamed.tolist()))
    return all(found is None or (len(found.stored) <= AT_ONCE and not is_large(found)) for found in stored)
