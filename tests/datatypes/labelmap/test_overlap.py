"""Which edits go on side by side, and which do not: each stops when it has done its work, before it is written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import numpy as np
import pytest
from edit_threads import Gate, together
from labelmaps import SIDE, blocks_of, new_blocks, new_labelmap, post, runs_of, voxels

from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.edits import editing, touched
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import store_blocks
from dvidpy.datatypes.labelmap.index.indices import put_indices
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.cutting import Cutting
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labelmap.mutations.renumber import renumber
from dvidpy.datatypes.labelmap.mutations.split_body import split_body
from dvidpy.datatypes.labelmap.mutations.split_supervoxel import split_supervoxel
from dvidpy.datatypes.labels.splits import Cut
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_runs import Runs
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

SIZE = (SIDE, SIDE, 8 * SIDE)
SECONDS = 20
MOMENT = 0.1
Edits = Callable[[LabelMap], object]


def _labels(*labels: int) -> np.ndarray:
    return np.array(labels, np.uint64)


@pytest.fixture
def data(datastore: Datastore) -> Iterator[LabelMap]:
    """Labels 1 to 32 are slabs along x, four in each of eight blocks, of which two lie under one parent; 1 and 2 are
    one body, 31 and 32 another.
    """
    made = new_labelmap(datastore)
    volume = np.broadcast_to(np.arange(SIZE[2], dtype=np.uint64) // np.uint64(4) + np.uint64(1), SIZE)
    post(made, blocks_of(np.ascontiguousarray(volume)), downres=True)
    merge(made, _labels(1, 2))
    merge(made, _labels(31, 32))
    yield made
    assert made.state.turns.is_free()
    assert check_datastore(datastore).faults == []
    records = list(datastore.main.log.records())
    assert [one.id for one in records] == sorted({one.id for one in records})


class Count:
    """How many stop at once."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(MOMENT)
        with self._lock:
            self._now -= 1


def _upper(data: LabelMap, *supervoxels: int) -> Runs:
    mask: np.ndarray = np.isin(voxels(data, SIZE), supervoxels)
    mask[:, : SIDE // 2] = False
    return runs_of(mask)


def _fill(data: LabelMap, x: int, label: int) -> None:
    post(data, {(0, 0, x): np.full((SIDE,) * 3, label, np.uint64)}, downres=True)


def _fill_coarse(data: LabelMap, x: int) -> None:
    store_blocks(data, new_blocks(data, {(0, 0, x): np.full((SIDE,) * 3, 1, np.uint64)}), scale=1)


def _split(label: int, *given: int) -> Edits:
    return lambda data: split_supervoxel(data, label, _upper(data, label), given=Cut(*given) if given else None)


def _split_body(body: int, label: int | None = None) -> Edits:
    return lambda data: split_body(data, body, _upper(data, body), label=label)


def _cleave(body: int, supervoxel: int, given: int | None = None) -> Edits:
    return lambda data: cleave(data, body, _labels(supervoxel), given=given)


def _merge(*labels: int) -> Edits:
    return lambda data: merge(data, _labels(*labels))


def _renumber(*labels: int) -> Edits:
    return lambda data: renumber(data, _labels(*labels))


APART: dict[str, Edits] = {
    "merge": _merge(3, 4),
    "cleave": _cleave(1, 2),
    "cleave, label given": _cleave(31, 32, 500),
    "renumber": _renumber(400, 5),
    "split": _split(9),
    "split of a body": _split_body(17),
    "blocks": lambda data: _fill(data, 6, 25),
    "new blocks": lambda data: _fill(data, 8, 700),
    "coarse blocks": lambda data: _fill_coarse(data, 5),
    "indices": lambda data: put_indices(data, [data.need_index(6)]),
}


def test_edits_of_different_bodies_and_blocks_overlap(data: LabelMap) -> None:
    """Each waits for all the others before it is written."""
    inside = threading.Barrier(len(APART))
    Gate(data, lambda: inside.wait(SECONDS))
    with together(*(lambda edit=edit: edit(data) for edit in APART.values())):
        pass
    assert data.bodies().apply(_labels(1, 4, 5, 32)).tolist() == [1, 3, 400, 500]
    assert data.extents().MaxPoint == [9 * SIDE - 1, SIDE - 1, SIDE - 1]
    assert ids.max_label(data) == 700


TOGETHER: dict[str, tuple[Edits, Edits]] = {
    "a body": (_merge(3, 4), _merge(5, 4)),
    "a body to come": (_renumber(400, 5), _cleave(1, 2, 400)),
    "a label to come": (_split(9, 400, 0), _renumber(400, 17)),
    "the body of a split": (_split(2), _merge(1, 5)),
    "a parent of blocks": (_split(9), _split(13)),
    "a parent of blocks of bodies": (_split_body(9), _split_body(13)),
    "a parent of blocks that come in": (_split(9), lambda data: _fill(data, 3, 13)),
    "a block of a coarser scale": (_split(9), lambda data: _fill_coarse(data, 1)),
    "a body of voxels that are written over": (lambda data: _fill(data, 6, 25), _merge(5, 27)),
    "an index": (lambda data: put_indices(data, [data.need_index(6)]), _merge(5, 6)),
}


@pytest.mark.parametrize("what", TOGETHER)
def test_edits_do_not_overlap_that_share(data: LabelMap, what: str) -> None:
    count = Count()
    Gate(data, count)
    with together(*(lambda edit=edit: _try(edit, data) for edit in TOGETHER[what])):
        pass
    assert count.most == 1


def _try(edit: Edits, data: LabelMap) -> None:
    """Who comes second may be refused."""
    with suppress(BadRequest):
        edit(data)


def test_edits_are_done_while_others_take_long(data: LabelMap) -> None:
    """They are durable before who came first is written, and have the smaller id."""
    stopped, goes_on = threading.Event(), threading.Event()

    def stop() -> None:
        if not stopped.is_set():  # the first one alone
            stopped.set()
            assert goes_on.wait(SECONDS)

    Gate(data, stop)
    with together(lambda: _fill(data, 6, 25)):
        try:
            assert stopped.wait(SECONDS)
            first = merge(data, _labels(3, 4))
            new, second = split_supervoxel(data, 9, _upper(data, 9))
            assert data.bodies().apply(_labels(4, *new)).tolist() == [3, 9, 9]
            assert (voxels(data, SIZE) == 26).any()
        finally:
            goes_on.set()
    assert not (voxels(data, SIZE) == 26).any()
    assert first < second < list(data.datastore.main.log.records())[-1].id


# ---------------------------------------------------------------------- what an edit did not name
class Rival:
    """Has named some bodies until it is told."""

    def __init__(self, data: LabelMap, *bodies: int) -> None:
        self._there, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(data, bodies))
        self._thread.start()
        assert self._there.wait(SECONDS)

    def _hold(self, data: LabelMap, bodies: tuple[int, ...]) -> None:
        with data.state.turns.of(touched(data, bodies)):
            self._there.set()
            assert self._over.wait(SECONDS)

    def let_go(self) -> None:
        self._over.set()
        self._thread.join()


