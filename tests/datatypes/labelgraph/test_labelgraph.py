"""labelgraph over HTTP, beside networkx: parts, weights, merges undone, properties, transactions, versions."""

from __future__ import annotations

import json
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import networkx as nx
import numpy as np
import pytest
from datatypes.labelmap.conftest import Segs

from dvidpy.datatypes.labelgraph import transactions
from dvidpy.datatypes.labelgraph.graph import LabelGraph
from dvidpy.datatypes.labelgraph.keys import EDGE, VERTEX, numbers_key, pack_weight

Weighted = tuple[int, float]


def graph_of(vertices: list[Weighted], edges: list[tuple[int, int, float]] | None = None) -> dict[str, Any]:
    return {
        "Vertices": [{"Id": one, "Weight": weight} for one, weight in vertices],
        "Edges": [{"Id1": one, "Id2": other, "Weight": weight} for one, other, weight in edges or []],
    }


class Graphs:
    def __init__(self, segs: Segs) -> None:
        self.segs = segs
        segs.call("POST", f"/api/repo/{segs.root}/instance", json={"typename": "labelgraph", "dataname": "g"})
        self.path = f"/api/node/{segs.root}/g"

    def call(self, method: str, route: str, **options: Any) -> bytes:
        return self.segs.call(method, f"{self.path}/{route}", **options)

    def status(self, method: str, route: str, body: Any) -> int:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.segs.status(method, f"{self.path}/{route}", text)

    def seen(self, route: str = "subgraph", **options: Any) -> nx.Graph[int]:
        found = json.loads(self.call("GET", route, **options))
        graph: nx.Graph[int] = nx.Graph()
        for vertex in found["Vertices"]:
            graph.add_node(vertex["Id"], weight=vertex["Weight"])
        for edge in found["Edges"]:
            assert not graph.has_edge(edge["Id1"], edge["Id2"])
            graph.add_edge(edge["Id1"], edge["Id2"], weight=edge["Weight"])
        return graph

    def post(self, graph: nx.Graph[int]) -> None:
        pairs = [(min(ends), max(ends), weight) for ends, weight in edges(graph).items()]
        self.call("POST", "subgraph", json=graph_of([*weights(graph).items()], pairs))


def weights(graph: nx.Graph[int]) -> dict[int, float]:
    return {one: kept["weight"] for one, kept in graph.nodes(data=True)}


def edges(graph: nx.Graph[int]) -> dict[frozenset[int], float]:
    return {frozenset((one, other)): kept["weight"] for one, other, kept in graph.edges(data=True)}


def same(one: nx.Graph[int], other: nx.Graph[int]) -> bool:
    return weights(one) == weights(other) and edges(one) == edges(other)


def random_graph(seed: int, vertices: int = 40) -> nx.Graph[int]:
    made, random = nx.gnp_random_graph(vertices, 0.1, seed=seed), np.random.default_rng(seed)
    graph: nx.Graph[int] = nx.relabel_nodes(made, {one: one + 1 if one else 2**64 - 1 for one in made})
    for _, kept in graph.nodes(data=True):
        kept["weight"] = float(random.integers(0, 100)) / 4
    for *_, kept in graph.edges(data=True):
        kept["weight"] = float(random.integers(0, 100)) / 4
    return graph


def merged(graph: nx.Graph[int], vertices: list[int]) -> nx.Graph[int]:
    *others, target = vertices
    out: nx.Graph[int] = graph.copy()
    for other in others:
        out.nodes[target]["weight"] += out.nodes[other]["weight"]
        for neighbour, kept in list(out[other].items()):
            if neighbour != target:
                weight = out[target][neighbour]["weight"] if out.has_edge(target, neighbour) else 0.0
                out.add_edge(target, neighbour, weight=weight + kept["weight"])
        out.remove_node(other)
    return out


@pytest.fixture
def graphs(segs: Segs) -> Graphs:
    return Graphs(segs)


