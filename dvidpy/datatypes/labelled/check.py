"""What must hold of a labelmap instance: `dvidpy check`.

1. The indices of bodies count, of each supervoxel in each block, the voxels that are there: no more, no fewer, once.
2. A supervoxel belongs to the body whose index names it, and to no other.
3. No label of an index or a block is above the largest one of its version.

One walk over what is stored. A version that has one parent is compared with it by what it stored itself: what its
blocks and its indices change must be the same. Below a merge all that is visible counts. Both sides are added up as
sums of hashes in a few buckets a version, so that memory does not grow with the store; only where sums differ is that
version looked at again. Where a client brought in indices, mappings or unindexed blocks itself, differences are notes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labelled.ids import max_label
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import entries_of_block
from dvidpy.datatypes.labelled.keys import (
    BLOCK,
    BY_HAND,
    EXTENTS,
    INDEX,
    MAPPING,
    MAX_LABEL,
    SHEET,
    SPLIT,
    number_of,
    scale_prefix,
)
from dvidpy.datatypes.labelled.reconcile import NO_LABELS, RECONCILE
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.block_keys import blocks_of
from dvidpy.datatypes.labels.index import NO_ENTRIES, Entries, joined
from dvidpy.datatypes.labels.sheets import ENTRY_BYTES, SIZE_BYTES
from dvidpy.datatypes.voxels.extents import decode as decode_extents
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.errors import DvidError, StoreError
from dvidpy.geometry import from_wire
from dvidpy.kernels.label_blocks import Labels
from dvidpy.storage.keys import TOMBSTONE, after, cell, split_cell
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import Kept, Note
from dvidpy.versioning.found import Found
from dvidpy.versioning.records import Instance
from dvidpy.versioning.visibility import choose

BUCKETS = 1024
PART = 1 << 20
"""Supervoxels whose bodies are looked up together."""
SHOWN = 10
"""Differences of a version that are named."""
FULL_RESOLUTION = scale_prefix(0)
Sums = NDArray[np.uint64]


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with one value."""
    kind, plain = kept.typekey[:1], kept.read()
    try:
        if kind == BLOCK:
            codec.parse(plain, from_wire(kept.instance.settings["BlockSize"]))
        elif kind == EXTENTS:
            decode_extents(plain)
        elif kind == MAX_LABEL:
            int(plain)
    except (DvidError, ValueError) as error:
        yield str(error)
    columns = {MAPPING: 16, SPLIT: 24, SHEET: ENTRY_BYTES if kept.typekey[-1] else SIZE_BYTES}.get(kind, 1)
    if len(plain) % columns:
        yield f"{len(plain)} bytes are no rows of {columns}"


def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """What does not agree in an instance; a `Note` where a client is answerable for it."""
    walk = _Walk(datastore, instance)
    for version, fault in walk.differences():
        if version in walk.pending:
            yield Note(f"version {walk.uuid(version)}: indices follow a merge that is still pending: {fault}")
        elif walk.by_hand(version):
            yield Note(f"version {walk.uuid(version)}: {fault} (a client has stored indices or mappings itself)")
        else:
            yield f"version {walk.uuid(version)}: {fault}"


class _Named(NamedTuple):
    """A body and its supervoxels, as an index names them."""

    body: int
    supervoxels: Labels


