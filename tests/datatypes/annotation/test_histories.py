"""Random histories of a segmentation, its annotations and their counts, against plain dictionaries."""

from __future__ import annotations

from collections import Counter
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from annotated import KINDS, SIDE, Element, Point, World, element, memory_settings
from conftest import demand_sound
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dvidpy.datatypes.annotation.arrivals import ENOUGH
from dvidpy.datatypes.annotation.reading import parse_box, walk
from dvidpy.datatypes.registry import load_types
from dvidpy.errors import BadRequest
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Node

POINTS = st.tuples(st.integers(-2, 2 * SIDE + 1), st.sampled_from([0, 5]), st.sampled_from([0, SIDE - 1, 600]))
"""Inside two blocks, around them, and in another place."""
TAGS = st.lists(st.sampled_from(["t", "two words", "ü\x00"]), unique=True, max_size=3)
ELEMENTS = st.builds(element, POINTS, st.sampled_from([*KINDS, "Unknown"]), TAGS, st.lists(POINTS, max_size=2))
SUPERVOXELS = st.integers(0, 6)
CHOICE = st.integers(0, 1 << 16)


class Model:
    """What a version should hold."""

    def __init__(self) -> None:
        self.elements: dict[Point, Element] = {}
        self.blocks = {0: np.zeros(SIDE, np.int64), 1: np.zeros(SIDE, np.int64)}
        """Supervoxels along x of the two blocks; y and z do not matter."""
        self.bodies: dict[int, int] = {}

    def copy(self) -> Model:
        other = Model()
        other.elements = {at: {**one, "Rels": list(one["Rels"])} for at, one in self.elements.items()}
        other.blocks, other.bodies = dict(self.blocks), dict(self.bodies)
        return other

    def body(self, supervoxel: int) -> int:
        return self.bodies.get(supervoxel, supervoxel)

    def present(self) -> dict[int, set[int]]:
        """Supervoxels of the bodies that have voxels."""
        found: dict[int, set[int]] = {}
        for supervoxel in np.unique(np.concatenate(list(self.blocks.values()))).tolist():
            if supervoxel:
                found.setdefault(self.body(supervoxel), set()).add(supervoxel)
        return found

    def label(self, at: Point) -> int:
        x, y, z = at
        if not (0 <= x < 2 * SIDE and 0 <= y < SIDE and 0 <= z < SIDE):
            return 0
        return self.body(int(self.blocks[x // SIDE][x % SIDE]))


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        load_types()
        self.datastore = Datastore(memory_settings())
        self.world = World(self.datastore)
        self.model = Model()
        self.past: list[tuple[Node, Model]] = []
        """Committed versions."""
        self.others: list[tuple[Node, Model]] = []
        """Open ones, beside the one that is worked in."""
        self.branches = 0

    @initialize()
    def begin(self) -> None:
        self.paint(0, [1, 2, 3, 4])
        self.paint(1, [3, 4, 0, 5])
        grid = [(x, y, 0) for x in range(1, 2 * SIDE, 4) for y in (0, 5)]
        self.post([element(at, kind, ["t"]) for at, kind in zip(grid, cycle(KINDS), strict=False)])

    # ------------------------------------------------------------------ edits
    @rule(posted=st.lists(ELEMENTS, min_size=1, max_size=4))
    def post(self, posted: list[Element]) -> None:
        self.world.post(*posted)
        self.model.elements |= {tuple(one["Pos"]): one for one in posted}

    @rule(x=st.integers(-2, SIDE), z=st.sampled_from([0, 7, 600]), tags=TAGS)
    def post_many(self, x: int, z: int, tags: list[str]) -> None:
        """Enough of one place to be put together list by list, where none of them is there yet."""
        self.post([element((x, y, z), KINDS[y % 4], tags, [(x, y // 2, z)]) for y in range(ENOUGH + 6)])

    @rule(at=POINTS, choice=CHOICE)
    def delete(self, at: Point, choice: int) -> None:
        at = self._chosen(choice) or at
        if at not in self.model.elements:
            with pytest.raises(BadRequest):
                self.world.a.delete(at)
            return
        self.world.a.delete(at)
        del self.model.elements[at]
        self._relate(at, None)

    @rule(choice=CHOICE, end=POINTS)
    def move(self, choice: int, end: Point) -> None:
        start = self._chosen(choice)
        if start is None or (end in self.model.elements and end != start):
            with pytest.raises(BadRequest):
                self.world.a.move(start or (7, 7, 7), end)
            return
        self.world.a.move(start, end)
        self.model.elements[end] = self.model.elements.pop(start) | {"Pos": list(end)}
        self._relate(start, end)

    def _chosen(self, choice: int) -> Point | None:
        points = sorted(self.model.elements)
        return points[choice % len(points)] if points and choice % 8 else None

    def _relate(self, before: Point, now: Point | None) -> None:
        for one in self.model.elements.values():
            kept: list[dict[str, Any]] = []
            for relation in one["Rels"]:
                if tuple(relation["To"]) != before:
                    kept.append(relation)
                elif now is not None:
                    kept.append({**relation, "To": list(now)})
            one["Rels"] = kept

    @rule(block=st.integers(0, 1), supervoxels=st.lists(SUPERVOXELS, min_size=4, max_size=4))
    def paint(self, block: int, supervoxels: list[int]) -> None:
        along = np.repeat(np.array(supervoxels), SIDE // 4)
        self.world.paint((0, 0, block), np.broadcast_to(along.astype(np.uint64), (SIDE, SIDE, SIDE)))
        self.model.blocks[block] = along

    @rule(choice=CHOICE)
    def merge(self, choice: int) -> None:
        bodies = sorted(self.model.present())
        if len(bodies) > 1:
            target, other = bodies[choice % len(bodies)], bodies[(choice + 1) % len(bodies)]
            supervoxels = self.model.present()[other]
            self.world.merge(target, other)
            self.model.bodies |= dict.fromkeys(supervoxels, target)

    @rule(choice=CHOICE)
    def cleave(self, choice: int) -> None:
        several = {body: found for body, found in self.model.present().items() if len(found) > 1}
        if several:
            body = sorted(several)[choice % len(several)]
            supervoxel = sorted(several[body])[choice % len(several[body])]
            self.model.bodies[supervoxel] = self.world.cleave(body, supervoxel)

    @precondition(lambda self: len(self.past) < 3)
    @rule()
    def grow(self) -> None:
        self.past.append((self.world.node, self.model.copy()))
        self.world.grow()

    @precondition(lambda self: self.past and len(self.others) < 2)
    @rule(choice=CHOICE)
    def branch(self, choice: int) -> None:
        """Go on in a new branch from a committed version."""
        self.others.append((self.world.node, self.model))
        parent, model = self.past[choice % len(self.past)]
        self.branches += 1
        parent = self.datastore.catalogue.place(parent.uuid).node
        self.world.node = self.datastore.repos.branch(parent, f"branch-{self.branches}")
        self.model = model.copy()

    @precondition(lambda self: self.others)
    @rule()
    def switch(self) -> None:
        """Go on in another open version."""
        self.others.append((self.world.node, self.model))
        self.world.node, self.model = self.others.pop(0)

    @rule()
    def reload(self) -> None:
        from dvidpy.datatypes.annotation.reload import ask
        from dvidpy.datatypes.labelsz.following import ask as ask_counts

        ask(self.world.a)
        ask_counts(self.world.z)

    # ------------------------------------------------------------------ what must hold
    @invariant()
    def blocks_and_tags_agree_at_once(self) -> None:
        found = self.world.elements()
        assert found == self.model.elements
        for tag in ("t", "two words", "ü\x00"):
            assert self.world.tagged(tag) == {at for at, one in found.items() if tag in one["Tags"]}

    @rule()
    def labels_and_counts_agree_soon(self) -> None:
        self.world.settle()
        self._compare(self.world.node, self.model)

    def _compare(self, node: Node, model: Model) -> None:
        assert self.world.elements(node) == model.elements
        wanted: dict[int, set[Point]] = {}
        counts: Counter[tuple[int, str]] = Counter()
        for at, one in model.elements.items():
            label = model.label(at)
            if label:
                wanted.setdefault(label, set()).add(at)
                if one["Kind"] != "Unknown":
                    counts[label, one["Kind"]] += 1
        for label in {*range(1, 12), *wanted}:
            assert self.world.labelled(label, node) == wanted.get(label, set())
        assert self.world.counts(node) == counts

    def teardown(self) -> None:
        self.world.settle()
        for node, model in [*self.past, *self.others, (self.world.node, self.model)]:
            self._compare(node, model)
        demand_sound(self.datastore)
        self.datastore.close()


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_a_box_is_walked_by_rows_or_as_a_whole() -> None:
    load_types()
    datastore = Datastore(memory_settings())
    world = World(datastore)
    world.post(*(element((x, y, z)) for x in (0, 900) for y in (0, 40) for z in (-5, 3000)))
    for size, offset, wanted in (
        ("1_1_1", "0_0_0", 0),
        ("16_48_1", "0_0_-5", 2),
        ("2000_2000_2147483647", "-9_-9_-9", 8),
    ):
        assert len(list(walk(world.a, parse_box(size, offset)))) == wanted
    datastore.close()
