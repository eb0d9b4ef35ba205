"""A graph at one version, and edits of it: whole or not at all, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
from msgspec import Raw

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.events import turn
from dvidpy.datatypes.labelgraph.keys import EDGE, MEMBER, MERGE, PART, VERTEX, Pair, numbers_key, pack_weight, pair_of
from dvidpy.datatypes.labelgraph.keys import property_key as keyed
from dvidpy.datatypes.labelgraph.parts import Graph, Part
from dvidpy.datatypes.labelgraph.wire import bounded, demand_weight, total
from dvidpy.datatypes.labels.numbers import LARGEST
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

    def still(self) -> Graph:
        """All of it at one moment."""
        return Graph(self.view.frozen())


class Edit(Graph):
    """What one edit changes; made by `editing`."""

    def __init__(self, data: LabelGraph, mutation: int) -> None:
        super().__init__(data.view)
        self.data = data
        self.mutation = mutation
        self.change = data.change()

    def put_link(self, pair: Pair, weight: float | None) -> None:
        """An edge between two parts has a weight, or is no more."""
        self.links[pair[0]][pair[1]] = self.links[pair[1]][pair[0]] = weight

    def put_vertex(self, vertex: int, weight: float) -> None:
        """A vertex has a weight: its head is given what it takes. A new one has no properties."""
        had, name = self.vertex(vertex), self.head(vertex)
        if had is None:
            self.forget_properties((vertex,))
            if self.part(vertex) is not None:  # of another vertex by now
                name = self.fresh()
                self.put_part(name, Part(vertex, vertex))
        elif len(self.names(vertex)) > 1:
            weight = bounded((self.weight(name) or 0.0) + weight - had)
        self.weights[name] = weight

    def put_edge(self, ends: Pair, weight: float) -> None:
        """The same of an edge; BadRequest where one of its vertices is not there."""
        for vertex in ends:
            if self.vertex(vertex) is None:
                raise BadRequest(f"there is no vertex {vertex}")
        found, pair = self.between(ends), pair_of(*map(self.head, ends))
        if not found:
            self.forget_properties(ends)
        elif found.keys() != {pair}:
            weight = bounded(found.get(pair, 0.0) + weight - total(found.values()))
        self.put_link(pair, weight)

    def fresh(self) -> int:
        """A number that no part has, nor a vertex so far."""
        name = LARGEST - self.mutation
        while self.weight(name) is not None or self.part(name) is not None:
            name -= 1
        return name

    def add_vertex(self, vertex: int, weight: float) -> None:
        """A weight is added to that of a vertex, which may be new; BadRequest where it becomes too large."""
        self.put_vertex(vertex, demand_weight((self.vertex(vertex) or 0.0) + weight))

    def add_edge(self, ends: Pair, weight: float) -> None:
        """The same of an edge."""
        self.put_edge(ends, demand_weight((self.edge(ends) or 0.0) + weight))

    def delete_edge(self, ends: Pair) -> None:
        """An edge is no more, nor its properties."""
        self.forget_properties(ends)
        for pair in self.between(ends):
            self.put_link(pair, None)

    def delete_vertex(self, vertex: int) -> None:
        """A vertex, its parts, and the edges it has, are no more, nor their properties."""
        self.forget_properties((vertex,))
        for ends in self.edges_of(vertex):
            self.forget_properties(ends)
        for name in self.names(vertex):
            for other in self.links_of(name):
                self.put_link((name, other), None)
            self.weights[name] = None
            if self.part(name) is not None:
                self.put_part(name, None)

    # ------------------------------------------------------------------ properties
    def inherit(self, vertex: int) -> None:
        """A new vertex has the properties that its head had, and its edges those of edges between heads."""
        known = self.known_as(vertex)
        self.forget_properties((vertex,))
        self._carry((known,), (vertex,))
        for other in self.others(vertex):
            self.forget_properties(pair_of(vertex, other))
            self._carry(pair_of(known, self.known_as(other)), pair_of(vertex, other))

    def _carry(self, ends: tuple[int, ...], to: tuple[int, ...]) -> None:
        prefix = keyed(ends, "")
        for key, found in self.view.range(prefix, after(prefix)):
            self.view.put(self.change, keyed(to, "") + key[len(prefix) :], found.read())

    def forget_properties(self, ends: tuple[int, ...]) -> None:
        """Properties of a vertex, or of an edge, are no more."""
        prefix = keyed(ends, "")
        for key in self.view.keys(prefix, after(prefix)):
            self.view.delete(self.change, key)

    def forget_merges(self) -> None:
        """Merges up to here cannot be undone any more."""
        for key in self.view.keys(MERGE, after(MERGE)):
            self.view.delete(self.change, key)

    # ------------------------------------------------------------------ the end
    def commit(self, said: dict[str, Any]) -> None:
        """Write everything at once, with what the mutation log says."""
        said = {**said, "UUID": self.data.version_uuid, "MutationID": self.mutation}
        said["Timestamp"] = datetime.now(UTC).isoformat(sep=" ")
        for name, weight in self.weights.items():
            self._put(numbers_key(VERTEX, name), weight)
        for name, links in self.links.items():
            for other, weight in links.items():
                self._put(numbers_key(EDGE, name, other), weight)
        for name, part in self.parts.items():
            before = self.stored.get(name)
            if before and (part is None or before.vertex != part.vertex):
                self._put(numbers_key(MEMBER, before.vertex, name), None)
            if part is not None:
                self._put(numbers_key(MEMBER, part.vertex, name), b"")
            self._put(numbers_key(PART, name), None if part is None else msgspec.json.encode(part))
        self.change.mutation = self.data.change(Raw(orjson.dumps(said))).mutation
        self.view.commit(self.change)

    def _put(self, key: bytes, value: float | bytes | None) -> None:
        if value is None:
            self.view.delete(self.change, key)
        else:
            self.view.put(self.change, key, value if isinstance(value, bytes) else pack_weight(value))


@contextmanager
def editing(data: LabelGraph, action: str) -> Iterator[Edit]:
    """An edit of this version; nobody else edits the instance inside. Runs on a worker thread."""
    with turn(data), data.datastore.ids.reserved() as mutation:
        edit = Edit(data, mutation)
        yield edit
        edit.commit({"Action": action})