@pytest.mark.parametrize("seed", range(3))
def test_merges_sum_and_are_undone_one_by_one(graphs: Graphs, seed: int) -> None:
    random, states = np.random.default_rng(seed), [random_graph(seed)]
    graphs.post(states[0])
    for _ in range(4):
        vertices = random.permutation(np.array(states[-1], np.uint64))[:3].tolist()
        graphs.call("POST", "merge", json=graph_of([(one, 0) for one in vertices]))
        states.append(merged(states[-1], vertices))
        assert same(graphs.seen(), states[-1])
    for state in states[-2::-1]:
        graphs.call("POST", "undomerge")
        assert same(graphs.seen(), state)
    assert graphs.status("POST", "undomerge", b"") == 400
    assert graphs.segs.soundness() == []


def test_parts_and_neighbours(graphs: Graphs) -> None:
    graph = random_graph(5)
    graphs.post(graph)
    one, other = sorted(graph, key=graph.degree)[-2:]
    assert same(graphs.seen(f"neighbors/{one}"), graph.edge_subgraph([*graph.edges(one)]).copy())
    found = json.loads(graphs.call("GET", "subgraph", json=graph_of([(one, 0), (other, 0)])))
    assert [vertex["Id"] for vertex in found["Vertices"]] == [one, other]
    shown = {frozenset((edge["Id1"], edge["Id2"])) for edge in found["Edges"]}
    assert shown == {frozenset(edge) for edge in graph.edges([one, other])}
    assert len(shown) == len(found["Edges"])


def test_weights_are_added_and_make_what_is_not_there(graphs: Graphs) -> None:
    graphs.post(nx.Graph())
    body = graph_of([(1, 2), (2, 3), (1, 0.5)], [(1, 2, 4), (2, 1, 5)])
    graphs.call("POST", "weight", json=body)
    graphs.call("POST", "weight", json=graph_of([(2, -1)], [(2, 1, -10)]))
    expected: nx.Graph[int] = nx.Graph()
    expected.add_weighted_edges_from([(1, 2, -1.0)])
    expected.nodes[1]["weight"], expected.nodes[2]["weight"] = 2.5, 2.0
    assert same(graphs.seen(), expected)


def test_weights_at_once_are_all_added(graphs: Graphs) -> None:
    body = graph_of([(1, 1), (2, 1)], [(1, 2, 1)])
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda _: graphs.call("POST", "weight", json=body), range(20)))
    assert graphs.seen()[1][2]["weight"] == 20
    assert graphs.seen().nodes[1]["weight"] == 20


def test_given_weights_hold_in_a_merge(graphs: Graphs) -> None:
    graphs.call("POST", "subgraph", json=graph_of([(1, 1), (2, 2), (3, 3)], [(1, 3, 5), (2, 3, 7), (1, 2, 9)]))
    graphs.call("POST", "merge", json=graph_of([(1, 0), (2, 50)], [(3, 2, 0)]))
    assert weights(graphs.seen()) == {2: 50.0, 3: 3.0}
    assert graphs.seen()[2][3]["weight"] == 0


def test_a_merge_is_not_undone_when_more_has_happened(graphs: Graphs) -> None:
    triangle = graph_of([(1, 1), (2, 2), (3, 3)], [(1, 3, 5), (2, 3, 7)])
    graphs.call("POST", "subgraph", json=triangle)
    graphs.call("POST", "merge", json=graph_of([(1, 0), (2, 0)]))
    graphs.call("POST", "weight", json=graph_of([(2, 1)]))
    assert graphs.status("POST", "undomerge", b"") == 400
    graphs.call("POST", "weight", json=graph_of([(2, -1)]))
    graphs.call("POST", "undomerge")
    for route, body in (("subgraph", triangle), ("merge/nohistory", graph_of([(3, 0), (2, 0)]))):
        graphs.call("POST", "subgraph", json=triangle)
        graphs.call("POST", "merge", json=graph_of([(1, 0), (2, 0)]))
        graphs.call("POST", route, json=body)
        assert graphs.status("POST", "undomerge", b"") == 400


