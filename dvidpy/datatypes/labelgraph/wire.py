"""Graphs in JSON, and transactions in bytes, as clients of the reference (libdvid-cpp) send and expect them."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from dvidpy.datatypes.labelgraph.keys import Pair
from dvidpy.datatypes.labels.numbers import LARGEST
from dvidpy.errors import BadRequest

_WORD = struct.Struct("<Q")
MOST = 1000
"""Vertices that one transaction, or one change of weights, may concern."""


class Vertex(Struct):
    """A vertex; without a weight it is 0."""

    Id: int
    Weight: float = 0.0


class Edge(Struct):
    """An edge between two vertices."""

    Id1: int
    Id2: int
    Weight: float = 0.0


class Graph(Struct, kw_only=True):
    """Vertices and edges."""

    Transactions: list[msgspec.Raw] | None = []
    Vertices: list[Vertex] = []
    Edges: list[Edge] = []


class _Whole(Graph, kw_only=True):
    Vertices: list[Vertex]
    Edges: list[Edge]


def parse_graph(body: bytes, *, whole: bool = True) -> Graph:
    """JSON {"Vertices": [{"Id": n, "Weight": w}, …], "Edges": [{"Id1": n, "Id2": m, "Weight": w}, …]}.

    An empty body is an empty graph. BadRequest for anything else, and where a list is missing and `whole`.
    """
    if not body:
        return Graph()
    try:
        found = msgspec.json.decode(body, type=_Whole if whole else Graph)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"expected a graph with Vertices and Edges: {error}") from None
    for label in (*(vertex.Id for vertex in found.Vertices), *(end for edge in found.Edges for end in ends(edge))):
        demand_vertex(label)
    if any(edge.Id1 == edge.Id2 for edge in found.Edges):
        raise BadRequest("an edge has two different vertices")
    return found


def ends(edge: Edge) -> tuple[int, int]:
    """Both vertices as they stand."""
    return edge.Id1, edge.Id2


def demand_vertex(number: int) -> int:
    """The number of a vertex; BadRequest where it is none."""
    if not 0 < number <= LARGEST:
        raise BadRequest("a vertex is a whole number from 1 to 2^64 - 1")
    return number


def demand_weight(weight: float) -> float:
    """BadRequest for a sum that is no number any more, or was `bounded`."""
    if not abs(weight) < sys.float_info.max:
        raise BadRequest("a weight is too large")
    return weight


def bounded(weight: float) -> float:
    """The same, or the largest number there is: what labels do is followed, whatever weights they have."""
    return max(-sys.float_info.max, min(weight, sys.float_info.max))


def total(weights: Iterable[float]) -> float:
    """The sum, the same in any order; bounded."""
    found = list(weights)
    try:
        return math.fsum(found)
    except OverflowError:
        return bounded(sum(found))


def encode(vertices: Iterable[Vertex], edges: dict[Pair, float]) -> bytes:
    """A graph as JSON."""
    shown = [Edge(*ends, weight) for ends, weight in edges.items()]
    return msgspec.json.encode(Graph(Vertices=[*vertices], Edges=shown))


# ---------------------------------------------------------------------- transactions
class Words:
    """A body of little-endian numbers of 8 bytes, read from its beginning."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def take(self, size: int) -> bytes:
        """The next bytes; BadRequest where the body ends before."""
        found = self._body[self._at : self._at + size]
        if len(found) < size:
            raise BadRequest(f"the transaction ends too early, at byte {len(self._body)}")
        self._at += size
        return found

    def number(self) -> int:
        """The next number."""
        return int(_WORD.unpack(self.take(8))[0])


def words(*numbers: int) -> bytes:
    """Numbers as bytes."""
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def read_stamps(body: Words) -> list[tuple[int, int]]:
    """(vertex, stamp) of each vertex of a transaction; BadRequest for more than `MOST`."""
    number = body.number()
    if number > MOST:
        raise BadRequest(f"a transaction has at most {MOST} vertices, not {number}")
    return [(demand_vertex(body.number()), body.number()) for _ in range(number)]
