"""Routes of graphs: parts of them, weights, merges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Reply, json_bytes
from dvidpy.datatypes.labelgraph.graph import LabelGraph, editing
from dvidpy.datatypes.labelgraph.keys import pair_of
from dvidpy.datatypes.labelgraph.merging import merge, undo
from dvidpy.datatypes.labelgraph.parts import Graph
from dvidpy.datatypes.labelgraph.wire import MOST, Vertex, demand_vertex, encode, ends, parse_graph
from dvidpy.datatypes.labels.numbers import parse_number
from dvidpy.datatypes.params import Flag, gives, takes
from dvidpy.datatypes.rooms import Parse, Room, WholeBody
from dvidpy.errors import BadRequest

room = Room()

EXAMPLE = {"Vertices": [{"Id": 1, "Weight": 2.5}, {"Id": 2, "Weight": 1}], "Edges": [{"Id1": 1, "Id2": 2, "Weight": 3}]}
GRAPH = takes("A graph", "application/json", EXAMPLE)
SHOWN = gives("Vertices and edges", "application/json", EXAMPLE)
DONE_SHOWN = gives("Done", "text/plain", "")
Unsafe = Annotated[bool, Query(description="`true`: a list may be missing."), Flag]


def parse_vertex(text: str) -> int:
    """A vertex; BadRequest for 0."""
    return demand_vertex(parse_number(text))


VertexId = Annotated[int, Path(description="A vertex.", examples=["12"]), Parse(parse_vertex)]


@room.get("/subgraph", summary="The graph, or a part", openapi_extra=GRAPH, responses=SHOWN)
def get_subgraph(data: Annotated[LabelGraph, Here], body: Annotated[bytes, WholeBody], unsafe: Unsafe = False) -> Reply:
    """With vertices in the body, those and all edges that they have; 400 where one is not there. Without, all."""
    asked, still = parse_graph(body, whole=not unsafe), data.still()
    if not asked.Vertices:
        return json_bytes(encode((Vertex(*one) for one in still.vertices().items()), still.edges()))
    vertices = dict.fromkeys(vertex.Id for vertex in asked.Vertices)
    return _shown(still, vertices, vertices)


@room.get("/neighbors/{vertex}", summary="Neighbours of a vertex", responses=SHOWN)
def get_neighbors(data: Annotated[LabelGraph, Here], vertex: VertexId) -> Reply:
    """The vertex, then those it has an edge with; and these edges. 400 where it is not there."""
    still = data.still()
    return _shown(still, (vertex, *still.others(vertex)), [vertex])


def _shown(data: Graph, vertices: Iterable[int], of: Iterable[int]) -> Reply:
    """Vertices, and edges of some of them."""
    edges = {ends: weight for vertex in of for ends, weight in data.edges_of(vertex).items()}
    return json_bytes(encode([_need(data, vertex) for vertex in vertices], edges))


def _need(data: Graph, vertex: int) -> Vertex:
    weight = data.vertex(vertex)
    if weight is None:
        raise BadRequest(f"there is no vertex {vertex}")
    return Vertex(vertex, weight)


@room.post("/subgraph", summary="Add to the graph", openapi_extra=GRAPH, responses=DONE_SHOWN)
def post_subgraph(
    data: Annotated[LabelGraph, Here], body: Annotated[bytes, WholeBody], unsafe: Unsafe = False
) -> Reply:
    """All or nothing. What is there already gets the weight given. 400 for an edge whose vertices are not there. Merges
    before it cannot be undone.
    """
    graph = parse_graph(body, whole=not unsafe)
    with editing(data, "post-subgraph") as edit:
        for vertex in graph.Vertices:
            edit.put_vertex(vertex.Id, vertex.Weight)
        for edge in graph.Edges:
            edit.put_edge(pair_of(*ends(edge)), edge.Weight)
        edit.forget_merges()
    return DONE


@room.delete("/subgraph", summary="Delete from the graph", openapi_extra=GRAPH, responses=DONE_SHOWN)
def delete_subgraph(
    data: Annotated[LabelGraph, Here], body: Annotated[bytes, WholeBody], unsafe: Unsafe = False
) -> Reply:
    """Vertices with their edges, and edges; without any in the body, all. Their properties go too. Merges before it
    cannot be undone.
    """
    graph = parse_graph(body, whole=not unsafe)
    with editing(data, "delete-subgraph") as edit:
        everything = not (graph.Vertices or graph.Edges)
        for vertex in edit.vertices() if everything else [one.Id for one in graph.Vertices]:
            edit.delete_vertex(vertex)
        for edge in graph.Edges:
            edit.delete_edge(pair_of(*ends(edge)))
        edit.forget_merges()
    return DONE


@room.post("/weight", summary="Change weights", openapi_extra=GRAPH, responses=DONE_SHOWN)
def post_weight(data: Annotated[LabelGraph, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """Weights are added to those there are, all or nothing. Vertices that are not there are made, and edges whose
    vertices are there. At most 1000 vertices are concerned.
    """
    graph = parse_graph(body)
    concerned = {vertex.Id for vertex in graph.Vertices}.union(*map(ends, graph.Edges))
    if len(concerned) > MOST:
        raise BadRequest(f"weights of at most {MOST} vertices are changed at a time, not of {len(concerned)}")
    with editing(data, "weight") as edit:
        for vertex in graph.Vertices:
            edit.add_vertex(vertex.Id, vertex.Weight)
        for edge in graph.Edges:
            edit.add_edge(pair_of(*ends(edge)), edge.Weight)
    return DONE


@room.post("/merge", summary="Merge vertices", openapi_extra=GRAPH, responses=DONE_SHOWN)
def post_merge(data: Annotated[LabelGraph, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """The vertices of the body become the last of them. Weights of vertices and edges are summed; those that the body
    gives for the last vertex (not 0) and for its edges hold instead. `undomerge` takes it back.
    """
    return _merge(data, body, history=True)


@room.post("/merge/{history}", summary="Merge vertices for good", openapi_extra=GRAPH, responses=DONE_SHOWN)
def post_merge_nohistory(
    data: Annotated[LabelGraph, Here],
    body: Annotated[bytes, WholeBody],
    history: Annotated[str, Path(description="`nohistory`.", examples=["nohistory"])],
) -> Reply:
    """The same, and neither it nor merges before it can be undone."""
    if history != "nohistory":
        raise BadRequest(f"{history[:40]!r}: only nohistory can stand there")
    return _merge(data, body, history=False)


def _merge(data: LabelGraph, body: bytes, *, history: bool) -> Reply:
    graph = parse_graph(body)
    with editing(data, "merge") as edit:
        merge(edit, graph, history=history)
    return DONE


@room.post("/undomerge", summary="Undo the last merge", responses=DONE_SHOWN)
def post_undomerge(data: Annotated[LabelGraph, Here]) -> Reply:
    """Of this version or its ancestors. 400 where there is none, or what it made has changed since."""
    with editing(data, "undomerge") as edit:
        undo(edit)
    return DONE
