"""Many elements at once are stored as they are stored one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
import orjson
import pytest
from annotated import KINDS, SIDE, Element, World, element, memory_settings, slabs
from conftest import demand_sound

from dvidpy.datatypes.annotation.arrivals import ENOUGH
from dvidpy.datatypes.annotation.elements import parse_list, write_all
from dvidpy.datatypes.annotation.keys import BLOCK, STATE
from dvidpy.datatypes.annotation.near import Near
from dvidpy.datatypes.registry import load_types
from dvidpy.errors import BadRequest
from dvidpy.versioning.datastore import Datastore

FEW = ENOUGH // 2
AROUND: list[Element] = [
    element((3, 3, 3), "Gap", ["t", "old"], [(9, 9, 9), (700, 0, -3)]),
    element((-3, 0, 0), "PreSyn", ["t"]),
    element((40, 5, 0)),
]
"""In blocks, lists and relationships that more come to."""


@pytest.fixture
def worlds() -> Iterator[tuple[World, World]]:
    """Two that are alike."""
    load_types()
    with closing(Datastore(memory_settings())) as one, closing(Datastore(memory_settings())) as other:
        found = World(one), World(other)
        for world in found:
            world.paint((0, 0, 0), slabs(1, 2, 3, 4))
            world.paint((0, 0, 1), slabs(3, 0, 5, 2))
        yield found
        for world in found:
            world.settle()
            demand_sound(world.datastore)


def many(count: int, seed: int = 1) -> list[Element]:
    """Elements at different points, of several blocks and places, inside labels and outside."""
    chance = np.random.default_rng(seed)
    grid = np.array(list(np.ndindex(3, 2 * SIDE, 4)), np.int64)[:, ::-1] * [3, 1, 4] + [-2, 0, -1]
    points = grid[chance.permutation(len(grid))[:count]]
    points[::7] += [0, 0, 600]
    everything = [tuple(one) for one in points.tolist()]
    tags = [[], ["t"], ["t", "two words"], ["ü\x00", "ü\x00"]]
    return [
        element(
            at, KINDS[number % 4], tags[number % 3 + number % 2], everything[number // 2 : number // 2 + number % 3]
        )
        for number, at in enumerate(everything)
    ]


def stored(world: World) -> dict[bytes, bytes]:
    """All that an annotation instance has, without the marks of events."""
    world.settle()
    return {key: found.read() for key, found in world.a.view.range(BLOCK, STATE)}


@pytest.mark.parametrize("before", [[], AROUND, many(FEW, seed=2)], ids=["empty", "some", "in the way"])
@pytest.mark.parametrize("posted", [many(300), many(200, seed=3)], ids=["new", "others"])
def test_many_are_stored_as_a_few_at_a_time(
    worlds: tuple[World, World], before: list[Element], posted: list[Element]
) -> None:
    whole, parts = worlds
    for world in worlds:
        if before:
            world.post(*before)
    whole.post(*posted)
    for first in range(0, len(posted), FEW):
        parts.post(*posted[first : first + FEW])
    wanted = stored(parts)
    assert stored(whole).keys() == wanted.keys()
    assert whole.elements() == parts.elements()
    assert whole.counts() == parts.counts()
    if len({tuple(one["Pos"]) for one in posted}) == len(posted):
        assert stored(whole) == wanted


def test_what_is_not_sent_is_stored_as_empty_and_more_come_to_blocks_that_became_empty(
    worlds: tuple[World, World],
) -> None:
    world, _ = worlds
    world.post(element((1, 1, 1)))
    world.a.delete((1, 1, 1))
    world.a.post(orjson.dumps([{"Pos": [x, y, 0]} for x in range(SIDE) for y in range(SIDE)]))
    assert world.elements()[0, 0, 0] == element((0, 0, 0), "Unknown")
    assert len(world.labelled(1)) == SIDE * SIDE // 4


def test_lists_that_were_posted_are_not_taken_for_those_of_the_blocks(worlds: tuple[World, World]) -> None:
    world, _ = worlds
    posted = many(300)
    world.a.put_labels(orjson.dumps({"9": orjson.dumps(posted[:3]).decode()}))
    world.post(*posted)
    assert world.a.state().stale
    assert world.labelled(9) == {tuple(one["Pos"]) for one in posted[:3]}


@pytest.mark.parametrize("number", [0, 70, 20_000])
def test_a_bad_one_among_many_goes_by_its_number_and_nothing_is_stored(
    worlds: tuple[World, World], number: int
) -> None:
    world, _ = worlds
    posted: Sequence[object] = [{"Pos": [at % 400, at // 400, 0]} for at in range(20_000)] + [{"Pos": [0, 0, 9]}]
    for bad in ({"Pos": [0, 0, 1 << 31]}, {"Pos": [0, 0]}, {"Pos": [0, 0, 5], "Kind": "Other"}, {}, None):
        with pytest.raises(BadRequest, match=f"member {number} "):
            world.a.post(orjson.dumps([*posted[:number], bad, *posted[number + 1 :]]))
    assert world.elements() == {}


def test_places_where_something_is_are_told_from_others(worlds: tuple[World, World]) -> None:
    world, _ = worlds
    points = np.array([[1, 1, 1], [2, 1, 1]], np.int64)

    def near() -> Near:
        return Near(world.a.view, world.a.block, points, fresh=False)

    assert not near().meets(points)
    assert near().fresh
    world.post(element((2, 1, 1)))
    assert not near().meets(points[:1])
    assert near().meets(points)
    assert not near().fresh
    texts = write_all(parse_list(orjson.dumps([element((1, 1, 1)), element((2, 1, 1))])))
    assert near().lacks(points, texts).tolist() == [0]


def test_what_is_there_already_is_left_and_what_differs_is_replaced() -> None:
    load_types()
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.a.post(orjson.dumps(many(300)))
        before = stored(world)
        world.a.post(orjson.dumps(many(300)))
        assert stored(world) == before
        changed = [one | {"Tags": ["other"]} if at % 50 == 3 else one for at, one in enumerate(many(300))]
        world.a.post(orjson.dumps([*changed, element((900, 900, 900))]))
        assert world.elements() == {tuple(one["Pos"]): one for one in [*changed, element((900, 900, 900))]}
        demand_sound(datastore)
