"""Voxel counts and indices of a version, a line each. One block or index at a time is in memory, from one moment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import entries_of_block
from dvidpy.datatypes.labelled.keys import INDEX, number_of, scale_prefix
from dvidpy.datatypes.labels.block_keys import blocks_of
from dvidpy.datatypes.labels.index import Entries
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.storage.keys import after

TOGETHER = 1 << 14
"""Lines of a piece."""


def counts(data: LabelMap) -> Iterator[bytes]:
    """`supervoxel z y x voxels` of each supervoxel in each block, as the blocks have them, in their order."""
    for typekey, found in data.view.range(scale_prefix(0), scale_prefix(1)):
        yield from _lines(entries_of_block(index_of(typekey), stored_blocks.load(data, found)))


def index_entries(data: LabelMap) -> Iterator[bytes]:
    """`body supervoxel z y x voxels` of each entry of each index, bodies ascending."""
    for typekey, found in data.view.range(INDEX, after(INDEX)):
        yield from _lines(data.read_index(found).entries, f"{number_of(typekey)} ")


def _lines(entries: Entries, before: str = "") -> Iterator[bytes]:
    """Entries as text, in pieces."""
    line = before + "%d %d %d %d %d\n"
    for first in range(0, entries.blocks.size, TOGETHER):
        some = entries.where(np.arange(first, min(first + TOGETHER, entries.blocks.size)))
        columns = (some.supervoxels, *blocks_of(some.blocks).T, some.voxels)
        rows = np.column_stack([column.astype(object) for column in columns])
        yield (line * len(rows) % tuple(rows.ravel())).encode()
