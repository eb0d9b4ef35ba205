"""Routes of properties: any bytes, by name, of a vertex or an edge."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Call, Reply, octets
from dvidpy.datatypes.labelgraph.graph import Edit, LabelGraph, editing
from dvidpy.datatypes.labelgraph.graph_routes import VertexId, parse_vertex
from dvidpy.datatypes.labelgraph.keys import pair_of, property_key
from dvidpy.datatypes.labelgraph.parts import Graph
from dvidpy.datatypes.labelgraph.transactions import stamps_of
from dvidpy.datatypes.labelgraph.wire import Words, demand_vertex, read_stamps, words
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody
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


def _need(data: Edit, ends: Ends) -> None:
    """BadRequest where there is no such vertex or edge."""
    if not _is_there(data, ends):
        raise BadRequest(f"there is no {'vertex' if len(ends) == 1 else 'edge'} {'-'.join(map(str, ends))}")


def _read(data: Graph, ends: Ends, name: str) -> bytes:
    """No bytes where there is none, as in the reference."""
    return (data.view.get(property_key(ends, name)) or b"") if _is_there(data, ends) else b""


def _is_there(data: Graph, ends: Ends) -> bool:
    return (data.vertex(ends[0]) if len(ends) == 1 else data.edge(pair_of(*ends))) is not None


def _place(call: Call, vertex: int, name: str) -> tuple[Ends, str]:
    """Whose property, and which; BadRequest for more than two vertices."""
    *others, last = [part for part in call.parts[2:] if part] or [name]
    if len(others) > 1:
        raise BadRequest("a property is of a vertex, or of the two vertices of an edge")
    return _ends(vertex, *map(parse_vertex, others)), last


@room.get("/property/{vertex}/{name}", summary="Property of a vertex or edge", responses=BYTES)
def get_property(
    data: Annotated[LabelGraph, Here], call: Annotated[Call, TheCall], vertex: VertexId, name: Name
) -> Reply:
    """No bytes where there is none. Of an edge with both vertices, in any order: `property/1/2/size`; so below."""
    return octets(_read(data.still(), *_place(call, vertex, name)))


@room.post("/property/{vertex}/{name}", summary="Set one", openapi_extra=VALUE, responses=STORED)
def post_property(
    data: Annotated[LabelGraph, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    vertex: VertexId,
    name: Name,
) -> Reply:
    """400 where there is no such vertex or edge."""
    ends, name = _place(call, vertex, name)
    with editing(data, "post-property") as edit:
        _need(edit, ends)
        edit.view.put(edit.change, property_key(ends, name), body)
    return DONE


@room.delete("/property/{vertex}/{name}", summary="Delete one", responses=STORED)
def delete_property(
    data: Annotated[LabelGraph, Here], call: Annotated[Call, TheCall], vertex: VertexId, name: Name
) -> Reply:
    """Nothing happens where there is none."""
    place = _place(call, vertex, name)
    with editing(data, "delete-property") as edit:
        edit.view.delete(edit.change, property_key(*place))
    return DONE


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
                edit.view.put(edit.change, property_key(_ends(*ends), name), value)
    return octets(_granted(granted, refused))