def test_properties_go_with_what_has_them(graphs: Graphs) -> None:
    graphs.call("POST", "subgraph", json=graph_of([(1, 1), (2, 2), (3, 3)], [(1, 2, 5), (2, 3, 7)]))
    for place in ("1", "2/1", "2/3"):
        graphs.call("POST", f"property/{place}/name", content=place.encode())
    assert graphs.call("GET", "property/1/2/name") == b"2/1"
    graphs.call("POST", "merge", json=graph_of([(1, 0), (2, 0)]))
    assert graphs.call("GET", "property/1/name") == b""
    graphs.call("POST", "undomerge")
    assert graphs.call("GET", "property/1/name") == b"1"
    graphs.call("DELETE", "subgraph", json=graph_of([(1, 0)], [(3, 2, 0)]))
    graphs.call("POST", "subgraph", json=graph_of([(1, 1)], [(1, 2, 5), (2, 3, 1)]))
    for place in ("1", "1/2", "3/2"):
        assert graphs.call("GET", f"property/{place}/name") == b""
    graphs.call("DELETE", "subgraph")
    assert not graphs.seen()


def words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def numbers(body: bytes) -> list[int]:
    return [*struct.unpack(f"<{len(body) // 8}Q", body)]


def test_only_who_read_last_writes(graphs: Graphs) -> None:
    graphs.call("POST", "subgraph", json=graph_of([(1, 1), (2, 2)], [(1, 2, 5)]))
    place = "propertytransaction/vertices/note/"
    found = numbers(graphs.call("GET", place, content=words(2, 1, 0, 2, 0, 2, 1, 2)))
    assert (found[0], found[1], found[3], found[5:]) == (2, 1, 2, [0, 2, 1, 0, 2, 0])
    first, second = found[2], found[4]
    body = words(2, 1, first, 2, second + 999, 2, 1, 8) + b"eight___" + words(2, 8) + b"refused_"
    answer = numbers(graphs.call("POST", place, content=body))
    assert (answer[:2], answer[3:]) == ([1, 1], [1, 2])
    assert answer[2] > first
    again = numbers(graphs.call("POST", place, content=words(1, 1, first, 0)))
    assert again == [0, 1, 1]
    read = graphs.call("GET", place, content=words(2, 1, 0, 2, 0, 2, 1, 2))
    assert read.endswith(words(0, 2, 1, 8) + b"eight___" + words(2, 0))


def test_edges_are_written_with_both_stamps(graphs: Graphs) -> None:
    graphs.call("POST", "subgraph", json=graph_of([(1, 1), (2, 2)], [(1, 2, 5)]))
    place = "propertytransaction/edges/note"
    _, _, first, _, second, *_ = numbers(graphs.call("GET", place, content=words(2, 1, 0, 2, 0, 0)))
    graphs.call("POST", place, content=words(2, 2, second, 1, first, 1, 2, 1, 3) + b"yes")
    assert graphs.call("GET", "property/1/2/note") == b"yes"