def _merged_meanwhile(data: LabelMap, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """What a split is about to cut belongs to 7 when its turn comes."""
    prepare = Cutting.prepare

    def prepared(self: Cutting, places: Iterable[Zyx], *, downres: bool) -> None:
        prepare(self, places, downres=downres)
        merge(data, _labels(7, 9))
        then()

    monkeypatch.setattr(Cutting, "prepare", prepared)


def test_a_split_follows_its_supervoxel_into_another_body(data: LabelMap, monkeypatch: pytest.MonkeyPatch) -> None:
    _merged_meanwhile(data, monkeypatch, lambda: None)
    cut, _ = split_supervoxel(data, 9, _upper(data, 9))
    assert data.need_index(7).supervoxels.tolist() == [7, *sorted(cut)]


def test_a_split_waits_for_who_has_that_body(data: LabelMap, monkeypatch: pytest.MonkeyPatch) -> None:
    rivals: list[Rival] = []
    there = threading.Event()

    def rival() -> None:
        rivals.append(Rival(data, 7))
        there.set()

    _merged_meanwhile(data, monkeypatch, rival)
    cuts: list[Cut] = []
    with together(lambda: cuts.append(split_supervoxel(data, 9, _upper(data, 9))[0])):
        assert there.wait(SECONDS)
        time.sleep(MOMENT)
        assert not cuts
        rivals[0].let_go()
    assert data.need_index(7).supervoxels.tolist() == [7, *sorted(cuts[0])]


def test_blocks_wait_for_a_body_that_they_take_voxels_from(data: LabelMap) -> None:
    rival, done = Rival(data, 27), threading.Event()

    def fill() -> None:
        _fill(data, 6, 25)
        done.set()

    with together(fill):
        assert not done.wait(MOMENT)
        rival.let_go()
    assert done.is_set()
    assert [label for label in data.labels() if 25 <= label <= 28] == [25]


def test_a_label_that_another_edit_was_given_is_not_chosen(data: LabelMap) -> None:
    first = ids.next_label(data)
    rival = Rival(data, first)
    assert cleave(data, 1, _labels(2))[0] == first + 1
    with editing(data, touched(data)):
        assert ids.take_unnamed(data, 2) == first + 2
    rival.let_go()
    cleave(data, 31, _labels(32), given=first)


def test_reserved_labels_are_not_those_that_another_edit_was_given(data: LabelMap) -> None:
    first = ids.next_label(data)
    rival = Rival(data, first + 1)
    with editing(data, touched(data)):
        assert ids.take_unnamed(data, 2) == first + 2
    rival.let_go()


def test_a_chosen_label_is_not_given_to_others_before_it_is_stored(data: LabelMap) -> None:
    chosen = ids.next_label(data)
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        time.sleep(MOMENT)

    Gate(data, stop)
    with together(_of(_cleave(1, 2), data)):
        assert stopped.wait(SECONDS)
        with pytest.raises(BadRequest, match="in use"):
            cleave(data, 31, _labels(32), given=chosen)


def _of(edit: Edits, data: LabelMap) -> Callable[[], object]:
    return lambda: edit(data)


def test_labels_given_twice_are_given_once(data: LabelMap) -> None:
    refused: list[str] = []

    def attempt(edit: Edits) -> None:
        try:
            edit(data)
        except BadRequest as error:
            refused.append(str(error))

    with together(*(lambda edit=edit: attempt(edit) for edit in (_cleave(1, 2, 600), _cleave(31, 32, 600)))):
        pass
    assert refused == ["label 600 is in use"]
