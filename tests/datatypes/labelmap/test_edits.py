"""Edits without HTTP: what is refused, what the record says, and that it is enough to do an edit again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import orjson
import pytest
from labelmaps import SIDE, Volume, at, blocks_of, new_blocks, new_labelmap, post, runs_of, voxels

from dvidpy.datatypes.labelled import downres as coarser
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import Written, store_blocks
from dvidpy.datatypes.labelled.volumes import keep_volume, read_volume
from dvidpy.datatypes.labelmap.mutations import cutting
from dvidpy.datatypes.labelmap.mutations import split_body as split_body_module
from dvidpy.datatypes.labelmap.mutations.cleave import Cleave, cleave
from dvidpy.datatypes.labelmap.mutations.events import apply_again, event_of
from dvidpy.datatypes.labelmap.mutations.history import history
from dvidpy.datatypes.labelmap.mutations.merge import Merge, Part, merge
from dvidpy.datatypes.labelmap.mutations.renumber import Renamed, Renumber, renumber
from dvidpy.datatypes.labelmap.mutations.split_body import SplitBody, SupervoxelCut, split_body
from dvidpy.datatypes.labelmap.mutations.split_supervoxel import SplitSupervoxel, split_supervoxel
from dvidpy.datatypes.labelmap.mutations.splits import listed
from dvidpy.datatypes.labelmap.repair.largest import repair
from dvidpy.datatypes.labels import sheets
from dvidpy.datatypes.labels.numbers import LARGEST
from dvidpy.datatypes.labels.splits import Cut
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_runs import Runs
from dvidpy.storage.keys import after
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.mutations import Mutation

SIZE = (SIDE, SIDE, 2 * SIDE)


def _labels(*labels: int) -> Volume:
    return np.array(labels, np.uint64)


@pytest.fixture(params=[sheets.FULL, 1], ids=["one row", "sheets"])
def data(datastore: Datastore, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LabelMap:
    """Labels 1 to 8 are slabs along x, four in each of two blocks; 1, 2 and 3 are one body, 4 and 5 another.

    So small an index is one row; or as if it were large.
    """
    monkeypatch.setattr(sheets, "FULL", request.param)
    made = new_labelmap(datastore)
    volume = np.broadcast_to(np.arange(SIZE[2], dtype=np.uint64) // np.uint64(4) + np.uint64(1), SIZE)
    post(made, blocks_of(np.ascontiguousarray(volume)))
    merge(made, _labels(1, 2, 3))
    merge(made, _labels(4, 5))
    return made


def _bodies(data: LabelMap) -> dict[int, list[int]]:
    return {body: data.need_index(body).supervoxels.tolist() for body in data.labels()}


def _last(data: LabelMap) -> Mutation:
    return list(data.datastore.main.log.records())[-1]


def _mask(data: LabelMap, *labels: int, rows: int = SIDE // 2) -> np.ndarray:
    """Some rows of some labels."""
    mask: np.ndarray = np.isin(voxels(data, SIZE), labels)
    mask[:, rows:] = False
    return mask


BEFORE = {1: [1, 2, 3], 4: [4, 5], 6: [6], 7: [7], 8: [8]}


def _renumbered(data: LabelMap) -> None:
    renumber(data, _labels(100, 1, 1, 4, 2, 6))


def _cleaved(data: LabelMap) -> None:
    cleave(data, 1, _labels(3, 1))


def _split(data: LabelMap) -> None:
    split_supervoxel(data, 5, runs_of(_mask(data, 5)))


def _split_body(data: LabelMap) -> None:
    mask = _mask(data, 4, 5)
    mask |= voxels(data, SIZE) == 4
    split_body(data, 4, runs_of(mask))


EDITS: dict[str, tuple[Callable[[LabelMap], object], dict[int, list[int]]]] = {
    "merge": (lambda data: merge(data, _labels(4, 1, 8)), {4: [1, 2, 3, 4, 5, 8], 6: [6], 7: [7]}),
    "cleave": (_cleaved, {1: [2], 4: [4, 5], 6: [6], 7: [7], 8: [8], 9: [1, 3]}),
    "renumber": (_renumbered, {1: [4, 5], 2: [6], 7: [7], 8: [8], 100: [1, 2, 3]}),
    "split": (_split, BEFORE | {4: [4, 9, 10]}),
    "split body": (_split_body, BEFORE | {4: [11], 9: [4, 10]}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit(data: LabelMap, edit: str) -> None:
    change, expected = EDITS[edit]
    assert _bodies(data) == BEFORE
    change(data)
    assert _bodies(data) == expected
    for body, supervoxels in expected.items():
        assert data.bodies().apply(_labels(*supervoxels)).tolist() == [body] * len(supervoxels)
        assert data.need_index(body).last_mutid <= _last(data).id


def _rows(data: LabelMap) -> dict[bytes, bytes]:
    """All that is stored of the instance when coarser scales have followed, but for what indices say of the time."""
    data.datastore.drain(data.version)
    values, found = data.datastore.values(data.instance), {}
    for key, stored in values.store.scan(values.prefix, after(values.prefix)):
        found[key] = stored if key[5:6] != b"\x02" else b""
    return found


@pytest.mark.parametrize("edit", EDITS)
def test_done_again_from_its_record_it_changes_nothing(data: LabelMap, edit: str) -> None:
    EDITS[edit][0](data)
    rows, record = _rows(data), _last(data)
    lines = list(data.datastore.main.log.read(data.instance.uuid, data.version_uuid))
    apply_again(data, record)
    assert _rows(data) == rows
    assert _bodies(data) == EDITS[edit][1]
    assert list(data.datastore.main.log.read(data.instance.uuid, data.version_uuid)) == lines


def _rows_as_stored(data: LabelMap) -> dict[bytes, bytes]:
    values = data.datastore.values(data.instance)
    return dict(values.store.scan(values.prefix, after(values.prefix)))


def test_the_record_tells_what_was_before(data: LabelMap) -> None:
    EDITS["merge"][0](data)
    assert event_of(_last(data)) == Merge(4, [Part(1, [1, 2, 3]), Part(8, [8])])
    cleave(data, 4, _labels(8, 1), given=20)
    assert event_of(_last(data)) == Cleave(4, 20, [1, 8])
    renumber(data, _labels(30, 20))
    assert event_of(_last(data)) == Renumber([Renamed(30, 20, [1, 8], unnamed=True)])
    mask = _mask(data, 6)
    cut, _ = split_supervoxel(data, 6, runs_of(mask), downres=False)
    event = event_of(_last(data))
    assert isinstance(event, SplitSupervoxel)
    assert event == SplitSupervoxel(6, 6, *cut, event.volume, [(0, 0, 1)], downres=False)
    assert np.array_equal(read_volume(data, event.volume), runs_of(mask))
    new, _ = split_body(data, 7, runs_of(_mask(data, 7)))
    event = event_of(_last(data))
    assert isinstance(event, SplitBody)
    assert event == SplitBody(7, new, [SupervoxelCut(7, new + 1, new + 2)], [], event.volume, [(0, 0, 1)])
    post(data, {(0, 0, 5): np.ones((SIDE,) * 3, np.uint64)})
    assert event_of(_last(data)) == Written(0, [(0, 0, 5)])
    with pytest.raises(TypeError, match="is no edit of bodies"):
        apply_again(data, _last(data))


# ---------------------------------------------------------------------- refusals
REFUSED: dict[str, tuple[Callable[[LabelMap], object], str]] = {
    "merge nothing": (lambda data: merge(data, _labels()), "takes a target"),
    "merge one": (lambda data: merge(data, _labels(1)), "takes a target"),
    "merge with itself": (lambda data: merge(data, _labels(1, 4, 1)), "takes a target"),
    "merge a supervoxel": (lambda data: merge(data, _labels(1, 5)), "5 is no body"),
    "merge into nothing": (lambda data: merge(data, _labels(77, 1)), "77 is no body"),
    "cleave nothing": (lambda data: cleave(data, 1, _labels()), "takes supervoxels"),
    "cleave all": (lambda data: cleave(data, 1, _labels(1, 2, 3)), "leaves nothing"),
    "cleave others": (lambda data: cleave(data, 1, _labels(1, 4)), "4 is not in body 1"),
    "cleave nobody": (lambda data: cleave(data, 77, _labels(1)), "77 is no body"),
    "renumber odd": (lambda data: renumber(data, _labels(9, 1, 10)), "pairs"),
    "renumber to a body": (lambda data: renumber(data, _labels(20, 6, 4, 1)), "4 is a body already"),
    "renumber nobody": (lambda data: renumber(data, _labels(20, 6, 21, 77)), "77 is no body"),
    "split nothing": (lambda data: split_supervoxel(data, 5, runs_of(_mask(data))), "0 voxels does not cut"),
    "split all": (lambda data: split_supervoxel(data, 5, runs_of(_mask(data, 5, rows=SIDE))), "does not cut"),
    "split elsewhere": (lambda data: split_supervoxel(data, 5, runs_of(_mask(data, 6))), "0 of the"),
    "split nobody": (lambda data: split_supervoxel(data, 77, runs_of(_mask(data, 5))), "no supervoxel 77"),
    "split into one": (
        lambda data: split_supervoxel(data, 5, runs_of(_mask(data, 5)), given=Cut(20, 20)),
        "labels of their own",
    ),
    "split into itself": (
        lambda data: split_supervoxel(data, 5, runs_of(_mask(data, 5)), given=Cut(20, 5)),
        "labels of their own",
    ),
    "split into another": (
        lambda data: split_supervoxel(data, 5, runs_of(_mask(data, 5)), given=Cut(3, 0)),
        "3 is in use",
    ),
    "split body: nothing": (lambda data: split_body(data, 4, runs_of(_mask(data))), "does not cut"),
    "split body: all": (lambda data: split_body(data, 4, runs_of(_mask(data, 4, 5, rows=SIDE))), "does not cut"),
    "split body: beyond it": (lambda data: split_body(data, 4, runs_of(_mask(data, 5, 6))), "not within body 4"),
    "split body: nobody": (lambda data: split_body(data, 5, runs_of(_mask(data, 5))), "5 is no body"),
    "split body: into another": (
        lambda data: split_body(data, 4, runs_of(_mask(data, 5)), label=6),
        "6 is in use",
    ),
}


@pytest.mark.parametrize("edit", REFUSED)
def test_what_is_refused_changes_nothing(data: LabelMap, edit: str) -> None:
    rows, records = _rows_as_stored(data), list(data.datastore.main.log.records())
    with pytest.raises(BadRequest, match=REFUSED[edit][1]):
        REFUSED[edit][0](data)
    assert _rows_as_stored(data) == rows
    assert list(data.datastore.main.log.records()) == records


# ---------------------------------------------------------------------- splits
def test_runs_outside_the_supervoxel_are_left_alone(data: LabelMap) -> None:
    mask = _mask(data, 5, rows=2)
    mask[:2, 2:, 20] = True  # of label 6
    cut, _ = split_supervoxel(data, 5, runs_of(mask), given=Cut(50, 0))
    shown = voxels(data, SIZE)
    assert cut.split == 50
    assert np.array_equal(shown == 50, mask & np.isin(shown, [50]))
    assert (shown[:2, 2:, 20] == 6).all()
    assert data.need_index(4).only(_labels(50)).voxels == (shown == 50).sum()


def _post_5(data: LabelMap) -> None:
    post(data, {(0, 0, 1): np.full((SIDE,) * 3, 5, np.uint64)}, downres=True)


def _post_above(data: LabelMap) -> None:
    store_blocks(data, new_blocks(data, {(0, 0, 0): np.full((SIDE,) * 3, 7, np.uint64)}), scale=1, downres=True)


MEANWHILE: dict[str, Callable[[LabelMap], object]] = {
    "nothing": lambda data: None,
    "a post": _post_5,
    "a post to the scale above": _post_above,
    "a post without the scale above": lambda data: post(data, {(0, 0, 0): np.full((SIDE,) * 3, 1, np.uint64)}),
    "a split of a neighbour": lambda data: split_supervoxel(data, 6, runs_of(_mask(data, 6))),
    "the body is merged away": lambda data: merge(data, _labels(7, 4)),
    "the body grows": lambda data: merge(data, _labels(4, 7)),
    "a part is cleaved off": lambda data: cleave(data, 4, _labels(4)),
    "its new labels are used": lambda data: post(data, {(0, 0, 7): np.full((SIDE,) * 3, 10, np.uint64)}),
}


@pytest.fixture(params=[*MEANWHILE])
def meanwhile(data: LabelMap, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Something that happens between what an edit does ahead and its turn."""
    whole = cutting.Cutting.prepare
    waiting = [MEANWHILE[request.param]]

    def prepare(self: cutting.Cutting, places: Iterable[Zyx], *, downres: bool) -> None:
        whole(self, places, downres=downres)
        if waiting:
            waiting.pop()(data)

    monkeypatch.setattr(cutting.Cutting, "prepare", prepare)
    chosen: str = request.param
    return chosen


