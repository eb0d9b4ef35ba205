"""Vertices that become one, and the last such merge undone.

Of a merge is kept what it changed, and what it made: it is undone only while that is the same.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from dvidpy.datatypes.labelgraph import parts
from dvidpy.datatypes.labelgraph.graph import Edit
from dvidpy.datatypes.labelgraph.joining import fuse, join, part_again
from dvidpy.datatypes.labelgraph.keys import MERGE, numbers_key, pair_of
from dvidpy.datatypes.labelgraph.wire import Graph, demand_weight
from dvidpy.errors import BadRequest
from dvidpy.storage.keys import after


class Merged(Struct):
    """What is kept of a merge."""

    target: int
    parts: list[tuple[int, list[int]]]
    """(vertex that is no more, its parts)."""
    weight: float | None = None
    others: dict[int, float] = {}
    """Weights of the target and of its edges, as the merge left them."""
    weights: dict[int, float | None] = {}
    links: dict[int, dict[int, float | None]] = {}
    """Weights of parts and between parts, as they were before others were given."""


def merge(edit: Edit, graph: Graph, *, history: bool) -> None:
    """Merge vertices into the last of them. Weights are summed, unless the graph gives others.

    BadRequest where one is not there, or there are not two.
    """
    *others, target = [vertex.Id for vertex in graph.Vertices] or [0]
    if not others or len({*others, target}) <= len(others):
        raise BadRequest("a merge takes two vertices at least, each once")
    for vertex in (*others, target):
        if edit.vertex(vertex) is None:
            raise BadRequest(f"there is no vertex {vertex}")
    if not history:
        for vertex in others:
            fuse(edit, vertex, target)
        _give(edit, graph, target)
        edit.forget_merges()
        return
    merged = Merged(target, [(vertex, join(edit, vertex, target)) for vertex in others])
    _give(edit, graph, target)
    merged.weight, merged.others = edit.vertex(target), edit.others(target)
    before = parts.Graph(edit.view)
    merged.weights = {name: before.weight(name) for name in edit.weights}
    merged.links = {one: {other: before.link(one, other) for other in of} for one, of in edit.links.items()}
    edit.view.put(edit.change, numbers_key(MERGE, edit.mutation), msgspec.json.encode(merged))


def _give(edit: Edit, graph: Graph, target: int) -> None:
    """Weights that a merge gives its target, and edges that this has; BadRequest where one is too large."""
    if graph.Vertices[-1].Weight:
        edit.put_vertex(target, graph.Vertices[-1].Weight)
    for edge in graph.Edges:
        ends = pair_of(edge.Id1, edge.Id2)
        if target in ends and edit.edge(ends) is not None:
            edit.put_edge(ends, edge.Weight)
    for weight in (edit.vertex(target) or 0.0, *edit.others(target).values()):
        demand_weight(weight)


def undo(edit: Edit) -> None:
    """Undo the last merge; BadRequest where there is none, or what it made has changed since."""
    key = max(edit.view.keys(MERGE, after(MERGE)), default=None)
    if key is None:
        raise BadRequest("there is no merge to be undone")
    merged = msgspec.json.decode(edit.view.get(key) or b"", type=Merged)
    names = {name for _, own in merged.parts for name in own}
    same = edit.vertex(merged.target) == merged.weight and edit.others(merged.target) == merged.others
    again = any(edit.vertex(vertex) is not None for vertex, _ in merged.parts)
    if again or not same or not names <= edit.parts_of(merged.target).keys():
        raise BadRequest("vertices or edges of the last merge have changed since: it cannot be undone")
    for vertex, own in merged.parts:
        part_again(edit, vertex, own)
    edit.weights |= merged.weights
    edit.links |= merged.links
    edit.view.delete(edit.change, key)
