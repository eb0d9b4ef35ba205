"""Events between instances: in order, exactly once, after a crash and between stores too; what may follow what."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from annotated import SIDE, World, element, memory_settings, settings_of, slabs
from conftest import demand_sound
from starlette.testclient import TestClient

from dvidpy.config import Settings
from dvidpy.datatypes.annotation.elements import Element
from dvidpy.datatypes.events import BodiesChanged, Heard, deliver, is_known, pending
from dvidpy.datatypes.labelled import following
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore

ELEMENTS = [element((4 * i + 1, 3, 3), "PreSyn", ["t"]) for i in range(4)]


def _reopened(world: World, settings: Settings) -> World:
    """The world of another process, in which background work is done."""
    return World.seen(Datastore(settings), world.root, world.node)


def test_what_a_crash_left_pending_is_done_in_order(tmp_path: Path) -> None:
    load_types()
    settings = settings_of(tmp_path, "main")
    with closing(Datastore(settings, working=False)) as datastore:
        world = World(datastore)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        world.post(*ELEMENTS)
        world.merge(1, 2, 3)
        new = world.cleave(1, 2)
        world.post(element((6, 3, 3), "Gap"))
        world.paint((0, 0, 0), slabs(4, 2, 4, 1))
        assert pending(world.z) == world.a.datastore.main.queue.length() > 0
        assert world.labelled(1) == {(1, 3, 3)}  # as it was when they were posted
        assert world.labelled(new) == {(6, 3, 3)}  # as it is
    world = _reopened(world, settings)
    world.settle()
    assert world.labelled(4) == {(1, 3, 3), (9, 3, 3)}
    assert world.labelled(new) == {(5, 3, 3), (6, 3, 3)}
    assert world.labelled(1) == {(13, 3, 3)}
    assert world.counts() == {(4, "PreSyn"): 2, (new, "PreSyn"): 1, (new, "Gap"): 1, (1, "PreSyn"): 1}
    assert pending(world.z) == 0
    demand_sound(world.datastore)
    world.datastore.close()


@pytest.mark.parametrize("apart", [False, True], ids=["one store", "three stores"])
def test_an_event_that_comes_twice_counts_once(tmp_path: Path, apart: bool) -> None:
    """The server ends after the follower has answered, and before the task is removed."""
    load_types()
    names = ("main", "second", "third") if apart else ("main",)
    settings = settings_of(tmp_path, *names)
    stores = dict(zip(("lm", "a", "z"), names * 3, strict=False))
    with closing(Datastore(settings, working=False)) as datastore:
        world = World(datastore, stores)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        world.post(*ELEMENTS)
        world.merge(3, 4)
        for _ in range(2):
            for stack in datastore.stacks.values():
                for _, task in list(stack.queue.pending()):
                    deliver(datastore, task, Change(0, 0))
        assert world.counts() == {(1, "PreSyn"): 1, (2, "PreSyn"): 1, (3, "PreSyn"): 2}
    world = _reopened(world, settings)
    world.settle()
    assert world.counts() == {(1, "PreSyn"): 1, (2, "PreSyn"): 1, (3, "PreSyn"): 2}
    demand_sound(world.datastore)
    world.datastore.close()


def test_a_commit_waits_for_events_that_cross_stores(tmp_path: Path) -> None:
    load_types()
    settings = settings_of(tmp_path, "main", "second", "third")
    with closing(Datastore(settings)) as datastore:
        for order in (("third", "second", "main"), ("main", "second", "third"), ("second", "main", "third")):
            world = World(datastore, dict(zip(("lm", "a", "z"), order, strict=True)))
            world.paint((0, 0, 0), slabs(1, 2, 3, 4))
            world.post(*ELEMENTS)
            world.merge(1, 2, 3, 4)
            datastore.repos.commit(world.node)
            assert world.counts() == {(1, "PreSyn"): 4}
            assert pending(world.z) == 0
        demand_sound(datastore)


def test_elements_posted_while_bodies_change_have_their_labels() -> None:
    load_types()
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))

        def post() -> None:
            for y in range(SIDE):
                world.post(*(element((x, y, 0), "Gap") for x in range(SIDE)))

        poster = threading.Thread(target=post)
        poster.start()
        body = 2
        for turn in range(10):
            world.merge(1, body)
            body = world.cleave(1, 2)
            world.paint((0, 0, 0), slabs(1, 2, 3 + turn % 2, 4 - turn % 2))
        poster.join()
        world.settle()
        demand_sound(datastore)


def test_what_concerns_no_element_is_no_task() -> None:
    load_types()
    with closing(Datastore(memory_settings(), working=False)) as datastore:
        world = World(datastore)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        world.merge(1, 2)
        world.cleave(1, 2)
        assert pending(world.a) == 0
        world.post(ELEMENTS[2])
        before = pending(world.a)
        world.merge(4, 1)
        assert pending(world.a) == before
        world.merge(4, 3)
        assert pending(world.a) == before + 1


def test_events_that_name_bodies_are_heard_together() -> None:
    """Up to one that names blocks; who was heard so needs not be heard again."""
    load_types()
    with closing(Datastore(memory_settings(), working=False)) as datastore:
        world = World(datastore)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        world.post(*ELEMENTS)
        world.merge(1, 2)
        new = world.cleave(1, 2)
        world.merge(3, 4)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        world.merge(1, 3)
        asked = [
            (key, task) for key, task in datastore.main.queue.pending() if task.instance == world.a.instance.number
        ]
        removal = Change(0, 0)
        removal.task = asked[0][0]
        deliver(datastore, asked[0][1], removal)
        assert world.labelled(new) == {(5, 3, 3)}
        assert world.labelled(1) == {(1, 3, 3), (13, 3, 3)}  # where it lies by now
        events = [msgspec.convert(task.args, Heard) for _, task in asked]
        assert [is_known(world.a, heard) for heard in events] == [True, True, True, False, False]
        written = world.a.datastore.main.committer.written
        for key, task in asked[1:3]:
            removal.task = key
            deliver(datastore, task, removal)
        assert world.a.datastore.main.committer.written == written


def test_a_cleave_tells_where_its_voxels_are_as_long_as_indices_tell_that(monkeypatch: pytest.MonkeyPatch) -> None:
    load_types()
    with closing(Datastore(memory_settings(), working=False)) as datastore:
        world = World(datastore)

        def within() -> tuple[tuple[int, int, int], ...]:
            *_, (_, task) = (one for one in datastore.main.queue.pending() if one[1].instance == number)
            event = msgspec.convert(task.args, Heard).event
            assert isinstance(event, BodiesChanged)
            assert set(event.bodies) >= {1}
            return event.within

        number = world.a.instance.number
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        world.paint((0, 0, 1), slabs(2, 2, 4, 4))
        world.paint((2, 0, 0), slabs(1, 1, 5, 4))
        world.post(*ELEMENTS)
        world.merge(1, 2, 3, 4, 5)
        world.cleave(1, 3)
        assert within() == ((0, 0, 0),)
        new = world.cleave(1, 2, 5)
        assert within() == ((0, 0, 0), (0, 0, 1), (2, 0, 0))
        world.merge(1, new)
        monkeypatch.setattr(following, "FEW", 1)
        new = world.cleave(1, 2)
        assert within() == ()
        monkeypatch.undo()
        world.merge(1, new)
        with editing(world.lm) as edit:
            edit.by_hand()
        world.cleave(1, 2)
        assert within() == ()


def test_elements_in_blocks_of_another_size_follow_a_cleave(tmp_path: Path) -> None:
    """Some lie near what went, some far off, and one was posted between a cleave and the hearing of it."""
    load_types()
    settings = settings_of(tmp_path, "main")
    with closing(Datastore(settings, working=False)) as datastore:
        world = World(datastore)
        for block in range(6):
            world.paint((0, 0, block), slabs(1, 2, 3, 4 + block))
        world.post(*(element((x, 3, 3), "Gap") for x in range(0, 6 * SIDE, 2)))
        world.merge(1, 2, 3, *range(4, 10))
        two = world.cleave(1, 2)
        nine = world.cleave(1, 9)
        world.post(element((5, 4, 4), "Note"))
        world.merge(two, nine)
        again = world.cleave(two, 9)
    world = _reopened(world, settings)
    world.settle()
    assert len(world.labelled(two)) == 6 * 2 + 1
    assert {x for x, _, _ in world.labelled(again)} == {92, 94}
    assert {x for x, _, _ in world.labelled(1)} == {x for x in range(0, 5 * SIDE + 12, 2) if x // 4 % 4 != 1}
    demand_sound(world.datastore)
    world.datastore.close()


def test_who_edits_the_elements_meanwhile_is_told_in_any_case() -> None:
    """An element may be on its way with the label that it had."""
    load_types()
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        looked_up, merged = threading.Event(), threading.Event()

        def post() -> None:
            with world.a.editing() as edit:
                book = edit.book()
                label = int(edit.labels_at(np.array([(5, 3, 3)], np.int64))[0])
                looked_up.set()
                assert merged.wait(30)
                book.put(Element(Pos=(5, 3, 3), Kind="Note"), label)
                edit.add(book)

        poster = threading.Thread(target=post)
        poster.start()
        assert looked_up.wait(30)
        world.merge(1, 2)  # waits for nobody
        merged.set()
        poster.join()
        world.settle()
        assert world.labelled(1) == {(5, 3, 3)}
        demand_sound(datastore)


def test_the_consequences_for_an_instance_that_is_gone_are_none(tmp_path: Path) -> None:
    load_types()
    settings = settings_of(tmp_path, "main", "second")
    with closing(Datastore(settings, working=False)) as datastore:
        world = World(datastore, {"a": "second"})
        world.post(*ELEMENTS)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        datastore.delete_instance(world.a.instance)
        with pytest.raises(KeyError):
            _ = world.a
        assert world.lm.labels_at(np.array([[3, 3, 5]])).tolist() == [2]
    world = _reopened(world, settings)
    world.settle()
    demand_sound(world.datastore)
    world.datastore.close()


# ---------------------------------------------------------------------- over HTTP
def _sync(client: TestClient, root: str, name: str, names: str, query: str = "") -> int:
    return int(client.post(f"/api/node/{root}/{name}/sync{query}", json={"sync": names}).status_code)


def test_what_makes_no_sense_is_not_followed(client: TestClient, repo: str) -> None:
    made: list[tuple[str, str, dict[str, str]]] = [
        ("labelmap", "lm", {}),
        ("annotation", "a", {}),
        ("labelsz", "z", {}),
        ("roi", "r", {}),
    ]
    made += [("labelmap", "loose", {"versioned": "false"}), ("annotation", "b", {"versioned": "false"})]
    for typename, name, more in made:
        assert client.post(
            f"/api/repo/{repo}/instance", json={"typename": typename, "dataname": name, **more}
        ).is_success
    assert _sync(client, repo, "a", "lm") == _sync(client, repo, "z", "a") == _sync(client, repo, "b", "loose") == 200
    for name, names in (("a", "z"), ("a", "a"), ("a", "r"), ("z", "lm"), ("lm", "a"), ("a", "loose"), ("b", "lm")):
        assert _sync(client, repo, name, names) == 400
    info = client.get(f"/api/node/{repo}/a/info").json()
    assert info["Base"]["Syncs"] == ["lm"]


def test_info_waits_for_consequences(client: TestClient, app: object, repo: str) -> None:
    for typename, name in (("annotation", "a"), ("labelsz", "z")):
        client.post(f"/api/repo/{repo}/instance", json={"typename": typename, "dataname": name})
    assert _sync(client, repo, "z", "a") == 200
    datastore: Datastore = app._server.datastore  # type: ignore[attr-defined]
    datastore.main.queue.held = lambda: True  # background work rests
    assert client.post(f"/api/node/{repo}/a/elements", json=ELEMENTS).is_success
    assert client.post(f"/api/node/{repo}/z/reload").is_success
    assert client.get(f"/api/node/{repo}/z/info").json()["Pending"] == 1
    datastore.main.queue.held = lambda: False
    assert "Pending" not in client.get(f"/api/node/{repo}/z/info?wait=true").json()
    assert np.array_equal(client.get(f"/api/node/{repo}/z/top/3/PreSyn").json(), [])