def test_a_supervoxel_is_cut_as_it_is_when_its_turn_comes(data: LabelMap, meanwhile: str) -> None:
    mask = _mask(data, 5)
    cut, _ = split_supervoxel(data, 5, runs_of(mask))
    shown = voxels(data, SIZE)
    assert np.array_equal(shown == cut.split, mask)
    assert data.body_of(cut.split) == data.body_of(cut.remain) == (7 if meanwhile == "the body is merged away" else 4)
    assert check_datastore(data.datastore).faults == []


def test_a_body_is_cut_as_it_is_when_its_turn_comes(data: LabelMap, meanwhile: str) -> None:
    mask = _mask(data, 5)
    if meanwhile == "the body is merged away":
        with pytest.raises(BadRequest, match="4 is no body"):
            split_body(data, 4, runs_of(mask))
    else:
        new, _ = split_body(data, 4, runs_of(mask))
        assert np.array_equal(data.bodies().apply(voxels(data, SIZE)) == new, mask)
    assert check_datastore(data.datastore).faults == []


def _is_waited_for(data: LabelMap) -> bool:
    """Whether others cannot edit now."""
    return not data.state.turns.is_free()


@pytest.mark.parametrize("split", [_split, _split_body])
def test_what_takes_long_keeps_nobody_waiting(
    data: LabelMap, split: Callable[[LabelMap], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    def watched(module: object, name: str) -> None:
        whole = getattr(module, name)

        def noting(*args: Any) -> Any:
            held.append(_is_waited_for(data))
            return whole(*args)

        monkeypatch.setattr(module, name, noting)

    watched(cutting, "split")
    watched(coarser, "downres")
    watched(split_body_module, "sizes_under")
    split(data)
    assert held
    assert not any(held)


@pytest.mark.parametrize("split", [_split, _split_body])
def test_other_edits_are_done_while_a_split_takes_long(
    data: LabelMap, split: Callable[[LabelMap], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The split is held up at the end of its long part; all others come and go."""
    cut, goes_on = threading.Event(), threading.Event()
    whole = cutting.Cutting.prepare

    def held_up(self: cutting.Cutting, places: Iterable[Zyx], *, downres: bool) -> None:
        whole(self, places, downres=downres)
        cut.set()
        assert goes_on.wait(30)

    monkeypatch.setattr(cutting.Cutting, "prepare", held_up)
    splitter = threading.Thread(target=split, args=(data,))
    splitter.start()
    try:
        assert cut.wait(30)
        merge(data, _labels(6, 7))
        new, _ = cleave(data, 1, _labels(2))
        renumber(data, _labels(90, new))
        assert splitter.is_alive()
        assert _bodies(data) == {1: [1, 3], 4: [4, 5], 6: [6, 7], 8: [8], 90: [2]}
    finally:
        goes_on.set()
        splitter.join(30)
    assert _bodies(data)[4] != [4, 5]
    assert check_datastore(data.datastore).faults == []


@pytest.mark.parametrize(
    ("given", "found"),
    [(Cut(0, 50), Cut(9, 50)), (Cut(50, 0), Cut(50, 51)), (Cut(0, 9), Cut(10, 9)), (Cut(50, 40), Cut(50, 40))],
)
def test_a_new_label_comes_before_the_one_that_remains_is_noted(data: LabelMap, given: Cut, found: Cut) -> None:
    assert split_supervoxel(data, 6, runs_of(_mask(data, 6)), given=given)[0] == found
    assert ids.next_label(data) == max(found) + 1


def test_the_largest_label_grows_again_after_a_repair(data: LabelMap) -> None:
    for label in (1000, 8):
        post(data, {(0, 0, 5): np.full((SIDE,) * 3, label, np.uint64)})
    assert ids.max_label(data) == 1000
    assert [*repair(data, commit=True)]
    assert ids.max_label(data) == 8
    assert cleave(data, 1, _labels(3))[0] == ids.max_label(data) == 9


def test_splits_are_listed_by_version(data: LabelMap) -> None:
    cut, first = split_supervoxel(data, 6, runs_of(_mask(data, 6)))
    data.datastore.repos.commit(data.node)
    child = at(data, data.datastore.repos.new_version(data.node))
    other = at(data, data.datastore.repos.branch(data.node, "other"))
    new, second = split_body(child, 4, runs_of(_mask(data, 4, 5)))
    mine: list[object] = [data.node.uuid, [[first, 6, cut.remain, cut.split]]]
    pairs = [[second, 4, new + 2, new + 1], [second, 5, new + 4, new + 3]]
    assert listed(child) == [child.node.uuid, pairs, *mine]
    assert listed(other) == mine


# ---------------------------------------------------------------------- history
def test_history_follows_supervoxels_through_splits_and_bodies(data: LabelMap) -> None:
    node = data.node
    data.datastore.repos.commit(node)
    child = at(data, data.datastore.repos.new_version(node))
    cut, _ = split_supervoxel(child, 3, runs_of(_mask(data, 3)))
    cleave(child, 1, _labels(cut.split), given=50)
    renumber(child, _labels(60, 50))
    merge(child, _labels(60, 7))
    merge(child, _labels(4, 6))

    def told(label: int) -> list[tuple[object, ...]]:
        said = [orjson.loads(one) for one in history(child, label, node, child.node)]
        return [tuple(one.values()) for one in said]

    early = ("merge", 1, [2, 3])
    assert told(60) == [
        early,
        ("split-supervoxel", 3, cut.split, cut.remain),
        ("cleave", 1, 50, [cut.split]),
        ("merge", 60, [7]),
    ]
    assert told(8) == []
    assert told(4) == [("merge", 4, [5]), ("merge", 4, [6])]
    assert told(2) == []  # a supervoxel, no body
    late = [orjson.loads(one) for one in history(child, 50, child.node, child.node)]
    assert late == []  # 50 is 60 by then
    cleave(child, 60, _labels(7), given=80)
    assert [*history(child, 80, child.node, child.node)] == []  # what 80 was cut from is no body of its supervoxels


# ---------------------------------------------------------------------- labels
def test_new_labels_come_behind_all_branches(data: LabelMap) -> None:
    data.datastore.repos.commit(data.node)
    child = at(data, data.datastore.repos.new_version(data.node))
    other = at(data, data.datastore.repos.branch(data.node, "other"))
    renumber(child, _labels(500, 1))
    assert ids.take_labels(other) == 501
    assert (ids.max_label(child), ids.max_label(other)) == (500, 8)
    assert ids.repo_max_label(other) == 501


def test_labels_in_use_are_remembered(data: LabelMap) -> None:
    split_supervoxel(data, 5, runs_of(_mask(data, 5)), given=Cut(70, 900))
    data.state.most = None  # as after a restart
    assert ids.next_label(data) == 901
    assert ids.max_label(data) == 900


def test_labels_go_on_where_an_admin_says(data: LabelMap) -> None:
    data.update_settings({"NextLabel": 20, "LabelCeiling": 23})
    assert [ids.take_labels(data), ids.take_labels(data, 2)] == [21, 22]
    with pytest.raises(BadRequest, match="would pass 23"):
        ids.take_labels(data)


def test_edits_pass_over_labels_in_use(data: LabelMap) -> None:
    """Where an admin has set the next label among them."""
    data.update_settings({"NextLabel": 2})
    renumber(data, _labels(10, 7))
    assert cleave(data, 1, _labels(3))[0] == 9
    data.update_settings({"NextLabel": 7})
    assert split_supervoxel(data, 5, runs_of(_mask(data, 5)))[0] == Cut(11, 12)
    data.update_settings({"NextLabel": 19})
    assert split_body(data, 6, runs_of(_mask(data, 6)), label=21)[0] == 21
    assert _last(data) is not None
    assert data.bodies().of(6) == 0
    assert data.supervoxels_of(21).tolist() == [22]


@pytest.mark.parametrize("given", [False, True])
def test_voxels_may_take_the_labels_of_a_split_that_is_under_way(
    data: LabelMap, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client stores voxels of a label that the split was about to use."""

    def keep(data: LabelMap, runs: Runs) -> str:
        post(data, {(0, 0, 5): np.full((SIDE,) * 3, 9, np.uint64)})
        return keep_volume(data, runs)

    monkeypatch.setattr("dvidpy.datatypes.labelmap.mutations.split_supervoxel.keep_volume", keep)
    if given:
        with pytest.raises(BadRequest, match="label 9 is in use"):
            split_supervoxel(data, 5, runs_of(_mask(data, 5)), given=Cut(9, 30))
        assert data.supervoxels_of(9).tolist() == [9]
        return
    cut, _ = split_supervoxel(data, 5, runs_of(_mask(data, 5)))
    assert 9 not in cut
    assert data.supervoxels_of(9).tolist() == [9]
    assert set(cut) < set(data.supervoxels_of(4).tolist())


def test_the_largest_label_of_all_is_the_last(datastore: Datastore) -> None:
    data = new_labelmap(datastore)
    post(data, {(0, 0, 0): np.full((SIDE,) * 3, LARGEST, np.uint64)})
    with pytest.raises(BadRequest, match="would pass"):
        ids.take_labels(data)


def test_supervoxels_that_come_back_are_bodies_again(data: LabelMap) -> None:
    """One that was split away joins the body of its own number; one that is merged goes where it belongs."""
    split_supervoxel(data, 4, runs_of(_mask(data, 4)))
    store = {(0, 0, 3): np.full((SIDE,) * 3, 4, np.uint64), (0, 0, 4): np.full((SIDE,) * 3, 2, np.uint64)}
    post(data, store)
    assert _bodies(data) == BEFORE | {4: [4, 5, 9, 10]}
    assert data.need_index(1).only(_labels(2)).voxels == SIDE**3 + SIDE * SIDE * 4
    assert len(new_blocks(data, store)) == 2
