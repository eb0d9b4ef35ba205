"""Routes of properties: any bytes, by name, of a vertex or an edge."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Reply, octets
from dvidpy.datatypes.labelgraph.graph import Edit, LabelGraph, editing
from dvidpy.datatypes.labelgraph.graph_routes import VertexId
from dvidpy.datatypes.labelgraph.keys import pair_of, property_key
from dvidpy.datatypes.labelgraph.transactions import stamps_of
from dvidpy.datatypes.labelgraph.wire import Words, demand_vertex, read_stamps, words
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody
from dvidpy.errors import BadRequest

room = Room()

Name = Annotated[str, Path(description="Name of the property.", examples=["size"])]
Kind = Annotated[str, Path(description="`vertices` or `edges`.", examples=["vertices"])]
BYTES = gives("The bytes that were posted", OCTETS.decode())
STORED = gives("Done", "text/plain", "")
VALUE = takes("Any bytes", OCTETS.decode())
TRANSACTION = takes(
    "uint64 numbers: how many vertices, of each its number and stamp (0 to read); how many properties, of each its"
    " vertex (of an edge both), and to write the number of bytes and the bytes",
    OCTETS.decode(),
)
ANSWER = gives(
    "uint64 numbers: how many vertices were granted, of each its number and new stamp; how many were not, and which;"
    " when reading how many properties, of each its vertex (both), the number of bytes, and the bytes",
    OCTETS.decode(),
)
Ends = tuple[int, ...]


def _ends(*vertices: int) -> Ends:
    return vertices if len(vertices) == 1 else pair_of(*vertices)


def _need(data: LabelGraph | Edit, ends: Ends) -> None:
    """BadRequest where there is no such vertex or edge."""
    if not _is_there(data, ends):
        raise BadRequest(f"there is no {'vertex' if len(ends) == 1 else 'edge'} {'-'.join(map(str, ends))}")


def _get(data: LabelGraph, ends: Ends, name: str) -> Reply:
    return octets(_read(data.still(), ends, name))


def _read(data: LabelGraph, ends: Ends, name: str) -> bytes:
    """No bytes where there is none, as in the reference."""
    return (data.view.get(property_key(ends, name)) or b"") if _is_there(data, ends) else b""


def _is_there(data: LabelGraph | Edit, ends: Ends) -> bool:
    return (data.vertex(ends[0]) if len(ends) == 1 else data.edge(pair_of(*ends))) is not None


def _put(data: LabelGraph, ends: Ends, name: str, value: bytes) -> Reply:
    with editing(data, "post-property") as edit:
        _need(edit, ends)
        data.view.put(edit.change, property_key(ends, name), value)
    return DONE


def _delete(data: LabelGraph, ends: Ends, name: str) -> Reply:
    with editing(data, "delete-property") as edit:
        data.view.delete(edit.change, property_key(ends, name))
    return DONE


@room.get("/property/{vertex}/{name}", summary="Property of a vertex", responses=BYTES)
def get_property(data: Annotated[LabelGraph, Here], vertex: VertexId, name: Name) -> Reply:
    """No bytes where there is none."""
    return _get(data, _ends(vertex), name)


@room.post("/property/{vertex}/{name}", summary="Set one", openapi_extra=VALUE, responses=STORED)
def post_property(
    data: Annotated[LabelGraph, Here], body: Annotated[bytes, WholeBody], vertex: VertexId, name: Name
) -> Reply:
    """400 where there is no such vertex."""
    return _put(data, _ends(vertex), name, body)


@room.delete("/property/{vertex}/{name}", summary="Delete one", responses=STORED)
def delete_property(data: Annotated[LabelGraph, Here], vertex: VertexId, name: Name) -> Reply:
    """Nothing happens where there is none."""
    return _delete(data, _ends(vertex), name)


@room.get("/property/{vertex}/{other}/{name}", summary="Property of an edge", responses=BYTES)
def get_edge_property(data: Annotated[LabelGraph, Here], vertex: VertexId, other: VertexId, name: Name) -> Reply:
    """Its vertices in any order. No bytes where there is none."""
    return _get(data, _ends(vertex, other), name)


@room.post("/property/{vertex}/{other}/{name}", summary="Set one of an edge", openapi_extra=VALUE, responses=STORED)
def post_edge_property(
    data: Annotated[LabelGraph, Here],
    body: Annotated[bytes, WholeBody],
    vertex: VertexId,
    other: VertexId,
    name: Name,
) -> Reply:
    """400 where there is no such edge."""
    return _put(data, _ends(vertex, other), name, body)


@room.delete("/property/{vertex}/{other}/{name}", summary="Delete one of an edge", responses=STORED)
def delete_edge_property(data: Annotated[LabelGraph, Here], vertex: VertexId, other: VertexId, name: Name) -> Reply:
    """Nothing happens where there is none."""
    return _delete(data, _ends(vertex, other), name)


# ---------------------------------------------------------------------- transactions
def _width(kind: str) -> int:
    if kind not in ("vertices", "edges"):
        raise BadRequest(f"{kind[:40]!r}: properties are of vertices or of edges")
    return 1 if kind == "vertices" else 2


def _read_ends(body: Words, width: int) -> Ends:
    """Ends as they were sent."""
    return tuple(demand_vertex(body.number()) for _ in range(width))


def _granted(stamps: dict[int, int], refused: list[int]) -> bytes:
    pairs = [number for pair in stamps.items() for number in pair]
    return words(len(stamps), *pairs, len(refused), *refused)


@room.get(
    "/propertytransaction/{kind}/{name}",
    summary="Properties, to be written after",
    openapi_extra=TRANSACTION,
    responses=ANSWER,
)
def get_properties(
    data: Annotated[LabelGraph, Here], body: Annotated[bytes, WholeBody], kind: Kind, name: Name
) -> Reply:
    """A property that is not there has no bytes. Each vertex has a stamp, for ten minutes: whoever posts first with it
    writes, others are refused and read again. At most 1000 vertices.
    """
    width, asked = _width(kind), Words(body)
    stamps = stamps_of(data).read(vertex for vertex, _ in read_stamps(asked))
    wanted = [_read_ends(asked, width) for _ in range(asked.number())]
    still, parts = data.still(), list[bytes]()
    for ends in wanted:
        if set(ends) <= stamps.keys():
            value = _read(still, _ends(*ends), name)
            parts.append(words(*ends, len(value)) + value)
    return octets(_granted(stamps, []) + words(len(parts)) + b"".join(parts))


@room.post(
    "/propertytransaction/{kind}/{name}",
    summary="Write properties that were read",
    openapi_extra=TRANSACTION,
    responses=ANSWER,
)
def post_properties(
    data: Annotated[LabelGraph, Here], body: Annotated[bytes, WholeBody], kind: Kind, name: Name
) -> Reply:
    """Written are properties whose vertices all have their last stamp, in one step; a property without bytes stays as
    it is. 400 where a vertex or edge is not there.
    """
    width, asked = _width(kind), Words(body)
    stamps = read_stamps(asked)
    values = [(_read_ends(asked, width), asked.take(asked.number())) for _ in range(asked.number())]
    with editing(data, "post-properties") as edit:
        for ends, _ in values:
            _need(edit, _ends(*ends))
        granted, refused = stamps_of(data).take(stamps)
        for ends, value in values:
            if value and set(ends) <= granted.keys():
                data.view.put(edit.change, property_key(_ends(*ends), name), value)
    return octets(_granted(granted, refused))
