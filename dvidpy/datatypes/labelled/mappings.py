"""The mapping of a version as text, as numbers, and as posted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels.messages import MappingOp
from dvidpy.errors import BadRequest

TOGETHER = 1 << 14
"""Rows of a piece."""
Rows = NDArray[np.uint64]
"""(n, 2): supervoxel, body."""


def as_lines(data: LabelMap) -> Iterator[bytes]:
    """A line of text for each supervoxel that is not a body of its own."""
    return _written(data, lambda rows: ("%d %d\n" * len(rows) % tuple(rows.ravel().tolist())).encode())


def as_pairs(data: LabelMap) -> Iterator[bytes]:
    """The same as little-endian uint64."""
    return _written(data, lambda rows: rows.astype("<u8").tobytes())


def _written(data: LabelMap, write: Callable[[Rows], bytes]) -> Iterator[bytes]:
    """Supervoxels ascending; those that are no more have body 0."""
    mapping = data.bodies().whole()
    moved = mapping.supervoxels != mapping.bodies
    rows = np.column_stack((mapping.supervoxels[moved], mapping.bodies[moved]))
    return (write(rows[first : first + TOGETHER]) for first in range(0, len(rows), TOGETHER))


def put_mappings(data: LabelMap, operations: Iterable[MappingOp]) -> None:
    """Map supervoxels, all or none, without a look at indices; of one named twice the last counts.

    BadRequest where background would get a body.
    """
    given = [op for op in operations if op.original.size]
    if any((op.original == 0).any() for op in given):
        raise BadRequest("label 0 is background and belongs to no body")
    if not given:
        return
    with editing(data) as edit:
        edit.by_hand()
        for op in given:
            edit.map(op.original, op.mapped)
