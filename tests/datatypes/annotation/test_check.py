"""`dvidpy check` finds lists that do not agree with the blocks; reload mends them, in bounded steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import orjson
import pytest
from annotated import World, element, memory_settings, slabs
from conftest import demand_sound

from dvidpy.datatypes.annotation.keys import LABEL, PLACED_IN, RELATED_TO, TAG
from dvidpy.datatypes.annotation.reload import ask, faults, progress
from dvidpy.datatypes.labelsz.following import ask as count_again
from dvidpy.datatypes.registry import load_types
from dvidpy.storage.keys import after
from dvidpy.versioning.datastore import Datastore


@pytest.fixture
def world() -> Iterator[World]:
    load_types()
    with closing(Datastore(memory_settings())) as datastore:
        found = World(datastore)
        found.paint((0, 0, 0), slabs(1, 2))
        found.post(element((3, 3, 3), "Gap", ["t"], [(9, 9, 9)]), element((12, 0, 0), "Gap"), element((5, 5, 5000)))
        found.settle()
        yield found


@pytest.mark.parametrize("kind", [TAG, LABEL, PLACED_IN, RELATED_TO], ids=["tag", "label", "placed", "related"])
def test_a_row_that_is_lost_is_a_fault_and_made_again(world: World, kind: bytes) -> None:
    a = world.a
    assert list(faults(world.datastore, a.instance)) == []
    change = a.view.change()
    a.view.delete(change, next(a.view.keys(kind, after(kind))))
    a.view.commit(change)
    assert list(faults(world.datastore, a.instance))
    ask(a, check=True)
    world.settle()
    count_again(world.z)  # it was told twice of what was lost
    world.settle()
    assert world.labelled(1) == world.tagged("t") == {(3, 3, 3)}
    demand_sound(world.datastore)


def test_blocks_posted_as_they_are_are_listed_by_reload_while_edits_go_on(world: World) -> None:
    rest, world.datastore.main.queue.held = world.datastore.main.queue.held, lambda: True
    world.a.put_blocks(orjson.dumps({"0,0,0": [element((1, 1, 1), "PreSyn", ["u"])]}))
    assert world.tagged("u") == set()
    ask(world.a)
    assert progress(world.a) == {"Done": 0, "Of": 2}
    world.post(element((2, 2, 2), "PreSyn", ["u"]))
    world.datastore.main.queue.held = rest
    world.datastore.main.queue.notice()
    world.settle()
    assert progress(world.a) is None
    assert world.tagged("u") == world.labelled(1) == {(1, 1, 1), (2, 2, 2)}
    assert world.tagged("t") == world.labelled(2) == set()
    assert world.counts() == {(1, "PreSyn"): 2}
    demand_sound(world.datastore)


def test_a_second_reload_takes_over_from_the_first(world: World) -> None:
    world.datastore.main.queue.held = lambda: True
    ask(world.a)
    world.a.put_blocks(orjson.dumps({"0,0,0": []}))
    ask(world.a)
    world.datastore.main.queue.held = lambda: False
    world.settle()
    assert not world.a.state().stale
    assert world.labelled(1) == set()
    demand_sound(world.datastore)


def test_all_elements_go_with_lists_and_counts_and_more_may_come(world: World) -> None:
    before = world.node
    world.grow()
    world.a.delete_all()
    world.settle()
    assert world.elements() == {}
    assert world.counts() == {}
    assert world.tagged("t") == world.labelled(1) == set()
    assert len(world.elements(before)) == 3
    assert world.counts(before) == {(1, "Gap"): 1, (2, "Gap"): 1}
    world.post(element((3, 3, 3), "PreSyn", ["t"]))
    world.settle()
    assert world.labelled(1) == world.tagged("t") == {(3, 3, 3)}
    assert world.counts() == {(1, "PreSyn"): 1}
