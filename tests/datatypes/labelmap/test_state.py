from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from labelmaps import SIDE, at, blocks_of, new_labelmap, post, voxels

from dvidpy.datatypes.labelled import state
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.state import VERSIONS, Bodies, Segmentation, load_mapping
from dvidpy.datatypes.labels.mappings import EMPTY, mapping_of
from dvidpy.errors import BadRequest, Busy
from dvidpy.versioning.datastore import Datastore

PLACE = (0, 0, 0)


@pytest.fixture
def data(datastore: Datastore) -> LabelMap:
    """Labels 1 and 2, half a block each."""
    made = new_labelmap(datastore)
    volume = np.ones((SIDE, SIDE, SIDE), np.uint64)
    volume[SIDE // 2 :] = 2
    post(made, {PLACE: volume})
    return made


def _columns(*pairs: tuple[int, int]) -> Any:
    return (np.array([pair[at] for pair in pairs], np.uint64) for at in (0, 1))


def _map(data: LabelMap, *pairs: tuple[int, int]) -> None:
    """A mapping without its indices, which a client answers for."""
    with editing(data) as edit:
        edit.map_pairs(*_columns(*pairs))
        edit.by_hand()


# ---------------------------------------------------------------------- Bodies
def test_newer_mappings_lie_over_older_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = Bodies(mapping_of(*_columns((1, 10), (2, 20)))).changed(mapping_of(*_columns((2, 21), (3, 30))))
    asked = np.array([[1, 2], [3, 4]], np.uint64)
    assert bodies.apply(asked).tolist() == [[10, 21], [30, 4]]
    assert bodies.knows(asked).tolist() == [[True, True], [True, False]]
    assert (bodies.of(2), bodies.of(9)) == (21, 9)
    assert bodies.whole().supervoxels.tolist() == [1, 2, 3]
    assert bodies.recent.supervoxels.size == 2
    monkeypatch.setattr(state, "RECENT", 2)
    one = bodies.changed(mapping_of(*_columns((4, 40))))
    assert one.recent.supervoxels.size == 0
    assert one.apply(asked).tolist() == [[10, 21], [30, 40]]


def test_without_a_mapping_labels_stay() -> None:
    asked = np.array([5, 0], np.uint64)
    assert Bodies(EMPTY).apply(asked).tolist() == [5, 0]
    assert not Bodies(EMPTY).knows(asked).any()


# ---------------------------------------------------------------------- what is kept
def test_a_mapping_is_read_again_when_it_is_forgotten(data: LabelMap) -> None:
    _map(data, (1, 2))
    _map(data, (5, 6), (1, 7))
    kept = data.bodies().whole()
    data.state.forget()
    assert [column.tolist() for column in data.bodies().whole()] == [column.tolist() for column in kept]
    assert kept.bodies.tolist() == [7, 6]


def test_an_older_snapshot_does_not_bring_back_an_older_mapping(data: LabelMap) -> None:
    old = data.view.frozen()
    _map(data, (1, 2))
    data.state.forget()
    assert data.state.bodies(old).of(1) == 2
    assert load_mapping(old).of(1) == 1


def test_a_mapping_read_while_an_edit_is_written_is_not_kept(data: LabelMap) -> None:
    mapping = data.bodies()
    with data.state.writing(data.datastore.catalogue.ancestries.of, data.version, EMPTY, mapping):
        data.state.forget()
        data.bodies()
        assert not data.state._bodies
    data.bodies()
    assert data.state._bodies


def test_what_is_kept_is_bounded(data: LabelMap) -> None:
    node = data.node
    for turn in range(VERSIONS + 3):
        data.datastore.repos.commit(node)
        node = data.datastore.repos.branch(node, f"b{turn}")
        at(data, node).bodies()
    assert len(data.state._bodies) == VERSIONS
    assert node.version in data.state._bodies


def test_descendants_see_a_forced_edit(data: LabelMap) -> None:
    data.datastore.repos.commit(data.node)
    child = at(data, data.datastore.repos.new_version(data.node))
    assert child.bodies().of(1) == 1
    _map(data, (1, 2))
    assert child.bodies().of(1) == 2


# ---------------------------------------------------------------------- one moment
def test_a_reader_never_sees_half_an_edit(data: LabelMap) -> None:
    """Voxels and mapping change together: what is seen is always body 9."""
    over, seen = threading.Event(), set[int]()

    def look() -> None:
        while not over.is_set():
            shown = data.steady(lambda still, bodies: bodies.apply(voxels(still, (SIDE, SIDE, SIDE))))
            seen.update(np.unique(shown).tolist())

    def change(label: int) -> None:
        before = int(voxels(data, (1, 1, 1))[0, 0, 0])
        with editing(data) as edit:
            post_in(edit, label)
            edit.map_pairs(*_columns((before, 0), (label, 9)))
            edit.by_hand()

    def post_in(edit: Any, label: int) -> None:
        from dvidpy.datatypes.labelled import blocks as stored_blocks
        from dvidpy.datatypes.labels import blocks as codec

        edit.put_block(0, PLACE, stored_blocks.pack(data, codec.solid(label, data.block)))
        edit.use_labels(label)

    change(100)
    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for label in range(101, 160):
        change(label)
    over.set()
    for reader in readers:
        reader.join()
    assert seen == {9}


def test_readers_wait_for_the_writing_alone() -> None:
    """Not for an edit that holds the lock while it computes."""
    one, entered, leave = Segmentation(), threading.Event(), threading.Event()

    def edit() -> None:
        with one.turns.of():
            entered.set()
            leave.wait(10)

    editor = threading.Thread(target=edit)
    editor.start()
    entered.wait(10)
    one._turn = 1  # as in the middle of the writing: looking again does not help
    assert one.steady(lambda: "seen") == "seen"
    leave.set()
    editor.join()


# ---------------------------------------------------------------------- refusals
def test_an_edit_that_raises_has_not_happened(data: LabelMap) -> None:
    def attempt() -> None:
        with editing(data) as edit:
            edit.map(np.array([1], np.uint64), 2)
            edit.put_index(edit.need_index(1)._replace(label=7))
            edit.need_index(99)

    with pytest.raises(BadRequest, match="label 99 is no body"):
        attempt()
    assert data.bodies().of(1) == 1
    assert list(data.labels()) == [1, 2]
    assert data.state.turns.is_free()


@pytest.fixture
def full(data: LabelMap, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabelMap]:
    """Nothing can be written."""

    def refuse(*_: Any) -> None:
        raise Busy("full")

    with monkeypatch.context() as patch:
        patch.setattr(data.view.of.committer, "write", refuse)
        yield data


def test_an_edit_that_cannot_be_written_changes_nothing(full: LabelMap) -> None:
    with pytest.raises(Busy):
        _map(full, (1, 2))
    assert full.bodies().of(1) == 1
    assert full.state._turn % 2 == 0
    assert full.state.steady(lambda: 1) == 1


def test_blocks_of(datastore: Datastore) -> None:
    """The tests' own cutting agrees with the grid."""
    data, volume = new_labelmap(datastore), np.arange(2 * SIDE**3, dtype=np.uint64).reshape(SIDE, SIDE, 2 * SIDE)
    post(data, blocks_of(volume))
    assert np.array_equal(voxels(data, volume.shape), volume)


class _Gate:
    """A lock that runs something just before it is taken for the first time, as an unlucky thread switch would."""

    def __init__(self, first: Any) -> None:
        self._first, self._lock = first, threading.Lock()

    def __enter__(self) -> None:
        first, self._first = self._first, lambda: None
        first()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_mapping_loaded_before_an_edit_is_not_kept_after_it(
    data: LabelMap, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it had been looked up, and the edit was written whole before it could be put away."""
    kept = data.state
    kept.forget()

    def edit() -> None:
        with kept.writing(
            datastore.catalogue.ancestries.of, data.version, mapping_of(*_columns((1, 7))), Bodies(EMPTY)
        ):
            pass

    monkeypatch.setattr(kept, "_keeping", _Gate(edit))
    assert kept.bodies(data.view).of(1) == 1
    assert kept.bodies(data.view).of(1) == 7
    kept.forget()  # it is in no store
