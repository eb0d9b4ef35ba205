"""Counts of labels as arrays: what elements add to them, and how labels rank."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.events import KINDS
from dvidpy.datatypes.labelsz.keys import COUNTS
from dvidpy.errors import BadRequest

Counts = NDArray[Any]
"""(n,) rows of `COUNTS`, ascending by label."""
Labels = NDArray[np.uint64]
STORED = ("PostSyn", "PreSyn", "Gap", "Note")
COLUMNS: dict[str, tuple[int, ...]] = {
    "PostSyn": (0,),
    "PreSyn": (1,),
    "Gap": (2,),
    "Note": (3,),
    "AllSyn": (0, 1, 2),
    "Voxels": (),
}
"""Index type -> columns whose sum it is. Voxels are not counted here, as in the reference: ask the segmentation."""
_COLUMN_OF_KIND = np.array([STORED.index(kind) if kind in STORED else -1 for kind in KINDS])


def columns_of(index: str) -> tuple[int, ...]:
    """Columns of an index type; BadRequest for any other word."""
    if index not in COLUMNS:
        raise BadRequest(f"{index[:40]!r} is no index type; there are {', '.join(COLUMNS)}")
    return COLUMNS[index]


def sizes(counts: NDArray[np.int64], index: str) -> NDArray[np.int64]:
    """(n, 4) counts -> (n,) of an index type."""
    found: NDArray[np.int64] = counts[:, list(columns_of(index))].sum(axis=1, dtype=np.int64)
    return found


def summed(labels: Labels, kinds: NDArray[np.uint8], signs: NDArray[np.int64]) -> tuple[Labels, NDArray[np.int64]]:
    """(labels, ascending; (n, 4) what elements of these kinds add to each)."""
    columns = _COLUMN_OF_KIND[kinds]
    counted = columns >= 0
    found, places = np.unique(labels[counted], return_inverse=True)
    changes = np.zeros((found.size, len(STORED)), np.int64)
    np.add.at(changes, (places, columns[counted]), signs[counted])
    return found, changes


def added(counts: Counts, labels: Labels, changes: NDArray[np.int64]) -> Counts:
    """Counts with changes; those that were never counted go no lower than 0."""
    every = np.union1d(counts["label"], labels)
    table = np.zeros((every.size, len(STORED)), np.int64)
    table[np.searchsorted(every, counts["label"])] = counts["counts"]
    table[np.searchsorted(every, labels)] += changes
    table = table.clip(0)
    return rows(every, table)


def rows(labels: Labels, table: NDArray[np.int64]) -> Counts:
    """Rows of labels that have any counts."""
    some = table.any(axis=1)
    found = np.empty(int(some.sum()), COUNTS)
    found["label"], found["counts"] = labels[some], table[some]
    return found


def ranked(counts: Counts, index: str, least: int = 1) -> tuple[Labels, NDArray[np.int64]]:
    """(labels, sizes) of those with at least so many, the largest first, equal ones by label."""
    found = sizes(counts["counts"], index)
    some = found >= max(1, least)
    labels, found = counts["label"][some], found[some]
    order = np.lexsort((labels, -found))
    return labels[order], found[order]