class _Walk:
    """One instance, row by row."""

    def __init__(self, datastore: Datastore, instance: Instance) -> None:
        self._datastore, self._instance = datastore, instance
        self._values = datastore.values(instance)
        self.at = cache(self._at)
        nodes = datastore.catalogue.repo(instance.repo).nodes
        self._merges = [version for version, node in nodes.items() if len(node.parents) > 1] * instance.versioned
        self._sums: dict[int, Sums] = defaultdict(lambda: np.zeros(BUCKETS, np.uint64))
        self._most: dict[int, int] = defaultdict(int)
        self._named: dict[int, list[_Named]] = defaultdict(list)
        self._waiting = 0
        tasks = (task for _, task in datastore.stack_of(instance).queue.pending())
        self.pending = {task.version for task in tasks if (task.kind, task.instance) == (RECONCILE, instance.number)}

    def _at(self, version: int) -> LabelMap:
        repo, node = self._datastore.catalogue.place(self.uuid(version))
        return LabelMap(self._datastore, repo, node, self._instance, None)

    def uuid(self, version: int) -> str:
        """Of a version."""
        return self._datastore.catalogue.node(version).uuid

    def by_hand(self, version: int) -> bool:
        """Whether a client has stored indices or mappings itself, in the version or above it."""
        members = self._values.ancestries.of(version).members
        return any(split_cell(key)[0] in members for key in self._values.store.versions(self._values.prefix + BY_HAND))

    # ------------------------------------------------------------------ the walk
    def differences(self) -> Iterator[tuple[int, str]]:
        """(version, what is wrong)."""
        if not self._instance.settings["IndexedLabels"]:
            return
        for typekey, cells in self._values.rows():
            if typekey[:1] == INDEX or typekey.startswith(FULL_RESOLUTION):
                yield from self._row(typekey, cells)
            elif typekey[:1] == MAPPING:
                for version, _ in cells:
                    yield from self._moved(typekey, version)
            if self._waiting > PART:
                yield from self._bodies_disagree()
        yield from self._bodies_disagree()
        yield from self._too_large()
        for version, sums in sorted(self._sums.items()):
            if sums.any():
                yield from ((version, fault) for fault in self._located(version, sums))

    def _too_large(self) -> Iterator[tuple[int, str]]:
        """Labels above the largest one, where they appear."""
        nodes, wrong = self._datastore.catalogue.repo(self._instance.repo).nodes, set[int]()
        versions = sorted(nodes) if self._instance.versioned else [self._instance.root_version]
        for version in versions:
            parents = nodes[version].parents
            most = self._most[version] = max(self._most[version], *(self._most[parent] for parent in parents), 0)
            try:
                allowed = max_label(self.at(version))
            except ValueError:  # said already, with the value
                continue
            if most > allowed:
                wrong.add(version)
                if wrong.isdisjoint(parents):
                    yield version, f"label {most} is in use, and {allowed} said to be the largest"

    def _row(self, typekey: bytes, cells: list[tuple[int, int]]) -> Iterator[tuple[int, str]]:
        """Add what each version sees anew of a row."""
        known: dict[tuple[int, int], Entries] = {}
        for seen in cells:
            try:
                known[seen] = self._entries(typekey, *seen)
            except (DvidError, StoreError) as error:
                yield seen[0], f"value of {typekey.hex()}: {error}"
                known[seen] = NO_ENTRIES
        for version, kind in cells:
            parents = self._datastore.catalogue.parents(version) if self._instance.versioned else ()
            if version in self._merges:
                continue
            before = choose(self._values.ancestries.of(parents[0]), cells) if parents else None
            self._add(typekey, version, known[version, kind], known[before] if before else NO_ENTRIES)
        for version in self._merges:
            seen_there = choose(self._values.ancestries.of(version), cells)
            if seen_there is not None:
                self._add(typekey, version, known[seen_there], NO_ENTRIES)

    def _entries(self, typekey: bytes, version: int, kind: int) -> Entries:
        """What an index names, or a block has."""
        if kind == TOMBSTONE:
            return NO_ENTRIES
        data = self.at(version)
        stored = self._values.store.get(self._values.prefix + typekey + cell(version, kind)) or b""
        found = Found(data.view, kind, stored)
        if typekey[:1] == BLOCK:
            return entries_of_block(index_of(typekey), codec.parse(found.read(), data.block))
        return data.read_index(found).entries

    def _add(self, typekey: bytes, version: int, now: Entries, before: Entries) -> None:
        """Indices count up, blocks down: where both agree nothing is left."""
        sign = 1 if typekey[:1] == INDEX else -1
        _add_up(self._sums[version], now, sign)
        _add_up(self._sums[version], before, -sign)
        if now.supervoxels.size:
            self._most[version] = max(self._most[version], int(now.supervoxels.max()))
        if typekey[:1] == INDEX and now.supervoxels.size:
            body, supervoxels = number_of(typekey), np.unique(now.supervoxels)
            self._most[version] = max(self._most[version], body)
            self._named[version].append(_Named(body, supervoxels))
            self._waiting += supervoxels.size

    # ------------------------------------------------------------------ bodies
    def _bodies_disagree(self) -> Iterator[tuple[int, str]]:
        """Indices that name supervoxels which the mapping gives to another body."""
        for version, named in sorted(self._named.items()):
            supervoxels = np.concatenate([one.supervoxels for one in named])
            bodies = np.repeat(
                np.array([one.body for one in named], np.uint64), [one.supervoxels.size for one in named]
            )
            mapped = self.at(version).bodies().apply(supervoxels)
            for at in np.flatnonzero(mapped != bodies)[:SHOWN].tolist():
                fault = f"the index of body {bodies[at]} names supervoxel {supervoxels[at]}, mapped to {mapped[at]}"
                yield version, fault
        self._named.clear()
        self._waiting = 0

    def _moved(self, typekey: bytes, version: int) -> Iterator[tuple[int, str]]:
        """Supervoxels that a mutation mapped anew, and that an older index still names."""
        parents = self._datastore.catalogue.parents(version) if self._instance.versioned else ()
        if not parents or version in self._merges:
            return  # all indices there are compared with the mapping
        data = self.at(version)
        columns = np.frombuffer(data.view.get(typekey) or b"", "<u8")
        supervoxels = columns[: columns.size // 2]
        before = self.at(parents[0]).bodies().apply(supervoxels)
        moved = before != data.bodies().apply(supervoxels)
        for body in np.unique(before[moved]).tolist():
            found = data.find_body(body)
            lost = supervoxels[moved & (before == body)]
            left = NO_LABELS if found is None else found.only(lost).supervoxels
            yield from ((version, f"the index of body {body} names supervoxel {one}, which it lost") for one in left)

    # ------------------------------------------------------------------ where sums differ
    def _located(self, version: int, sums: Sums) -> Iterator[str]:
        """Name the first differences."""
        data, wrong = self.at(version), sums != 0
        found = _in_buckets(data, wrong).netted()
        places = blocks_of(found.blocks).tolist()
        for (z, y, x), supervoxel, voxels in list(zip(places, *found[1:], strict=True))[:SHOWN]:
            more = "more" if voxels > 0 else "fewer"
            yield f"indices count {abs(voxels)} {more} voxels of supervoxel {supervoxel} in block {x},{y},{z}"
        if len(places) > SHOWN:
            yield f"and {len(places) - SHOWN} more such differences"


def _in_buckets(data: LabelMap, wanted: NDArray[np.bool_]) -> Entries:
    """What indices count too much in some buckets, all that a version sees taken together."""
    parts: list[Entries] = []
    for _, found in data.view.range(INDEX, after(INDEX)):
        with suppress(DvidError, StoreError):  # said already, with the value
            parts.append(_only(data.read_index(found).entries, wanted))
        parts = [joined(parts).netted()] if len(parts) > BUCKETS else parts
    for typekey, found in data.view.range(FULL_RESOLUTION, scale_prefix(1)):
        entries = _only(entries_of_block(index_of(typekey), codec.parse(found.read(), data.block)), wanted)
        parts.append(entries._replace(voxels=-entries.voxels))
        parts = [joined(parts).netted()] if len(parts) > BUCKETS else parts
    return joined(parts)


def _only(entries: Entries, wanted: NDArray[np.bool_]) -> Entries:
    return entries.where(wanted[_bucket(entries)])


def _bucket(entries: Entries) -> NDArray[np.int64]:
    return (_mixed(entries.blocks.astype(np.uint64)) >> np.uint64(54)).astype(np.int64)


def _add_up(sums: Sums, entries: Entries, sign: int) -> None:
    """Add a hash of each block and supervoxel, times its voxels, to the bucket of the block."""
    if entries.blocks.size:
        hashes = _mixed(_mixed(entries.blocks.astype(np.uint64)) ^ entries.supervoxels)
        np.add.at(sums, _bucket(entries), hashes * (sign * entries.voxels).astype(np.uint64))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64: every bit of the result depends on every bit."""
    found = numbers + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
    return found ^ (found >> np.uint64(31))
