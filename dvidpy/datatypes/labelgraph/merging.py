"""Vertices that become one, and the last such merge undone.

What a merge changed is kept as it was before and after it: it is undone only while nothing of that is another again.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec
from msgspec import Struct

from dvidpy.datatypes.labelgraph.graph import Edit
from dvidpy.datatypes.labelgraph.keys import MERGE, Pair, numbers_key, pair_of
from dvidpy.datatypes.labelgraph.wire import Graph, demand_weight
from dvidpy.errors import BadRequest
from dvidpy.storage.keys import after


class State(Struct, array_like=True):
    """Weights of some vertices and edges; None: not there."""

    vertices: dict[int, float | None]
    edges: list[tuple[int, int, float | None]]


class Merged(Struct):
    """What is kept of a merge."""

    before: State
    now: State


def merge(edit: Edit, graph: Graph, *, history: bool) -> None:
    """Merge vertices into the last of them. Weights are summed, unless the graph gives others.

    BadRequest where one is not there, or there are not two.
    """
    *others, target = [vertex.Id for vertex in graph.Vertices] or [0]
    if not others or len({*others, target}) <= len(others):
        raise BadRequest("a merge takes two vertices at least, each once")
    weights, edges = _summed(edit, [*others, target])
    given = {pair_of(edge.Id1, edge.Id2): edge.Weight for edge in graph.Edges}
    before = _state(edit, [*others, target])
    for vertex in others:
        edit.remove_vertex(vertex)
    edit.put_vertex(target, demand_weight(graph.Vertices[-1].Weight or weights))
    for vertex, weight in edges.items():
        ends = pair_of(target, vertex)
        edit.put_edge(ends, demand_weight(given.get(ends, weight)))
    if history:
        now = State(dict(edit.vertices), [(*ends, weight) for ends, weight in edit.edges.items()])
        known = {(one, other): weight for one, other, weight in before.edges}
        before.edges = [(*ends, known.get(ends)) for ends in edit.edges]
        key = numbers_key(MERGE, edit.mutation)
        edit.data.view.put(edit.change, key, msgspec.json.encode(Merged(before, now)))
    else:
        edit.forget_merges()


def _summed(edit: Edit, vertices: list[int]) -> tuple[float, dict[int, float]]:
    """(weight of all vertices, weight of the edges to each vertex outside)."""
    total, edges, inside = 0.0, defaultdict[int, float](float), set(vertices)
    for vertex in vertices:
        weight = edit.vertex(vertex)
        if weight is None:
            raise BadRequest(f"there is no vertex {vertex}")
        total += weight
        for ends, of_edge in edit.edges_of(vertex).items():
            other = ends[0] if ends[1] == vertex else ends[1]
            if other not in inside:
                edges[other] += of_edge
    return total, edges


def _state(edit: Edit, vertices: list[int]) -> State:
    edges: dict[Pair, float] = {}
    for vertex in vertices:
        edges |= edit.edges_of(vertex)
    return State({vertex: edit.vertex(vertex) for vertex in vertices}, [(*ends, edges[ends]) for ends in edges])


def undo(edit: Edit) -> None:
    """Undo the last merge; BadRequest where there is none, or what it made has changed since."""
    view = edit.data.view
    key = max(view.keys(MERGE, after(MERGE)), default=None)
    if key is None:
        raise BadRequest("there is no merge to be undone")
    merged = msgspec.json.decode(view.get(key) or b"", type=Merged)
    same = all(edit.vertex(vertex) == weight for vertex, weight in merged.now.vertices.items())
    if not same or any(edit.edge((one, other)) != weight for one, other, weight in merged.now.edges):
        raise BadRequest("vertices or edges of the last merge have changed since: it cannot be undone")
    edit.vertices |= merged.before.vertices
    edit.edges |= {(one, other): weight for one, other, weight in merged.before.edges}
    view.delete(edit.change, key)
