"""What vertices are made of: vertices that became one are its parts, with the weights and edges that they had; who
takes the vertex apart again finds them.

Stored are weights of parts and of edges between parts; those of a vertex are sums. A vertex that was never merged is
one part, of its own number, of which nothing else is stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

import msgspec
from msgspec import Struct

from dvidpy.datatypes.labelgraph.keys import (
    EDGE,
    MEMBER,
    PART,
    VERTEX,
    Pair,
    numbers_key,
    numbers_of,
    pair_of,
    weight_in,
)
from dvidpy.datatypes.labelgraph.wire import total
from dvidpy.storage.keys import after
from dvidpy.versioning.store import View

HEAD = 2**63
"""`merged` of a part that names its vertex."""


class Part(Struct, array_like=True, frozen=True):
    """A part of a vertex."""

    vertex: int
    known_as: int
    """Vertex whose properties it had when it was one; 0: none."""
    merged: int = HEAD
    """Id of the mutation that made it a part; that merged last is the head."""
    voxels: int = 0
    supervoxels: set[int] | None = None
    """None: those of the vertex that no other part has."""


class Graph:
    """Vertices, edges, their weights and parts, as one edit leaves them."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.weights: dict[int, float | None] = {}
        """Of parts, as far as they were changed; None: no more."""
        self.links = defaultdict[int, dict[int, float | None]](dict)
        """The same of edges between parts, from either end."""
        self.parts: dict[int, Part | None] = {}
        """Those that were changed; None: no more."""
        self.stored: dict[int, Part | None] = {}
        self._members: dict[int, dict[int, Part]] = {}

    def vertex(self, vertex: int) -> float | None:
        """Weight of a vertex; None where there is no such one."""
        return _sum(self.weight(name) for name in self.names(vertex))

    def edge(self, ends: Pair) -> float | None:
        """Weight of an edge; None where there is no such one."""
        return _sum(self.between(ends).values())

    def others(self, vertex: int) -> dict[int, float]:
        """Neighbours of a vertex, ascending, with the weight of the edge to each."""
        found = defaultdict[int, list[float]](list)
        for name in self.names(vertex):
            for other, weight in self.links_of(name).items():
                found[self.vertex_of(other)].append(weight)
        return {other: total(found[other]) for other in sorted(found) if other != vertex}

    def edges_of(self, vertex: int) -> dict[Pair, float]:
        """The edges that a vertex has."""
        return {pair_of(vertex, other): weight for other, weight in self.others(vertex).items()}

    def vertices(self) -> dict[int, float]:
        """Weight of all that are stored, ascending."""
        found, owners = defaultdict[int, list[float]](list), self.owners()
        for key, stored in self.view.range(VERTEX, after(VERTEX)):
            name = numbers_of(key)[0]
            found[owners.get(name, name)].append(weight_in(stored.read()) or 0.0)
        return {vertex: total(found[vertex]) for vertex in sorted(found)}

    def edges(self) -> dict[Pair, float]:
        """The same of edges."""
        found, owners = defaultdict[Pair, list[float]](list), self.owners()
        for key, stored in self.view.range(EDGE, after(EDGE)):
            one, other = numbers_of(key)
            if one < other:
                found[pair_of(owners.get(one, one), owners.get(other, other))].append(weight_in(stored.read()) or 0.0)
        return {ends: total(found[ends]) for ends in sorted(found) if ends[0] != ends[1]}

    def owners(self) -> dict[int, int]:
        """Vertex of every part of which something is known, as stored."""
        return {name: vertex for vertex, name in map(numbers_of, self.view.keys(MEMBER, after(MEMBER)))}

    def weight(self, name: int) -> float | None:
        """Weight of a part."""
        return self.weights[name] if name in self.weights else weight_in(self.view.get(numbers_key(VERTEX, name)))

    def link(self, one: int, other: int) -> float | None:
        """Weight of an edge between two parts."""
        known = self.links.get(one, {})
        return known[other] if other in known else weight_in(self.view.get(numbers_key(EDGE, one, other)))

    def links_of(self, name: int) -> dict[int, float]:
        """Parts that a part has an edge with, and its weight."""
        prefix = numbers_key(EDGE, name)
        stored = self.view.range(prefix, after(prefix))
        found = {numbers_of(key)[1]: weight_in(one.read()) for key, one in stored} | self.links.get(name, {})
        return {other: weight for other, weight in found.items() if weight is not None}

    def between(self, ends: Pair) -> dict[Pair, float]:
        """Edges between parts of one vertex and parts of another one."""
        ones, others = map(self.names, ends)
        if len(ones) == len(others) == 1:
            weight = self.link(ones[0], others[0])
            return {} if weight is None else {pair_of(ones[0], others[0]): weight}
        links = ((one, self.links_of(one)) for one in ones)
        return {pair_of(one, other): found[other] for one, found in links for other in others if other in found}

    # ------------------------------------------------------------------ parts
    @cached_property
    def _any(self) -> bool:
        """Anything is stored of any part: else it need not be looked for."""
        return any(True for _ in self.view.keys(MEMBER, after(MEMBER)))

    def part(self, name: int) -> Part | None:
        """What is known of a part; None for a vertex of that number, or where there is none."""
        if name in self.parts or not self._any:
            return self.parts.get(name)
        if name not in self.stored:
            stored = self.view.get(numbers_key(PART, name))
            self.stored[name] = None if stored is None else msgspec.json.decode(stored, type=Part)
        return self.stored[name]

    def parts_of(self, vertex: int) -> dict[int, Part]:
        """Parts of a vertex of which something is known."""
        if vertex not in self._members:
            prefix = numbers_key(MEMBER, vertex)
            names = [numbers_of(key)[1] for key in self.view.keys(prefix, after(prefix))] if self._any else []
            found = {name: self.part(name) for name in (*names, *self.parts)}
            self._members[vertex] = {name: one for name, one in found.items() if one and one.vertex == vertex}
        return self._members[vertex]

    def names(self, vertex: int) -> list[int]:
        """All parts that a vertex has, or would have."""
        return [*self.parts_of(vertex)] or ([vertex] if self.part(vertex) is None else [])

    def head(self, vertex: int) -> int:
        """The part that names a vertex."""
        parts = self.parts_of(vertex)
        return max(parts, key=lambda name: (parts[name].merged, name)) if parts else vertex

    def vertex_of(self, name: int) -> int:
        """The vertex that a part is in."""
        part = self.part(name)
        return name if part is None else part.vertex

    def known_as(self, vertex: int) -> int:
        """The vertex whose properties its head had."""
        part = self.part(self.head(vertex))
        return vertex if part is None else part.known_as

    def put_part(self, name: int, part: Part | None) -> None:
        """A part is another now."""
        if (before := self.part(name)) is not None:
            self.parts_of(before.vertex).pop(name)
        self.parts[name] = part
        if part is not None:
            self.parts_of(part.vertex)[name] = part

    def know(self, vertex: int) -> dict[int, Part]:
        """The same as `parts_of` for a vertex that is there: something is known of all from now on."""
        if not self.parts_of(vertex):
            self.put_part(vertex, Part(vertex, vertex))
        return dict(self.parts_of(vertex))


def _sum(weights: Iterable[float | None]) -> float | None:
    found = [weight for weight in weights if weight is not None]
    return total(found) if found else None
