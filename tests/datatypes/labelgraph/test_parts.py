"""A graph that follows a labelmap, beside networkx: vertices are groups of the parts there were at first.

Labels are merged, cleaved, split and renumbered, supervoxels are cut, clients merge vertices and undo it, on two
branches in turn. The model knows parts and who has them, and computes the graph anew each time.
"""

from __future__ import annotations

import json
from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count

import networkx as nx
import numpy as np
import pytest
from datatypes.labelarray.test_labelarray import runs_of
from datatypes.labelgraph.test_labelgraph import Graphs, edges, graph_of, weights
from datatypes.labelmap.conftest import Labels, Segs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

SIDE, BODIES = 16, 9
NAMES = count(1)


@dataclass
class Part:
    body: int
    weight: float
    supervoxels: set[int]


@dataclass
class Model:
    """One version."""

    voxels: Labels
    parts: list[Part] = field(default_factory=list)
    links: dict[frozenset[int], float] = field(default_factory=dict)
    """Places of two parts -> weight."""

    def graph(self) -> nx.Graph[int]:
        graph: nx.Graph[int] = nx.Graph()
        for part in self.parts:
            had = graph.nodes[part.body]["weight"] if part.body in graph else 0.0
            graph.add_node(part.body, weight=had + part.weight)
        for pair, weight in self.links.items():
            one, other = (self.parts[at].body for at in pair)
            if one != other:
                had = graph.get_edge_data(one, other, {"weight": 0.0})["weight"]
                graph.add_edge(one, other, weight=had + weight)
        return graph

    def bodies(self) -> dict[int, list[int]]:
        found = defaultdict[int, list[int]](list)
        for at, part in enumerate(self.parts):
            found[part.body].append(at)
        return dict(found)

    def moved(self, body: int, to: int) -> None:
        for part in self.parts:
            part.body = to if part.body == body else part.body

    def size(self, supervoxels: set[int]) -> int:
        return int(np.isin(self.voxels, np.array([*supervoxels], np.uint64)).sum())

    def cut(self, at: int, supervoxels: set[int], to: int) -> None:
        """Some supervoxels of a part go, with their share."""
        part = self.parts[at]
        share = self.size(supervoxels) / self.size(part.supervoxels)
        for pair, weight in list(self.links.items()):
            if at in pair:
                self.links[pair - {at} | {len(self.parts)}] = weight * share
                self.links[pair] = weight * (1 - share)
        self.parts.append(Part(to, part.weight * share, supervoxels))
        part.weight, part.supervoxels = part.weight * (1 - share), part.supervoxels - supervoxels


