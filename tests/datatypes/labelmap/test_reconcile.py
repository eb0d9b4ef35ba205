"""Versions are merged whose parents have both edited bodies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from labelmaps import SIDE, Volume, at, blocks_of, new_labelmap, post, runs_of, voxels

from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.reconcile import Reconciled
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.events import event_of
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labelmap.mutations.renumber import renumber
from dvidpy.datatypes.labelmap.mutations.split_supervoxel import split_supervoxel
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.resolve import resolve

SIZE = (SIDE, SIDE, 2 * SIDE)


def _labels(*labels: int) -> Volume:
    return np.array(labels, np.uint64)


class Family(NamedTuple):
    """Two open children of one version whose labels 1 to 8 are slabs along x, four a block."""

    root: LabelMap
    left: LabelMap
    right: LabelMap

    def merged(self) -> LabelMap:
        """The child of both."""
        data = self.root.datastore
        for side in (self.left, self.right):
            data.repos.commit(side.node)
        child = data.repos.merge([data.catalogue.node(side.version) for side in (self.left, self.right)])
        data.drain(child.version)
        return at(self.root, child)

    def resolved(self) -> LabelMap:
        """The child of both, where the left one wins."""
        data = self.root.datastore
        for side in (self.left, self.right):
            data.repos.commit(side.node)
        parents = [data.catalogue.node(side.version) for side in (self.left, self.right)]
        child = resolve(data, [data.catalogue.current(self.root.instance)], parents, "")
        data.drain(child.version)
        return at(self.root, child)


@pytest.fixture
def family(datastore: Datastore) -> Family:
    root = new_labelmap(datastore)
    volume = np.broadcast_to(np.arange(SIZE[2], dtype=np.uint64) // np.uint64(4) + np.uint64(1), SIZE)
    post(root, blocks_of(np.ascontiguousarray(volume)), downres=True)
    merge(root, _labels(1, 2, 3))
    datastore.repos.commit(root.node)
    left, right = datastore.repos.new_version(root.node), datastore.repos.branch(root.node, "right")
    return Family(root, at(root, left), at(root, right))


def _bodies(data: LabelMap) -> dict[int, list[int]]:
    return {body: data.need_index(body).supervoxels.tolist() for body in data.labels()}


def test_both_put_bodies_into_one(family: Family) -> None:
    merge(family.left, _labels(1, 4))
    merge(family.right, _labels(1, 5))
    assert _bodies(family.merged()) == {1: [1, 2, 3, 4, 5], 6: [6], 7: [7], 8: [8]}


def test_the_later_of_two_edits_of_a_supervoxel_counts(family: Family) -> None:
    merge(family.left, _labels(4, 1))
    new, _ = cleave(family.right, 1, _labels(3))
    assert _bodies(family.merged()) == {4: [1, 2, 4], new: [3], 5: [5], 6: [6], 7: [7], 8: [8]}


def test_one_renumbers_what_the_other_grows(family: Family) -> None:
    renumber(family.right, _labels(100, 1))
    merge(family.left, _labels(1, 8))
    assert _bodies(family.merged()) == {100: [1, 2, 3], 1: [8], 4: [4], 5: [5], 6: [6], 7: [7]}


def test_bodies_that_one_side_edited_are_as_there(family: Family) -> None:
    merge(family.left, _labels(4, 5))
    merge(family.right, _labels(7, 8))
    child = family.merged()
    assert _bodies(child) == {1: [1, 2, 3], 4: [4, 5], 6: [6], 7: [7, 8]}
    index, there = child.need_index(4), family.left.need_index(4)
    assert index.last_mutid == there.last_mutid


def test_a_block_that_both_wrote_is_seen_by_nobody(family: Family) -> None:
    """Nor is it counted, until the merged version has its own."""
    post(family.left, {(0, 0, 0): np.full((SIDE,) * 3, 50, np.uint64)}, downres=True)
    post(family.right, {(0, 0, 0): np.full((SIDE,) * 3, 60, np.uint64)}, downres=True)
    child = family.merged()
    assert not voxels(child, SIZE)[:, :, :SIDE].any()
    assert _bodies(child) == {5: [5], 6: [6], 7: [7], 8: [8]}
    assert ids.max_label(child) == 60
    post(child, {(0, 0, 0): np.full((SIDE,) * 3, 50, np.uint64)})
    assert _bodies(child) == {5: [5], 6: [6], 7: [7], 8: [8], 50: [50]}


@pytest.mark.parametrize("order", ["left first", "right first"])
def test_both_split_a_supervoxel(family: Family, order: str) -> None:
    """Of its block nothing is seen; where resolve lets the left one win, all agrees with what it did."""
    mask = voxels(family.root, SIZE) == 2
    mask[:, :4] = False
    sides = (family.left, family.right) if order == "left first" else (family.right, family.left)
    cuts = {id(side): split_supervoxel(side, 2, runs_of(mask))[0] for side in sides}
    child = family.resolved()
    cut = cuts[id(family.left)]
    assert _bodies(child)[1] == sorted([1, 3, *cut])
    assert np.array_equal(voxels(child, SIZE), voxels(family.left, SIZE))


def test_resolve_keeps_what_the_later_parent_did_elsewhere(family: Family) -> None:
    merge(family.left, _labels(1, 4))
    merge(family.right, _labels(1, 5))
    merge(family.right, _labels(7, 8))
    post(family.right, {(0, 0, 2): np.full((SIDE,) * 3, 90, np.uint64)}, downres=True)
    child = family.resolved()
    assert _bodies(child) == {1: [1, 2, 3, 4, 5], 6: [6], 7: [7, 8], 90: [90]}
    assert ids.max_label(child) == 90


def test_followers_hear_of_it(family: Family) -> None:
    merge(family.left, _labels(1, 4))
    merge(family.right, _labels(1, 5))
    child = family.merged()
    events = [event_of(one) for one in child.datastore.main.log.records() if one.version == child.version]
    assert Reconciled([1, 4, 5]) in events


def test_it_is_asked_for_again_after_a_restart_and_changes_nothing(family: Family) -> None:
    merge(family.left, _labels(1, 4))
    merge(family.right, _labels(1, 5))
    child = family.merged()
    before = _bodies(child), list(child.datastore.main.log.records())
    child.datastore.settle(child.node)
    child.datastore.drain(child.version)
    assert (_bodies(child), list(child.datastore.main.log.records())) == before


@pytest.mark.parametrize("way", ["merged", "resolved"])
def test_extents_are_those_of_both_parents(family: Family, way: str) -> None:
    block = np.full((SIDE,) * 3, 90, np.uint64)
    post(family.left, {(0, 5, 0): block})
    post(family.right, {(-1, 0, 2): block})
    child = family.merged() if way == "merged" else family.resolved()
    assert child.extents().shown() == {"MinPoint": [0, 0, -SIDE], "MaxPoint": [3 * SIDE - 1, 6 * SIDE - 1, SIDE - 1]}
    post(child, {(2, 0, 0): block})
    assert child.extents().shown()["MaxPoint"] == [3 * SIDE - 1, 6 * SIDE - 1, 3 * SIDE - 1]
