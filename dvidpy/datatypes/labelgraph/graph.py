"""A graph at one version, and edits of it: whole or not at all, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from typing import Any

import orjson
from msgspec import Raw

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.events import turn
from dvidpy.datatypes.labelgraph.keys import (
    EDGE,
    KEPT,
    MERGE,
    VERTEX,
    Pair,
    numbers_key,
    numbers_of,
    pack_weight,
    pair_of,
    property_key,
    unpack_weight,
)
from dvidpy.datatypes.labelgraph.wire import demand_weight
from dvidpy.errors import BadRequest
from dvidpy.storage.keys import after
from dvidpy.versioning.records import Instance


class LabelGraph(Data):
    """Vertices, edges, and their weights."""

    __slots__ = ()

    @property
    def since(self) -> int:
        """Id of mutations; what it follows has told it of those from this one on."""
        return int(self.datastore.catalogue.current(self.instance).settings.get("Since", 0))

    def follow_anew(self) -> None:
        """What it follows was set."""
        since = self.datastore.ids.next

        def update(instance: Instance) -> dict[str, Any]:
            return {"settings": {**instance.settings, "Since": since}}

        self.datastore.repos.update_instance(self.instance, update)

    def still(self) -> LabelGraph:
        """The same on an unchanging view: vertices and edges agree."""
        other = copy(self)
        other.view = self.view.frozen()
        return other

    def vertex(self, vertex: int) -> float | None:
        """Weight of a vertex; None where there is no such one."""
        stored = self.view.get(numbers_key(VERTEX, vertex))
        return None if stored is None else unpack_weight(stored)

    def edge(self, ends: Pair) -> float | None:
        """Weight of an edge; None where there is no such one."""
        stored = self.view.get(numbers_key(EDGE, *ends))
        return None if stored is None else unpack_weight(stored)

    def vertices(self) -> Iterator[tuple[int, float]]:
        """(vertex, weight) of all, ascending."""
        for key, found in self.view.range(VERTEX, after(VERTEX)):
            yield numbers_of(key)[0], unpack_weight(found.read())

    def edges(self) -> Iterator[tuple[Pair, float]]:
        """(ends, weight) of all, ascending."""
        for key, found in self.view.range(EDGE, after(EDGE)):
            one, other = numbers_of(key)
            if one < other:
                yield (one, other), unpack_weight(found.read())

    def edges_of(self, vertex: int) -> Iterator[tuple[Pair, float]]:
        """(ends, weight) of the edges that a vertex has."""
        prefix = numbers_key(EDGE, vertex)
        for key, found in self.view.range(prefix, after(prefix)):
            yield pair_of(*numbers_of(key)), unpack_weight(found.read())


class Edit:
    """What one edit changes; made by `editing`."""

    def __init__(self, data: LabelGraph, mutation: int) -> None:
        self.data = data
        self.mutation = mutation
        self.change = data.change()
        self.vertices: dict[int, float | None] = {}
        """Weights as this edit leaves them; None: no more."""
        self.edges: dict[Pair, float | None] = {}
        self.kept: dict[int, bytes | None] = {}
        """What is kept of vertices that became part of others (`following`)."""

    def vertex(self, vertex: int) -> float | None:
        """Weight of a vertex as this edit has left it."""
        return self.vertices[vertex] if vertex in self.vertices else self.data.vertex(vertex)

    def edge(self, ends: Pair) -> float | None:
        """The same of an edge."""
        return self.edges[ends] if ends in self.edges else self.data.edge(ends)

    def edges_of(self, vertex: int) -> dict[Pair, float]:
        """The edges that a vertex has."""
        found: dict[Pair, float | None] = dict(self.data.edges_of(vertex))
        found |= {ends: weight for ends, weight in self.edges.items() if vertex in ends}
        return {ends: weight for ends, weight in found.items() if weight is not None}

    def others(self, vertex: int) -> dict[int, float]:
        """Neighbours of a vertex, with the weight of the edge to each."""
        return {one if other == vertex else other: of for (one, other), of in self.edges_of(vertex).items()}

    def find_kept(self, vertex: int) -> bytes | None:
        """What is kept of a vertex that became part of another one."""
        return self.kept[vertex] if vertex in self.kept else self.data.view.get(numbers_key(KEPT, vertex))

    def put_vertex(self, vertex: int, weight: float) -> None:
        """A vertex has a weight. A new one has nothing of one that was merged away."""
        if self.vertex(vertex) is None:
            self.forget_properties((vertex,))
            if self.find_kept(vertex) is not None:
                self.kept[vertex] = None
        self.vertices[vertex] = weight

    def add_vertex(self, vertex: int, weight: float) -> None:
        """A weight is added to that of a vertex, which may be new; BadRequest where it becomes too large."""
        self.put_vertex(vertex, demand_weight((self.vertex(vertex) or 0.0) + weight))

    def add_edge(self, ends: Pair, weight: float) -> None:
        """The same of an edge."""
        self.put_edge(ends, demand_weight((self.edge(ends) or 0.0) + weight))

    def put_edge(self, ends: Pair, weight: float) -> None:
        """An edge has a weight; BadRequest where one of its vertices is not there."""
        for vertex in ends:
            if self.vertex(vertex) is None:
                raise BadRequest(f"there is no vertex {vertex}")
        if self.edge(ends) is None:
            self.forget_properties(ends)
        self.edges[ends] = weight

    def remove_vertex(self, vertex: int) -> None:
        """A vertex, and the edges it has, are no more. Properties stay, for who undoes it."""
        self.edges |= dict.fromkeys(self.edges_of(vertex))
        self.vertices[vertex] = None

    def delete_vertex(self, vertex: int) -> None:
        """The same, with their properties."""
        for pair in self.edges_of(vertex):
            self.forget_properties(pair)
        self.forget_properties((vertex,))
        self.remove_vertex(vertex)

    def carry_properties(self, ends: tuple[int, ...], to: tuple[int, ...]) -> None:
        """Properties of a vertex, or of an edge, are those of another one too."""
        prefix = property_key(ends, "")
        for key, found in self.data.view.range(prefix, after(prefix)):
            self.data.view.put(self.change, property_key(to, "") + key[len(prefix) :], found.read())

    def forget_properties(self, ends: tuple[int, ...]) -> None:
        """Properties of a vertex, or of an edge, are no more."""
        prefix = property_key(ends, "")
        for key in self.data.view.keys(prefix, after(prefix)):
            self.data.view.delete(self.change, key)

    def forget_merges(self) -> None:
        """Merges up to here cannot be undone any more."""
        for key in self.data.view.keys(MERGE, after(KEPT)):
            self.data.view.delete(self.change, key)

    def commit(self, said: dict[str, Any]) -> None:
        """Write everything at once, with what the mutation log says."""
        view, said = self.data.view, {**said, "UUID": self.data.version_uuid, "MutationID": self.mutation}
        said["Timestamp"] = datetime.now(UTC).isoformat(sep=" ")
        for vertex, weight in self.vertices.items():
            self._put(numbers_key(VERTEX, vertex), weight)
        for (one, other), weight in self.edges.items():
            self._put(numbers_key(EDGE, one, other), weight)
            self._put(numbers_key(EDGE, other, one), weight)
        for vertex, kept in self.kept.items():
            self._put_kept(vertex, kept)
        self.change.mutation = self.data.change(Raw(orjson.dumps(said))).mutation
        view.commit(self.change)

    def _put_kept(self, vertex: int, kept: bytes | None) -> None:
        if kept is None:
            self.data.view.delete(self.change, numbers_key(KEPT, vertex))
        else:
            self.data.view.put(self.change, numbers_key(KEPT, vertex), kept)

    def _put(self, key: bytes, weight: float | None) -> None:
        if weight is None:
            self.data.view.delete(self.change, key)
        else:
            self.data.view.put(self.change, key, pack_weight(weight))


@contextmanager
def editing(data: LabelGraph, action: str) -> Iterator[Edit]:
    """An edit of this version; nobody else edits the instance inside. Runs on a worker thread."""
    with turn(data), data.datastore.ids.reserved() as mutation:
        edit = Edit(data, mutation)
        yield edit
        edit.commit({"Action": action})
