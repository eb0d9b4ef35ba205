"""A labelgraph that follows a segmentation: vertices are its labels, weights go where the voxels went."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pytest
from datatypes.labelarray.test_labelarray import SHAPE, SIDE, rles, runs_of, volume
from datatypes.labelgraph.test_labelgraph import Graphs, edges, graph_of, same, weights
from datatypes.labelmap.conftest import Labels, Segs

from dvidpy.datatypes.labelgraph.graph import LabelGraph
from dvidpy.datatypes.labelgraph.keys import MEMBER, PART, numbers_key

KINDS = ("labelmap", "labelarray", "labelvol", "labelblk")
"""What a graph may follow; of the last two it follows one, and edits are asked of the labelvol."""


class Followed:
    """A segmentation, and a graph whose weights are the voxels of its labels."""

    def __init__(self, segs: Segs, kind: str) -> None:
        self.segs, self.graphs, self.kind = segs, Graphs(segs), kind
        names = {"labelblk": "blk", "labelvol": "vol"} if kind in ("labelblk", "labelvol") else {kind: "seg"}
        self.paths = {kind: segs.new(name, typename=kind) for kind, name in names.items()}
        if len(names) == 2:
            segs.call("POST", f"{self.paths['labelblk']}/sync", json={"sync": "vol"})
            segs.call("POST", f"{self.paths['labelvol']}/sync", json={"sync": "blk"})
        self.voxels, *others = self.paths.values()
        self.bodies = others[0] if others else self.voxels
        self.name = names[kind]

    def begin(self, labels: Labels) -> nx.Graph[int]:
        """Voxels, and a graph of them: labels that are next to each other along x have an edge."""
        self.segs.post(self.voxels, (0, 0, 0), labels)
        self.segs.call("GET", f"{self.bodies}/info?wait=true")
        graph = graph_of_labels(labels)
        self.graphs.post(graph)
        self.graphs.call("POST", "sync", json={"sync": self.name})
        return graph

    def edit(self, route: str, **options: object) -> bytes:
        return self.segs.call("POST", f"{self.bodies}/{route}", **options)

    def seen(self) -> nx.Graph[int]:
        self.graphs.call("GET", "info?wait=true")
        return self.graphs.seen()


def graph_of_labels(labels: Labels) -> nx.Graph[int]:
    graph: nx.Graph[int] = nx.Graph()
    for label, voxels in zip(*np.unique(labels[labels > 0], return_counts=True), strict=True):
        graph.add_node(int(label), weight=float(voxels))
    pairs = np.stack((labels[:, :, :-1].ravel(), labels[:, :, 1:].ravel()), axis=1)
    for one, other in pairs[(pairs > 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])].tolist():
        had = graph.get_edge_data(one, other, {"weight": 0.0})["weight"]
        graph.add_edge(one, other, weight=had + 1.0)
    return graph


def sizes(labels: Labels) -> dict[int, float]:
    return weights(graph_of_labels(labels))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_follow_merges_and_splits(segs: Segs, kind: str) -> None:
    followed, expected = Followed(segs, kind), volume(11, labels=12)
    graph = followed.begin(expected)
    assert same(followed.seen(), graph)

    followed.edit("merge", json=[3, 4, 5])
    expected[np.isin(expected, (4, 5))] = 3
    followed.edit("merge", json=[7, 3])
    expected[expected == 3] = 7
    found = followed.seen()
    assert weights(found) == sizes(expected)
    assert edges(found) == edges(graph_of_labels(expected))  # contacts add up like voxels do

    inside = np.zeros(SHAPE, np.bool_)
    inside[:, :20, 10:30] = True
    inside &= expected == 7
    if kind == "labelmap":
        some = [4, 5]
        new = json.loads(followed.edit("cleave/7", json=some))["CleavedLabel"]
        expected = np.where(np.isin(volume(11, labels=12), some), np.uint64(new), expected)
        followed.edit("renumber", json=[1000, 9])
        expected[expected == 9] = 1000
    else:
        new = json.loads(followed.edit("split/7", content=runs_of(inside)))["label"]
        expected[inside] = new
        blocks = np.zeros([side // SIDE for side in SHAPE], np.bool_)
        blocks[0] = True
        new = json.loads(followed.edit("split-coarse/8", content=runs_of(blocks)))["label"]
        expected[:SIDE][expected[:SIDE] == 8] = new
    found = followed.seen()
    assert weights(found) == sizes(expected)
    assert segs.soundness() == []


def test_a_cleave_gives_back_what_merges_brought(segs: Segs) -> None:
    followed, labels = Followed(segs, "labelmap"), volume(12, labels=9)
    graph = followed.begin(labels)
    followed.graphs.call("POST", "property/4/name", content=b"four")
    for target, other in ((1, 4), (5, 3), (1, 2)):
        followed.edit("merge", json=[target, other])
    new = json.loads(followed.edit("cleave/1", json=[4]))["CleavedLabel"]
    found = followed.seen()
    assert weights(found)[new] == weights(graph)[4]
    assert followed.graphs.call("GET", f"property/{new}/name") == b"four"
    expected = np.where(labels == 4, np.uint64(new), np.where(labels == 2, np.uint64(1), labels))
    expected = np.where(labels == 3, np.uint64(5), expected)
    assert weights(found) == sizes(expected)
    assert edges(found) == edges(graph_of_labels(expected))
    assert segs.soundness() == []


def test_a_merge_undone_by_a_cleave_leaves_the_graph_as_it_was(segs: Segs) -> None:
    followed, labels = Followed(segs, "labelmap"), volume(13, labels=9)
    graph = followed.begin(labels)
    followed.edit("merge", json=[6, 2, 7])
    followed.edit("merge", json=[1, 6])
    new = json.loads(followed.edit("cleave/1", json=[2, 6, 7]))["CleavedLabel"]
    part = json.loads(followed.edit(f"cleave/{new}", json=[7]))["CleavedLabel"]
    last = json.loads(followed.edit(f"cleave/{new}", json=[2]))["CleavedLabel"]
    names = {6: new, 7: part, 2: last}
    assert same(followed.seen(), nx.relabel_nodes(graph, names))


def test_part_of_what_was_never_merged_goes_by_voxels(segs: Segs) -> None:
    followed = Followed(segs, "labelarray")
    labels = np.ones(SHAPE, np.uint64)
    labels[:, :, 40:] = 2
    followed.segs.post(followed.voxels, (0, 0, 0), labels)
    followed.graphs.call("POST", "subgraph", json=graph_of([(1, 10), (2, 4)], [(1, 2, 8)]))
    followed.graphs.call("POST", "sync", json={"sync": "seg"})
    inside = np.zeros(SHAPE, np.bool_)
    inside[:, :, :10] = True
    new = json.loads(followed.edit("split/1", content=runs_of(inside)))["label"]
    found = followed.seen()
    assert weights(found) == {1: 7.5, 2: 4.0, new: 2.5}
    assert edges(found) == {frozenset((1, 2)): 6.0, frozenset((new, 2)): 2.0}


@pytest.mark.parametrize("kind", ["labelmap", "labelarray", "labelvol"])
def test_a_label_that_is_written_over_is_no_vertex(segs: Segs, kind: str) -> None:
    followed, labels = Followed(segs, kind), volume(14, labels=5)
    graph = followed.begin(labels)
    labels[labels == 3] = 2
    segs.post(followed.voxels, (0, 0, 0), labels, "?mutate=true")
    graph.remove_node(3)
    assert same(followed.seen(), graph)
    assert segs.soundness() == []


def test_versions_follow_their_own_edits(segs: Segs) -> None:
    followed, labels = Followed(segs, "labelmap"), volume(15, labels=6)
    graph = followed.begin(labels)
    followed.edit("merge", json=[1, 2])
    child = segs.child(segs.root)
    parent, followed.bodies = followed.bodies, followed.bodies.replace(segs.root, child)
    followed.edit("merge", json=[1, 3])
    found = followed.seen()
    assert 2 not in found
    assert 3 in found
    followed.graphs.path = followed.graphs.path.replace(segs.root, child)
    assert weights(followed.seen())[1] == sum(weights(graph)[one] for one in (1, 2, 3))
    assert segs.status("POST", f"{parent}/merge", b"[1, 4]") == 400
    assert segs.soundness() == []


def test_labels_that_are_no_vertices_are_passed_over(segs: Segs) -> None:
    followed = Followed(segs, "labelmap")
    segs.post(followed.voxels, (0, 0, 0), volume(16, labels=6))
    followed.graphs.call("POST", "subgraph", json=graph_of([(1, 1), (77, 7)], [(1, 77, 2)]))
    followed.graphs.call("POST", "sync", json={"sync": "seg"})
    followed.edit("merge", json=[2, 3])
    followed.edit("merge", json=[2, 1])
    found = followed.seen()
    assert weights(found) == {2: 1.0, 77: 7.0}  # which no voxel ever had
    assert edges(found) == {frozenset((2, 77)): 2.0}
    assert segs.soundness() == []


def test_a_graph_that_follows_nothing_stays(segs: Segs) -> None:
    followed, labels = Followed(segs, "labelmap"), volume(17, labels=6)
    graph = followed.begin(labels)
    followed.graphs.call("POST", "sync?replace=true", json={"sync": ""})
    followed.edit("merge", json=[1, 2])
    assert same(followed.seen(), graph)
    followed.graphs.call("POST", "sync", json={"sync": "seg"})  # what was before is no matter
    assert segs.soundness() == []


def test_check_finds_a_vertex_that_was_merged_away(segs: Segs) -> None:
    followed = Followed(segs, "labelmap")
    followed.begin(volume(18, labels=6))
    followed.edit("merge", json=[1, 2])
    followed.seen()
    assert segs.soundness() == []
    repo, node = segs.datastore.catalogue.place(segs.root)
    data = LabelGraph(segs.datastore, repo, node, repo.instances["g"], None)
    stored = data.view.get(numbers_key(PART, 2))
    change = data.change()
    data.view.delete(change, numbers_key(PART, 2))  # which says that it is a part of 1
    data.view.commit(change)
    found = "\n".join(segs.soundness())
    assert "vertex 1 has part 2, which is none of it" in found
    assert "vertex 2 is no label any more" not in found  # so the members of 1 say
    change = data.change()
    data.view.delete(change, numbers_key(MEMBER, 1, 2))
    data.view.commit(change)
    assert any("vertex 2 is no label any more" in fault for fault in segs.soundness())
    change = data.change()
    data.view.put(change, numbers_key(PART, 2), stored or b"")
    data.view.put(change, numbers_key(MEMBER, 1, 2), b"")
    data.view.commit(change)
    assert segs.soundness() == []


def test_a_split_into_a_label_in_use_joins_it(segs: Segs) -> None:
    followed, labels = Followed(segs, "labelarray"), volume(19, labels=6)
    followed.begin(labels)
    blocks = rles([(0, 0, 0, 3)])
    followed.edit("split-coarse/3?splitlabel=4", content=blocks)
    labels[:SIDE, :SIDE][labels[:SIDE, :SIDE] == 3] = 4
    assert weights(followed.seen()) == sizes(labels)


def test_what_no_vertex_ever_had_goes_by_voxels(segs: Segs) -> None:
    followed, labels = Followed(segs, "labelmap"), volume(22, labels=5)
    graph = followed.begin(labels)
    followed.edit("merge", json=[1, 2])
    own = json.loads(followed.edit("cleave/1", json=[1]))["CleavedLabel"]  # all supervoxels of both are known by now
    followed.graphs.call("DELETE", "subgraph", json=graph_of([(5, 0)]))
    followed.edit("merge", json=[1, 5])
    new = json.loads(followed.edit("cleave/1", json=[5]))["CleavedLabel"]
    found, sized = weights(followed.seen()), weights(graph)
    share = sized[2] * sized[5] / (sized[2] + sized[5])
    assert found == pytest.approx({own: sized[1], 1: sized[2] - share, new: share, 3: sized[3], 4: sized[4]})
    assert segs.soundness() == []


def test_a_split_of_no_voxels_makes_no_vertex(segs: Segs) -> None:
    followed = Followed(segs, "labelarray")
    graph = followed.begin(volume(21, labels=3))
    followed.edit("split/3", content=rles([]))
    assert same(followed.seen(), graph)


def test_weights_never_stop_a_graph_from_following(segs: Segs) -> None:
    followed = Followed(segs, "labelmap")
    segs.post(followed.voxels, (0, 0, 0), volume(20, labels=6))
    followed.graphs.call("POST", "sync", json={"sync": "seg"})
    followed.graphs.call("POST", "subgraph", json=graph_of([(1, 1.5e308), (2, 1.5e308), (3, 1)], [(1, 2, 1)]))
    followed.edit("merge", json=[1, 2])
    followed.edit("cleave/1", json=[2])
    assert set(weights(followed.seen())) == {1, 3, 7}
    assert segs.soundness() == []
