"""Edits of committed versions: they agree with what descendants have done, or are refused."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from labelmaps import SIDE, at, blocks_of, new_blocks, new_labelmap, post, runs_of, voxels

from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import store_blocks
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labelmap.mutations.renumber import renumber
from dvidpy.datatypes.labelmap.mutations.split_supervoxel import split_supervoxel
from dvidpy.errors import BadRequest
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

SIZE = (SIDE, SIDE, 4 * SIDE)
Line = list[LabelMap]
"""A version, its child, the child's child; the first two are committed."""


def _labels(*labels: int) -> np.ndarray:
    return np.array(labels, np.uint64)


@pytest.fixture
def line(datastore: Datastore) -> Line:
    """Labels 1 to 16 are slabs along x, four a block; the middle version has put 2 into 1."""
    root = new_labelmap(datastore, levels=1)
    volume = np.broadcast_to(np.arange(SIZE[2], dtype=np.uint64) // np.uint64(4) + np.uint64(1), SIZE)
    post(root, blocks_of(np.ascontiguousarray(volume)), downres=True)
    datastore.repos.commit(root.node)
    child = at(root, datastore.repos.new_version(root.node))
    merge(child, _labels(1, 2))
    datastore.repos.commit(child.node)
    return [at(root, root.node), at(root, child.node), at(root, datastore.repos.new_version(child.node))]


def _mask(data: LabelMap, label: int) -> np.ndarray:
    mask: np.ndarray = voxels(data, SIZE) == label
    mask[:, :4] = False
    return mask


def test_a_version_that_was_edited_inherits_the_largest_label_of_a_forced_edit(line: Line) -> None:
    root, _, leaf = line
    post(leaf, {(0, 0, 0): np.full((SIDE,) * 3, 3, np.uint64)})
    renumber(root, _labels(500, 10))
    post(leaf, {(0, 0, 0): np.full((SIDE,) * 3, 20, np.uint64)})
    assert ids.max_label(leaf) == 500


def test_what_nobody_below_has_touched_is_edited_for_all(line: Line) -> None:
    root = line[0]
    merge(root, _labels(5, 6, 7))
    new, _ = cleave(root, 5, _labels(6))
    split_supervoxel(root, 9, runs_of(_mask(root, 9)))
    renumber(root, _labels(500, 10))
    for data in line:
        assert data.need_index(new).supervoxels.tolist() == [6]
        assert data.body_of(10) == 500
        assert len(data.need_index(9).supervoxels) == 2
        assert ids.max_label(data) >= 500
    assert line[1].need_index(1).supervoxels.tolist() == [1, 2]


@pytest.mark.parametrize("edit", ["merge", "into", "split", "blocks", "renumber"])
def test_what_a_descendant_has_edited_is_not(line: Line, edit: str) -> None:
    root = line[0]
    before = [[(body, data.need_index(body)) for body in data.labels()] for data in line]
    full = np.full((SIDE,) * 3, 16, np.uint64)
    forced: dict[str, Callable[[], object]] = {
        "merge": lambda: merge(root, _labels(8, 2)),
        "into": lambda: merge(root, _labels(1, 8)),
        "split": lambda: split_supervoxel(root, 1, runs_of(_mask(root, 1))),
        "blocks": lambda: post(root, {(0, 0, 0): full}),
        "renumber": lambda: renumber(root, _labels(500, 1)),
    }
    with pytest.raises(BadRequest, match=rf"version {line[1].version_uuid}, .* has changed (body|block) "):
        forced[edit]()
    assert str(before) == str([[(body, data.need_index(body)) for body in data.labels()] for data in line])


def test_blocks_that_a_descendant_has_written_are_not_written_above_it(line: Line) -> None:
    place = (0, 0, 3)
    post(line[2], {place: np.full((SIDE,) * 3, 99, np.uint64)}, downres=True)
    with pytest.raises(BadRequest, match="has changed"):
        post(line[1], {place: np.full((SIDE,) * 3, 98, np.uint64)})
    with pytest.raises(BadRequest, match="of scale 1"):
        post(line[1], {(0, 1, 2): np.full((SIDE,) * 3, 98, np.uint64)}, downres=True)
    post(line[1], {(0, 0, 9): np.full((SIDE,) * 3, 98, np.uint64)}, downres=True)
    assert line[2].need_index(98).voxels == SIDE**3


def test_a_client_that_answers_for_its_blocks_may_write_them(line: Line) -> None:
    store_blocks(line[0], new_blocks(line[0], {(0, 0, 0): np.full((SIDE,) * 3, 1, np.uint64)}), indexing=False)
    report = check_datastore(line[0].datastore)
    assert report.faults == []
    assert report.notes


def test_random_forced_edits_leave_every_version_sound(line: Line) -> None:
    chance, done, refused = random.Random(5), 0, 0
    for _ in range(80):
        data = chance.choice(line)
        bodies = list(data.labels())
        body, *others = chance.sample(bodies, 3)
        supervoxels = data.supervoxels_of(body)
        try:
            if supervoxels.size > 1 and chance.random() < 0.5:
                cleave(data, body, supervoxels[:1])
            elif chance.random() < 0.3:
                split_supervoxel(data, int(supervoxels[0]), runs_of(_mask(data, int(supervoxels[0]))))
            elif len(bodies) > 6:
                merge(data, _labels(body, *others))
            done += 1
        except BadRequest:
            refused += 1
    assert min(done, refused) > 10
    assert check_datastore(line[0].datastore).faults == []
