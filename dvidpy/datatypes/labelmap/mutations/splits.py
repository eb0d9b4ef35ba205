"""Which supervoxels were split, version by version."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import SPLIT, number_of
from dvidpy.storage.keys import CELL, after, split_cell

Split = list[int]
"""Mutation, supervoxel, remain, split."""


def splits_by_version(data: LabelMap) -> dict[int, list[Split]]:
    """Version -> its splits in order, of this version and its ancestors; the newest version first."""
    values = data.datastore.values(data.instance)
    members, found = data.view.ancestry.members, dict[int, list[Split]]()
    for key in values.store.scan_keys(values.prefix + SPLIT, values.prefix + after(SPLIT)):
        version, _ = split_cell(key[-CELL:])
        if version in members:
            typekey = key[len(values.prefix) : -CELL]
            found.setdefault(version, []).extend(_splits(data, typekey))
    return dict(sorted(found.items(), reverse=True))


def _splits(data: LabelMap, typekey: bytes) -> Iterator[Split]:
    rows = np.frombuffer(data.view.get(typekey) or b"", "<u8").reshape(-1, 3)
    return ([number_of(typekey), *row] for row in rows.tolist())


def listed(data: LabelMap) -> list[str | list[Split]]:
    """Uuid of a version, its splits, uuid of the next…: nearest first."""
    catalogue = data.datastore.catalogue
    return [part for version, rows in splits_by_version(data).items() for part in (catalogue.node(version).uuid, rows)]
