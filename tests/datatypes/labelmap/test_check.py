"""Each invariant is broken behind the instance's back; `dvidpy check` says so, once, and at the right version."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from labelmaps import SIDE, at, new_blocks, new_labelmap, post

from dvidpy.config import Settings
from dvidpy.datatypes.labelled import check, edits
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import store_blocks
from dvidpy.datatypes.labelled.keys import MAX_LABEL, block_key, label_key, mapping_key, split_key
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labels.index import added, entries_of
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.check import Report, check_datastore
from dvidpy.versioning.datastore import Datastore

PLACE, NEXT = (0, 0, 0), (0, 0, 1)
LATER = 1 << 60
"""Mutation whose mapping goes before that of all others."""
Damage = Callable[[LabelMap], None]


@pytest.fixture
def data(settings: Settings) -> LabelMap:
    """Labels 1, 2, 3 in two blocks; 1 and 2 are one body. Nothing looks at the store when the test is over."""
    load_types()
    datastore = Datastore(settings)
    made = new_labelmap(datastore, levels=0)
    volume = np.ones((SIDE, SIDE, SIDE), np.uint64)
    volume[SIDE // 2 :] = 2
    post(made, {PLACE: volume, NEXT: np.full_like(volume, 3)})
    merge(made, np.array([1, 2], np.uint64))
    return made


def _report(data: LabelMap) -> Report:
    report = check_datastore(data.datastore)
    data.datastore.close()
    return report


def _put(data: LabelMap, typekey: bytes, value: bytes) -> None:
    change = data.change()
    data.plain_view.put(change, typekey, value)
    data.plain_view.commit(change)


def _count(data: LabelMap, voxels: int) -> None:
    index = added(data.need_index(1), entries_of([PLACE], [1], [voxels]))
    _put(data, label_key(1), index.encode())


def _name_twice(data: LabelMap) -> None:
    index = data.need_index(1).only(np.array([2], np.uint64))._replace(label=2)
    _put(data, label_key(2), index.encode())


def _lose(data: LabelMap, typekey: bytes) -> None:
    change = data.change()
    data.view.delete(change, typekey)
    data.view.commit(change)


def _map(data: LabelMap, supervoxel: int, body: int) -> None:
    _put(data, mapping_key(LATER), np.array([supervoxel, body], "<u8").tobytes())


def _replace_block(data: LabelMap) -> None:
    (block,) = new_blocks(data, {PLACE: np.full((SIDE, SIDE, SIDE), 3, np.uint64)})
    _put(data, block_key(0, PLACE), block.block.encode())


SOME = SIDE**3 // 2
DAMAGES: dict[str, tuple[Damage, list[str]]] = {
    "nothing": (lambda data: None, []),
    "too many voxels": (lambda data: _count(data, 5), ["indices count 5 more voxels of supervoxel 1 in block 0,0,0"]),
    "too few voxels": (lambda data: _count(data, -5), ["indices count 5 fewer voxels of supervoxel 1 in block 0,0,0"]),
    "named by two bodies": (
        _name_twice,
        [
            "the index of body 2 names supervoxel 2, mapped to 1",
            f"indices count {SOME} more voxels of supervoxel 2 in block 0,0,0",
        ],
    ),
    "no index": (
        lambda data: _lose(data, label_key(3)),
        [f"indices count {SIDE**3} fewer voxels of supervoxel 3 in block 1,0,0"],
    ),
    "no block": (
        lambda data: _lose(data, block_key(0, NEXT)),
        [f"indices count {SIDE**3} more voxels of supervoxel 3 in block 1,0,0"],
    ),
    "another block": (
        _replace_block,
        [
            f"indices count {SOME} fewer voxels of supervoxel 3 in block 0,0,0".replace(str(SOME), str(SIDE**3)),
            f"indices count {SOME} more voxels of supervoxel 1 in block 0,0,0",
            f"indices count {SOME} more voxels of supervoxel 2 in block 0,0,0",
        ],
    ),
    "mapped elsewhere": (lambda data: _map(data, 3, 1), ["the index of body 3 names supervoxel 3, mapped to 1"]),
    "largest label": (
        lambda data: _put(data, MAX_LABEL, b"2"),
        ["label 3 is in use, and 2 said to be the largest"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_where_it_was_done(data: LabelMap, damage: str) -> None:
    DAMAGES[damage][0](data)
    data.state.forget()
    expected = [f"seg: version {data.node.uuid}: {fault}" for fault in DAMAGES[damage][1]]
    assert sorted(_report(data).faults) == sorted(expected)


@pytest.mark.parametrize("damage", sorted(DAMAGES.keys() - {"largest label"}))  # there that of the parent counts too
def test_damage_in_a_child_is_found_there(data: LabelMap, damage: str) -> None:
    data.datastore.repos.commit(data.node)
    child = at(data, data.datastore.repos.new_version(data.node))
    data.datastore.repos.branch(data.node, "untouched")
    DAMAGES[damage][0](child)
    data.state.forget()
    found = {fault.partition(": version ")[2][:32] for fault in _report(data).faults}
    assert found == ({child.node.uuid} if DAMAGES[damage][1] else set())


def test_an_older_index_that_still_names_what_was_mapped_away(data: LabelMap) -> None:
    data.datastore.repos.commit(data.node)
    child = at(data, data.datastore.repos.new_version(data.node))
    _map(child, 2, 3)
    data.state.forget()
    (fault,) = _report(data).faults
    assert fault == f"seg: version {child.node.uuid}: the index of body 1 names supervoxel 2, which it lost"


@pytest.mark.parametrize(
    ("typekey", "value", "fault"),
    [
        (mapping_key(9), bytes(17), "17 bytes are no rows of 16"),
        (split_key(9), bytes(25), "25 bytes are no rows of 24"),
        (MAX_LABEL, b"many", "invalid literal"),
        (block_key(0, (5, 5, 5)), bytes(30), "label block"),
        (label_key(77), b"\x0a\xff", "no LabelIndex"),
    ],
)
def test_a_value_that_is_none(data: LabelMap, typekey: bytes, value: bytes, fault: str) -> None:
    change = data.change()
    data.plain_view.put(change, typekey, value)
    data.plain_view.commit(change)
    assert any(fault in found for found in _report(data).faults)


def test_many_differences_are_not_all_named(data: LabelMap) -> None:
    blocks = {(0, y, 9): np.full((SIDE, SIDE, SIDE), 50, np.uint64) for y in range(check.SHOWN + 3)}
    post(data, blocks)
    _lose(data, label_key(50))
    faults = _report(data).faults
    assert len(faults) == check.SHOWN + 1
    assert faults[-1].endswith("and 3 more such differences")


def test_what_a_client_stores_itself_is_a_note(data: LabelMap) -> None:
    """From that version on; what went before is proved all the same."""
    data.datastore.repos.commit(data.node)
    child = at(data, data.datastore.repos.new_version(data.node))
    store_blocks(child, new_blocks(child, {PLACE: np.full((SIDE, SIDE, SIDE), 9, np.uint64)}), indexing=False)
    with editing(child) as edit:
        edit.put_index(edit.index(3)._replace(label=4))
        edit.by_hand()
    report = _report(data)
    assert report.faults == []
    assert report.notes
    assert all(child.node.uuid in note and "a client has stored" in note for note in report.notes)


def test_supervoxels_are_looked_up_in_parts(data: LabelMap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PART", 1)
    _map(data, 3, 1)
    data.state.forget()
    assert len(_report(data).faults) == 1


def test_without_indices_there_is_nothing_to_compare(settings: Settings) -> None:
    load_types()
    datastore = Datastore(settings)
    data = new_labelmap(datastore, levels=0, IndexedLabels="false")
    post(data, {PLACE: np.ones((SIDE, SIDE, SIDE), np.uint64)})
    assert _report(data).faults == []


def test_a_forced_edit_that_a_descendant_does_not_see_is_found_there(
    data: LabelMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such an edit is refused; a store may have one from before it was."""
    data.datastore.repos.commit(data.node)
    child = at(data, data.datastore.repos.new_version(data.node))
    merge(child, np.array([1, 3], np.uint64))
    monkeypatch.setattr(edits, "demand_untouched_below", lambda *_: None)
    new, _ = cleave(at(data, data.node), 1, np.array([2], np.uint64))
    assert sorted(_report(data).faults) == [
        f"seg: version {child.version_uuid}: indices count {SOME} more voxels of supervoxel 2 in block 0,0,0",
        f"seg: version {child.version_uuid}: the index of body 1 names supervoxel 2, mapped to {new}",
    ]
