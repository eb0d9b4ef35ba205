"""Many threads edit, post and read one instance: what comes of it is what some order of the edits gives."""

from __future__ import annotations

import random
import threading
import time

import numpy as np
import pytest
from edit_threads import Gate, together
from labelmaps import SIDE, at, blocks_of, new_labelmap, post, runs_of, voxels

from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.state import Bodies
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.events import apply_again, event_of
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labelmap.mutations.renumber import renumber
from dvidpy.datatypes.labelmap.mutations.split_body import split_body
from dvidpy.datatypes.labelmap.mutations.split_supervoxel import split_supervoxel
from dvidpy.datatypes.labels.splits import Cut
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_runs import Runs
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

SIZE = (SIDE, SIDE, 8 * SIDE)
TURNS = 12


def _labels(*labels: int) -> np.ndarray:
    return np.array(labels, np.uint64)


@pytest.fixture
def data(datastore: Datastore) -> LabelMap:
    made = new_labelmap(datastore)
    volume = np.broadcast_to(np.arange(SIZE[2], dtype=np.uint64) // np.uint64(4) + np.uint64(1), SIZE)
    post(made, blocks_of(np.ascontiguousarray(volume)))
    return made


def _agree(data: LabelMap) -> None:
    """One look: indices, mapping and voxels of one moment say the same."""

    def look(still: LabelMap, bodies: Bodies) -> None:
        shown = voxels(still, SIZE)
        labels, counts = np.unique(bodies.apply(shown), return_counts=True)
        expected = {label: n for label, n in zip(labels.tolist(), counts.tolist(), strict=True) if label}
        found = {body: index.voxels for body in still.labels() if (index := still.find_index(body)) is not None}
        assert found == expected
        assert sum(found.values()) == shown.astype(bool).sum()

    data.steady(look)


def _upper(data: LabelMap, supervoxels: np.ndarray) -> Runs:
    """Half of the rows of some supervoxels, as long as nobody cuts them."""
    mask: np.ndarray = np.isin(voxels(data, SIZE), supervoxels)
    mask[:, : SIDE // 2] = False
    return runs_of(mask)


def _edit(data: LabelMap, seed: int) -> None:
    """Merges, cleaves, splits, renumberings and blocks, of whatever is there; others may have been quicker."""
    chance = random.Random(seed)
    for turn in range(TURNS):
        bodies = list(data.labels())
        body = chance.choice(bodies)
        supervoxels = data.supervoxels_of(body)
        try:
            match chance.randrange(6):
                case 0:
                    merge(data, _labels(*dict.fromkeys(chance.choices(bodies, k=3))))
                case 1:
                    given = chance.choice([None, 20_000 + chance.randrange(20)])
                    cleave(data, body, supervoxels[:1], given=given)
                case 2:
                    renumber(data, _labels(10_000 + 100 * seed + turn, body))
                case 3 if supervoxels.size:
                    cut = Cut(chance.choice([0, 20_000 + chance.randrange(20)]), 0)
                    runs = _upper(data, supervoxels[:1])
                    split_supervoxel(data, int(supervoxels[0]), runs, given=cut, downres=bool(turn % 2))
                case 4 if supervoxels.size:
                    split_body(data, body, _upper(data, supervoxels[1:] if turn % 2 else supervoxels))
                case _:
                    place = (0, 0, chance.randrange(8))
                    made = {place: np.full((SIDE,) * 3, chance.randrange(1, 40), np.uint64)}
                    post(data, made, downres=bool(turn % 2))
        except BadRequest:
            continue


@pytest.mark.parametrize("seed", range(3))
def test_what_many_threads_do_can_be_done_one_after_the_other(data: LabelMap, seed: int) -> None:
    """Each has its turn for a moment longer than it takes."""
    over, moment = threading.Event(), random.Random(seed)
    Gate(data, lambda: time.sleep(0.01 * moment.random()))

    def read() -> None:
        while not over.is_set():
            _agree(data)

    with together(read):
        try:
            with together(*(lambda number=number: _edit(data, 10 * seed + number) for number in range(5))):
                pass
        finally:
            over.set()
    _agree(data)
    _agree(at(data, data.node))
    assert check_datastore(data.datastore).faults == []
    records = list(data.datastore.main.log.records())
    assert [one.id for one in records] == sorted({one.id for one in records})


def test_records_in_their_order_give_the_same_again(data: LabelMap, datastore: Datastore) -> None:
    """Edits of bodies, made by many at once in a branch, are done again one by one in another."""
    datastore.repos.commit(data.node)
    one = at(data, datastore.repos.new_version(data.node))
    other = at(data, datastore.repos.branch(data.node, "other"))
    with together(*(lambda number=number: _edit_bodies(one, number) for number in range(4))):
        pass
    records = [record for record in datastore.main.log.records() if record.version == one.version]
    assert len(records) > TURNS
    for record in records:
        assert event_of(record) is not None
        apply_again(other, record)
    assert list(other.labels()) == list(one.labels())
    for body in one.labels():
        assert other.need_index(body).supervoxels.tolist() == one.need_index(body).supervoxels.tolist()
    assert other.bodies().whole().bodies.tolist() == one.bodies().whole().bodies.tolist()


def _edit_bodies(data: LabelMap, seed: int) -> None:
    chance = random.Random(seed)
    for turn in range(TURNS):
        bodies = list(data.labels())
        try:
            match chance.randrange(3):
                case 0:
                    merge(data, _labels(*dict.fromkeys(chance.choices(bodies, k=3))))
                case 1:
                    body = chance.choice(bodies)
                    cleave(data, body, data.supervoxels_of(body)[:1])
                case _:
                    renumber(data, _labels(10_000 + 100 * seed + turn, chance.choice(bodies)))
        except BadRequest:
            continue


def test_labels_are_given_to_one_only(data: LabelMap) -> None:
    taken: list[int] = []

    def take() -> None:
        taken.extend(ids.take_labels(data, 2) for _ in range(50))

    with together(take, take, take, take):
        pass
    assert sorted(taken) == list(range(min(taken), min(taken) + 400, 2))
