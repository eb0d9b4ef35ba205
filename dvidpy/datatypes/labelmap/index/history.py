"""Indices as they were before a mutation.

Every edit keeps the index of each body it changes, as it was (`Edit.put_index`); blocks coming in only note that they
came. So what a mutation found is what the first edit from it on kept.
"""

from __future__ import annotations

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import before_key
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.storage.keys import PAST

LAST = (1 << 64) - 1


def index_before(data: LabelMap, label: int, mutation: int) -> LabelIndex | None:
    """Index of a body before a mutation, in this version's own line; none where there was none, or it is not known."""
    still = data.still()
    for _, found in still.view.range(before_key(label, mutation), before_key(label, LAST) + PAST):
        return still.read_index(found) if found.read() else None
    return still.find_index(label)