def test_a_stamp_is_outdated_after_a_time(graphs: Graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs.call("POST", "subgraph", json=graph_of([(1, 1)]))
    place = "propertytransaction/vertices/note"
    stamp = numbers(graphs.call("GET", place, content=words(1, 1, 0, 0)))[2]
    monkeypatch.setattr(transactions, "VALID_S", -1.0)
    assert numbers(graphs.call("POST", place, content=words(1, 1, stamp, 0))) == [0, 1, 1]


def test_a_child_has_a_graph_of_its_own(graphs: Graphs) -> None:
    graph = random_graph(7)
    graphs.post(graph)
    parent, child = graphs.segs.root, graphs.segs.child(graphs.segs.root)
    graphs.path = graphs.path.replace(parent, child)
    vertices = [*graph][:2]
    graphs.call("POST", "merge", json=graph_of([(one, 0) for one in vertices]))
    assert same(graphs.seen(), merged(graph, vertices))
    graphs.path = graphs.path.replace(child, parent)
    assert same(graphs.seen(), graph)
    assert graphs.status("POST", "weight", graph_of([(1, 1)])) == 400


@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("POST", "subgraph", {"Vertices": []}),
        ("POST", "subgraph", graph_of([(0, 1)])),
        ("POST", "subgraph", graph_of([(2**64, 1)])),
        ("POST", "subgraph", graph_of([(1, 1)], [(1, 9, 1)])),
        ("POST", "subgraph", graph_of([(1, 1)], [(1, 1, 1)])),
        ("POST", "subgraph", b"{"),
        ("POST", "subgraph", b"[]"),
        ("GET", "subgraph", graph_of([(99, 1)])),
        ("GET", "neighbors/99", b""),
        ("GET", "neighbors/x", b""),
        ("POST", "merge", graph_of([(1, 1)])),
        ("POST", "merge", graph_of([(1, 1), (1, 1)])),
        ("POST", "merge", graph_of([(99, 1), (1, 1)])),
        ("POST", "merge/history", graph_of([(1, 1), (2, 1)])),
        ("POST", "weight", graph_of([(one, 1) for one in range(1, 1002)])),
        ("POST", "weight", graph_of([(1, 1e308), (1, 1e308)])),
        ("POST", "property/99/a", b"x"),
        ("POST", "property/1/99/a", b"x"),
        ("POST", "property/1/2/1/a", b"x"),
        ("GET", "property/1/2/1/a", b""),
        ("DELETE", "property/1/2/3/a", b""),
        ("GET", "property/1/x/a", b""),
        ("POST", "property/1/1/a", b"x"),
        ("GET", "propertytransaction/vertices/a", b""),
        ("GET", "propertytransaction/faces/a", words(0, 0)),
        ("GET", "propertytransaction/vertices/a", words(1001)),
        ("GET", "propertytransaction/vertices/a", words(1, 1)),
        ("POST", "propertytransaction/vertices/a", words(0, 1, 1, 2**63)),
        ("POST", "propertytransaction/vertices/a", words(0, 1, 99, 0)),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(graphs: Graphs, method: str, route: str, body: Any) -> None:
    graphs.call("POST", "subgraph", json=graph_of([(1, 1), (2, 2)], [(1, 2, 5)]))
    before = graphs.seen()
    assert graphs.status(method, route, body) == 400
    assert same(graphs.seen(), before)


def test_check_finds_edges_that_differ_from_their_ends(graphs: Graphs) -> None:
    graphs.post(random_graph(8))
    datastore = graphs.segs.datastore
    repo, node = datastore.catalogue.place(graphs.segs.root)
    data = LabelGraph(datastore, repo, node, repo.instances["g"], None)
    (one, other), weight = next(iter(data.still().edges().items()))
    assert graphs.segs.soundness() == []
    change = data.change()
    data.view.put(change, numbers_key(EDGE, other, one), pack_weight(weight + 1))
    data.view.put(change, numbers_key(EDGE, 77, 78), pack_weight(1))
    for ends in ((1, 99), (99, 1)):
        data.view.put(change, numbers_key(EDGE, *ends), pack_weight(1))
    data.view.put(change, numbers_key(VERTEX, 1), b"no weight")
    data.view.commit(change)
    found = "\n".join(graphs.segs.soundness())
    assert f"edge {one}-{other} has two weights" in found
    assert "edge 78-77 is not the same" in found
    assert "9 bytes are no weight" in found
    assert "edge 99-1, and no vertex 99" in found

    change = data.change()
    data.view.put(change, numbers_key(EDGE, other, one), pack_weight(weight))
    for ends in ((77, 78), (78, 77), (1, 99), (99, 1)):
        data.view.delete(change, numbers_key(EDGE, *ends))
    data.view.put(change, numbers_key(VERTEX, 1), pack_weight(1))
    data.view.commit(change)
    assert graphs.segs.soundness() == []