class Branch:
    """Edits of a version, in the server and in the model."""

    def __init__(self, segs: Segs, seg: str, graph: str, model: Model) -> None:
        self.segs, self.seg, self.path, self.model = segs, seg, graph, model

    def edit(self, route: str, **options: object) -> dict[str, int]:
        found: dict[str, int] = json.loads(self.segs.call("POST", f"{self.seg}/{route}", **options) or b"{}")
        return found

    def ask_graph(self, route: str, vertices: list[int] | None = None) -> None:
        self.segs.call("POST", f"{self.path}/{route}", json=graph_of([(one, 0) for one in vertices or []]))

    def compare(self) -> None:
        self.segs.call("GET", f"{self.path}/info?wait=true")
        graphs = Graphs.__new__(Graphs)
        graphs.segs, graphs.path = self.segs, self.path
        found, expected = graphs.seen(), self.model.graph()
        assert weights(found) == pytest.approx(weights(expected))
        assert edges(found) == pytest.approx(edges(expected))

    def step(self, chance: np.random.Generator) -> None:
        kinds = (self.merge, self.merge, self.cleave, self.cleave, self.cleave, self.undo, self.by_client)
        kinds[chance.integers(len(kinds))](chance) if chance.random() < 0.75 else self.rarely(chance)
        self.compare()

    def rarely(self, chance: np.random.Generator) -> None:
        (self.renumber, self.split, self.split_supervoxel)[chance.integers(3)](chance)

    def _some(self, chance: np.random.Generator, number: int) -> list[int]:
        bodies = sorted(self.model.bodies())
        return [] if len(bodies) < number + 1 else chance.permutation(bodies)[:number].tolist()

    def merge(self, chance: np.random.Generator) -> None:
        target, *others = self._some(chance, 3) or [0]
        if others:
            self.edit("merge", json=[target, *others])
            for other in others:
                self.model.moved(other, target)

    def by_client(self, chance: np.random.Generator) -> None:
        """A client merges vertices, then the labels."""
        other, target = self._some(chance, 2) or [0, 0]
        if target:
            self.ask_graph("merge", [other, target])
            self.edit("merge", json=[target, other])
            self.model.moved(other, target)

    def undo(self, chance: np.random.Generator) -> None:
        chosen = self._some(chance, 3)
        if chosen:
            self.ask_graph("merge", chosen)
            self.ask_graph("undomerge")

    def cleave(self, chance: np.random.Generator) -> None:
        """Some whole parts, and of one a piece."""
        bodies = {body: at for body, at in self.model.bodies().items() if self._supervoxels(at)[1:]}
        if not bodies:
            return
        body = chance.choice(sorted(bodies)).item()
        mixed = chance.permutation(bodies[body]).tolist()
        whole, piece = mixed[: chance.integers(len(mixed))], mixed[-1]
        own = sorted(self.model.parts[piece].supervoxels)
        some = set(own[: chance.integers(len(own))]) if len(own) > 1 else set()
        gone = [*self._supervoxels(whole), *some]
        if gone:
            new = self.edit(f"cleave/{body}", json=gone)["CleavedLabel"]
            for at in whole:
                self.model.parts[at].body = new
            if some:
                self.model.cut(piece, some, new)

    def _supervoxels(self, parts: list[int]) -> list[int]:
        return [one for at in parts for one in self.model.parts[at].supervoxels]

    def renumber(self, chance: np.random.Generator) -> None:
        (body,) = self._some(chance, 1) or (0,)
        if body:
            new = 1_000_000 * next(NAMES)  # beyond what the server takes next
            self.edit("renumber", json=[new, body])
            self.model.moved(body, new)

    def _half(self, chance: np.random.Generator) -> tuple[int, int, NDArray[np.bool_]]:
        """A part, one of its supervoxels, and half of that one's voxels."""
        at = int(chance.integers(len(self.model.parts)))
        supervoxel = chance.choice(sorted(self.model.parts[at].supervoxels)).item()
        places = np.flatnonzero(self.model.voxels == supervoxel)
        inside = np.zeros(self.model.voxels.shape, np.bool_)
        inside.ravel()[places[: places.size // 2]] = True
        return at, supervoxel, inside

    def split_supervoxel(self, chance: np.random.Generator) -> None:
        at, supervoxel, inside = self._half(chance)
        if inside.any():
            made = self.edit(f"split-supervoxel/{supervoxel}", content=runs_of(inside))
            self._recut(at, supervoxel, inside, made["SplitSupervoxel"], made["RemainSupervoxel"])

    def _recut(self, at: int, supervoxel: int, inside: NDArray[np.bool_], split: int, remain: int) -> None:
        self.model.voxels[self.model.voxels == supervoxel] = remain
        self.model.voxels[inside] = split
        self.model.parts[at].supervoxels ^= {supervoxel, split, remain}

    def split(self, chance: np.random.Generator) -> None:
        """Half of a supervoxel goes to a new body."""
        at, supervoxel, inside = self._half(chance)
        if inside.any():
            new = self.edit(f"split/{self.model.parts[at].body}", content=runs_of(inside))["label"]
            (split,) = json.loads(self.segs.call("GET", f"{self.seg}/supervoxels/{new}"))
            self._recut(at, supervoxel, inside, split, split + 1)
            self.model.cut(at, {split}, new)


def begin(segs: Segs, chance: np.random.Generator) -> Branch:
    """Bodies, of which the first have two supervoxels, with any weights."""
    labels = chance.integers(1, BODIES + 4, (SIDE, SIDE, 2 * SIDE)).astype(np.uint64)
    name = f"seg{next(NAMES)}"
    seg = segs.new(name, levels=0)
    segs.post(seg, (0, 0, 0), labels)
    for body in range(1, 4):
        segs.call("POST", f"{seg}/merge", json=[body, BODIES + body])
    model = Model(labels.copy())
    for body in range(1, BODIES + 1):
        more = {BODIES + body} if body < 4 else set()
        model.parts.append(Part(body, float(chance.integers(1, 1000)), {body} | more))
    for one in range(BODIES):
        for other in range(one):
            if chance.random() < 0.4:
                model.links[frozenset((one, other))] = float(chance.integers(0, 1000))
    segs.call("POST", f"/api/repo/{segs.root}/instance", json={"typename": "labelgraph", "dataname": f"{name}g"})
    graph = f"/api/node/{segs.root}/{name}g"
    segs.call("POST", f"{graph}/sync", json={"sync": name})
    shown = model.graph()
    pairs = [(min(ends), max(ends), weight) for ends, weight in edges(shown).items()]
    segs.call("POST", f"{graph}/subgraph", json=graph_of([*weights(shown).items()], pairs))
    return Branch(segs, seg, graph, model)


@pytest.fixture
def splitting(segs: Segs, monkeypatch: pytest.MonkeyPatch) -> Segs:
    """As `allowLabelmapSplit` allows it."""
    monkeypatch.setattr(type(segs.datastore.settings.server), "labelmap_split", True)
    return segs


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_a_graph_is_what_its_parts_make(splitting: Segs, seed: int) -> None:
    segs, chance = splitting, np.random.default_rng(seed)
    segs.root = json.loads(segs.call("POST", "/api/repos", json={}))["root"]
    root = begin(segs, chance)
    for _ in range(3):
        root.step(chance)
    branches = []
    for branch in ("", "other"):
        child = segs.child(segs.root, branch)
        seg, graph = (path.replace(segs.root, child) for path in (root.seg, root.path))
        branches.append(Branch(segs, seg, graph, deepcopy(root.model)))
    for _ in range(12):
        branches[chance.integers(2)].step(chance)
    for one in (root, *branches):
        one.compare()
    assert segs.soundness() == []
