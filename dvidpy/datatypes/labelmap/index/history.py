"""Indices as they were before a mutation.

An edit keeps the index of every body it changes, as it was (`Edit.put_index`); blocks coming in do not. So what a
mutation found is what the first edit from it on kept, unless voxels came in between.
"""

from __future__ import annotations

from dvidpy.datatypes.labelmap.instance import LabelMap
from dvidpy.datatypes.labelmap.keys import before_key
from dvidpy.datatypes.labels.index import LabelIndex, decode
from dvidpy.storage.keys import PAST

LAST = (1 << 64) - 1


def index_before(data: LabelMap, label: int, mutation: int) -> LabelIndex | None:
    """Index of a body before a mutation, in this version's own line; none where there was none, or it is not known."""
    still = data.still()
    kept = still.view.range(before_key(label, mutation), before_key(label, LAST) + PAST)
    for _, found in kept:
        stored = found.read()
        return _before(decode(stored), mutation) if stored else None
    index = still.find_index(label)
    return None if index is None else _before(index, mutation)


def _before(index: LabelIndex, mutation: int) -> LabelIndex | None:
    """The index, unless it is of that mutation or a later one."""
    return index if index.last_mutid < mutation else None
