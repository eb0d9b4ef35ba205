"""Counts by label: restricted to a region, counted again, and what `dvidpy check` finds."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import cast

import numpy as np
import pytest
from annotated import World, element, memory_settings, slabs
from conftest import demand_sound
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.events import KINDS
from dvidpy.datatypes.labelsz.counts import COLUMNS, STORED, added, ranked, rows, sizes, summed
from dvidpy.datatypes.labelsz.following import ask, faults
from dvidpy.datatypes.labelsz.instance import LabelSizes
from dvidpy.datatypes.labelsz.keys import COUNTS, chunk_key
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.roi.region import parse_spans
from dvidpy.versioning.datastore import Datastore

ELEMENTS = st.lists(st.tuples(st.integers(0, 2**64 - 1) | st.integers(0, 9), st.integers(0, 4)), max_size=40)


@given(ELEMENTS, ELEMENTS)
def test_sums_are_those_of_a_counter(some: list[tuple[int, int]], more: list[tuple[int, int]]) -> None:
    wanted = Counter((label, KINDS[kind]) for label, kind in some + more if kind)
    counts = np.empty(0, COUNTS)
    for part in (some, more):
        labels = np.array([label for label, _ in part], np.uint64)
        kinds = np.array([kind for _, kind in part], np.uint8)
        counts = added(counts, *summed(labels, kinds, np.ones(len(part), np.int64)))
    found = {(int(row["label"]), kind): int(n) for row in counts for kind, n in zip(STORED, row["counts"], strict=True)}
    assert {key: number for key, number in found.items() if number} == wanted
    assert (np.diff(counts["label"].astype(object)) > 0).all()
    for index in COLUMNS:
        labels, ranks = ranked(counts, index)
        order = list(zip((-ranks).tolist(), labels.tolist(), strict=True))
        assert order == sorted(order)
        assert sorted(ranks.tolist()) == sorted(n for n in sizes(counts["counts"], index).tolist() if n)


def test_counts_never_fall_below_nothing() -> None:
    before = rows(np.array([5], np.uint64), np.array([[1, 0, 0, 0]]))
    assert added(before, *summed(np.array([5, 5], np.uint64), np.array([1, 1], np.uint8), np.array([-1, -1]))).size == 0


def test_only_the_region_counts_live_and_counted_again() -> None:
    load_types()
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.make("roi", "r", BlockSize="8,8,8")
        world.at("r").replace(parse_spans(b"[[0,0,0,0]]"))  # type: ignore[attr-defined]
        world.make("labelsz", "inside", follows="a", ROI=f"r,{world.root}")
        world.make("labelsz", "nowhere", follows="a", ROI=f"gone,{world.root}")
        world.paint((0, 0, 0), slabs(1, 2000))
        world.post(element((3, 3, 3), "Gap"), element((3, 9, 3), "Gap"), element((12, 3, 3), "PreSyn"))
        world.settle()
        assert world.counts() == {(1, "Gap"): 2, (2000, "PreSyn"): 1}
        for _ in range(2):
            assert world.at("inside").everything()["counts"].tolist() == [[0, 0, 1, 0]]  # type: ignore[attr-defined]
            assert world.at("nowhere").everything().size == 0  # type: ignore[attr-defined]
            ask(world.at("inside"))  # type: ignore[arg-type]
            world.settle()
        assert world.z.of([2000, 7, 1, 1])[:, 2].tolist() == [0, 0, 2, 2]
        demand_sound(datastore)


def test_one_that_follows_later_counts_after_a_reload() -> None:
    load_types()
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.paint((0, 0, 0), slabs(1, 2))
        world.post(element((3, 3, 3), "Gap"))
        world.make("labelsz", "late", follows="a")
        world.post(element((3, 4, 3), "Gap"))
        world.settle()
        late = world.at("late")
        assert late.everything()["counts"].tolist() == [[0, 0, 1, 0]]  # type: ignore[attr-defined]
        ask(late)  # type: ignore[arg-type]
        world.post(element((3, 5, 3), "Gap"))
        world.settle()
        assert world.at("late").everything()["counts"].tolist() == [[0, 0, 3, 0]]  # type: ignore[attr-defined]
        demand_sound(datastore)


@pytest.mark.parametrize("region", [False, True])
def test_a_reload_counts_every_index_type(*, region: bool) -> None:
    load_types()
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.make("roi", "r", BlockSize="8,8,8")
        world.at("r").replace(parse_spans(b"[[0,0,0,0]]"))  # type: ignore[attr-defined]
        world.paint((0, 0, 0), slabs(1, 2000))
        world.post(*(element((3, at, 3), kind) for at, kind in enumerate(STORED)), element((12, 3, 3), "PreSyn"))
        world.make("labelsz", "late", follows="a", **({"ROI": f"r,{world.root}"} if region else {}))
        world.settle()
        late = cast("LabelSizes", world.at("late"))
        assert late.everything().size == 0
        ask(late)
        world.settle()
        found = {index: sizes(late.of([1, 2000]), index).tolist() for index in COLUMNS}
        outside = 0 if region else 1
        assert found == {
            "PostSyn": [1, 0],
            "PreSyn": [1, outside],
            "Gap": [1, 0],
            "Note": [1, 0],
            "AllSyn": [3, outside],
            "Voxels": [0, 0],
        }
        demand_sound(datastore)


def test_check_finds_counts_that_are_wrong() -> None:
    load_types()
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.paint((0, 0, 0), slabs(1, 2))
        world.post(element((3, 3, 3), "Gap"))
        world.settle()
        assert list(faults(datastore, world.z.instance)) == []
        change = world.z.view.change()
        world.z.view.put(change, chunk_key(1), rows(np.array([1], np.uint64), np.array([[9, 0, 0, 0]])).tobytes())
        world.z.view.commit(change)
        assert any("counts" in fault for fault in faults(datastore, world.z.instance))
