"""Synapses on bodies of a real segmentation, then merges and cleaves: lists, tags, counts and rankings recounted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import pytest
from annotated import World, settings_of
from conftest import demand_sound
from numpy.typing import NDArray
from synapses import TAGS, pairs, posted

from dvidpy.datatypes.annotation.elements import Point, read_points
from dvidpy.datatypes.annotation.instance import Annotations
from dvidpy.datatypes.annotation.keys import LABEL, tag_prefix
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labelsz.counts import STORED, ranked
from dvidpy.datatypes.labelsz.instance import LabelSizes
from dvidpy.datatypes.registry import load_types
from dvidpy.storage.keys import after
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.found import Found
from dvidpy.versioning.records import Node

BLOCK = 64
LONG_S = 1800.0
"""Until hundreds of edits of a million elements are followed, on a slow machine."""
MERGES = 3 / 5
"""Of all edits; the others cleave what was merged."""
Labels = NDArray[np.uint64]


class Recount:
    """Elements and the bodies they lie in, without any lists."""

    def __init__(self, volume: NDArray[Any], body: bytes) -> None:
        found = orjson.loads(body)
        self.points = np.array([one["Pos"] for one in found], np.int64)
        x, y, z = self.points.T
        self.supervoxels = volume[z, y, x].astype(np.uint64)
        self.kinds = np.array([STORED.index(one["Kind"]) for one in found])
        self.tagged = {tag: np.flatnonzero([tag in one["Tags"] for one in found]) for tag in TAGS}
        self.numbers, self._which = np.unique(self.supervoxels, return_inverse=True)
        self.bodies: Labels = self.numbers.copy()
        """Body of each of the supervoxels `numbers`."""

    def labels(self, bodies: Labels) -> Labels:
        """Label of each element when the supervoxels belong to these bodies."""
        return bodies[self._which]

    def partners(self, chance: np.random.Generator) -> Labels:
        """Bodies of both sides of a synapse that lies between two of them."""
        while True:
            pair = self.labels(self.bodies).reshape(-1, 2)[chance.integers(len(self.points) // 2)]
            if pair[0] != pair[1]:
                return cast("Labels", pair)

    def parts(self, chance: np.random.Generator) -> tuple[int, Labels]:
        """A body of several supervoxels, and some of those."""
        bodies, counts = np.unique(self.bodies, return_counts=True)
        body = int(chance.choice(bodies[counts > 1]))
        own = self.numbers[self.bodies == body]
        return body, chance.choice(own, chance.integers(1, len(own)), replace=False)


def edit(world: World, recount: Recount, chance: np.random.Generator) -> None:
    """Merge two partners, or cleave what was merged."""
    cleavable = len(np.unique(recount.bodies)) < len(recount.bodies)
    if chance.random() < MERGES or not cleavable:
        both = recount.partners(chance)
        merge(world.lm, both)
        recount.bodies[recount.bodies == both[1]] = both[0]
    else:
        body, some = recount.parts(chance)
        label, _ = cleave(world.lm, body, some)
        recount.bodies[np.isin(recount.numbers, some)] = label


def points_of(found: Found) -> list[Point]:
    return [one.Pos for one in read_points(found.read())]


def demand_agreement(world: World, node: Node, recount: Recount, bodies: Labels) -> None:
    """A version's lists by label and by tag, its counts and its rankings are those of the recount."""
    a, labels = cast("Annotations", world.at("a", node)), recount.labels(bodies)
    rows = [
        (int.from_bytes(key[1:9], "big"), *at)
        for key, found in a.view.range(LABEL, after(LABEL))
        for at in points_of(found)
    ]
    inside = labels != 0
    wanted = np.column_stack([labels[inside].astype(np.int64), recount.points[inside]])
    assert np.array_equal(_sorted(np.array(rows, np.int64)), _sorted(wanted))
    for tag, numbers in recount.tagged.items():
        prefix = tag_prefix(tag)
        points = [at for _, found in a.view.range(prefix, after(prefix)) for at in points_of(found)]
        assert np.array_equal(_sorted(np.array(points, np.int64)), _sorted(recount.points[numbers]))
    counts = cast("LabelSizes", world.at("z", node)).everything()
    for column, kind in enumerate(STORED):
        which = labels[inside & (recount.kinds == column)]
        own, sizes = np.unique(which, return_counts=True)
        order = np.lexsort((own, -sizes))
        found, found_sizes = ranked(counts, kind)
        assert np.array_equal(found, own[order])
        assert np.array_equal(found_sizes, sizes[order])


def _sorted(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[np.lexsort(rows.T)]


@pytest.fixture(scope="module")
def volume(shared: Path) -> NDArray[np.uint32]:
    file = shared / "data" / "connectomics512.npz"
    if not file.is_file():
        pytest.skip("needs the segmentation connectomics512.npz")
    found: NDArray[np.uint32] = np.load(file)["labels"]
    return found


@pytest.mark.parametrize(
    ("side", "synapses", "edits"),
    [(192, 5_000, 30), pytest.param(512, 500_000, 500, marks=[pytest.mark.long, pytest.mark.timeout(7200)])],
)
def test_synapses_follow_proofreading(
    tmp_path: Path, volume: NDArray[np.uint32], side: int, synapses: int, edits: int
) -> None:
    load_types()
    chance = np.random.default_rng(side)
    middle = slice((len(volume) - side) // 2, (len(volume) + side) // 2)
    part = volume[middle, middle, middle]
    body = posted(*pairs(part, synapses))
    recount = Recount(part, body)
    with closing(Datastore(settings_of(tmp_path, "main"))) as datastore:
        world = World(datastore, side=BLOCK)
        world.paint_all(part)
        world.a.post(body)
        for _ in range(edits // 2):
            edit(world, recount, chance)
        before, bodies = world.node, recount.bodies.copy()
        world.settle(LONG_S)
        world.grow()
        for _ in range(edits - edits // 2):
            edit(world, recount, chance)
        world.settle(LONG_S)
        demand_agreement(world, before, recount, bodies)
        demand_agreement(world, world.node, recount, recount.bodies)
        demand_sound(datastore)


def test_the_generator_makes_the_same_synapses_on_boundaries_each_time() -> None:
    labels = np.repeat(np.array([[[1, 1, 2, 2, 0, 3, 4, 4]]], np.uint32), 40, axis=1)
    pre, post = pairs(labels, 50)
    again = pairs(labels, 50)
    assert np.array_equal(pre, again[0])
    assert np.array_equal(post, again[1])
    assert (np.abs(pre - post).sum(axis=1) == 1).all()
    sides = [labels[tuple(some.T[::-1])] for some in (pre, post)]
    assert (sides[0] != sides[1]).all()
    assert (np.minimum(*sides) > 0).all()
    assert len(np.unique(np.concatenate([pre, post]), axis=0)) == 100
    with pytest.raises(ValueError, match="boundaries for"):
        pairs(labels, 81)
    assert len(orjson.loads(posted(pre, post))) == 100
