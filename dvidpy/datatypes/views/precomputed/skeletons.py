"""Skeletons of bodies: SWC text in voxels, as DVID's clients keep it, becomes binary in nanometers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.errors import BadRequest

INFO: dict[str, Any] = {
    "@type": "neuroglancer_skeletons",
    "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
    "vertex_attributes": [{"id": "radius", "data_type": "float32", "num_components": 1}],
}
ID, X, Z, RADIUS, PARENT = 0, 2, 4, 5, 6
"""Columns of SWC."""


def from_swc(text: bytes, resolution: Sequence[float]) -> bytes:
    """SWC in voxels of some nanometers along x, y, z -> binary skeleton with radii; BadRequest where it is no SWC.

    Radii are in voxels along x.
    """
    rows = _rows(text)
    points = (rows[:, X : Z + 1] * np.array(resolution)).astype("<f4")
    radii = (rows[:, RADIUS] * resolution[0]).astype("<f4")
    edges = _edges(rows[:, ID], rows[:, PARENT])
    return pack_skeleton(points, edges, radii)


def pack_skeleton(points: NDArray[np.float32], edges: NDArray[np.uint32], radii: NDArray[np.float32]) -> bytes:
    """(n, 3) points x, y, z, (m, 2) edges and (n,) radii -> binary skeleton."""
    head = struct.pack("<2I", len(points), len(edges))
    return b"".join((head, points.tobytes(), edges.tobytes(), radii.tobytes()))


def _rows(text: bytes) -> NDArray[np.float64]:
    """(n, 7) numbers."""
    lines = [line.split()[:7] for line in text.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    try:
        rows = np.array(lines, np.float64).reshape(-1, 7)
    except ValueError:
        raise BadRequest("the skeleton that is kept is no SWC: lines have seven numbers") from None
    if not np.isfinite(rows).all():
        raise BadRequest("the skeleton that is kept is no SWC: its numbers are not finite")
    return rows


def _edges(ids: NDArray[np.float64], parents: NDArray[np.float64]) -> NDArray[np.uint32]:
    """(m, 2) positions of points and of their parents; a parent that is not there makes a root."""
    if not ids.size:
        return np.empty((0, 2), np.uint32)
    order = np.argsort(ids, kind="stable")
    place = order[np.searchsorted(ids, parents, sorter=order).clip(max=ids.size - 1)]
    joined = np.flatnonzero(ids[place] == parents)
    return np.column_stack((joined, place[joined])).astype("<u4")
