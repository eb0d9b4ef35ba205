"""Place of a graph in the store.

| type key | value |
|---|---|
| 01 vertex:u64 | its weight, float64 little-endian |
| 02 vertex:u64 vertex:u64 | weight of the edge between them; there a second time with the vertices turned round |
| 03 vertex:u64 name | property of a vertex, any bytes |
| 04 vertex:u64 vertex:u64 name | property of an edge, the smaller vertex first |
| 05 mutation:u64 | a merge that can be undone: JSON (`merging`) |
| 06 vertex:u64 | a vertex that became part of another one, as it was: JSON (`following`) |

Numbers in keys are big-endian, names UTF-8.
"""

from __future__ import annotations

import struct

VERTEX, EDGE, VERTEX_PROPERTY, EDGE_PROPERTY, MERGE, KEPT = (bytes((number,)) for number in range(1, 7))
_WEIGHT = struct.Struct("<d")
Pair = tuple[int, int]
"""Ends of an edge, the smaller one first."""


def pair_of(one: int, other: int) -> Pair:
    """Ends of the edge between two vertices."""
    return (one, other) if one < other else (other, one)


def numbers_key(kind: bytes, *numbers: int) -> bytes:
    """Type key of a class with numbers behind it."""
    return kind + b"".join(number.to_bytes(8, "big") for number in numbers)


def numbers_of(typekey: bytes) -> list[int]:
    """Numbers behind the class byte."""
    return [int.from_bytes(typekey[at : at + 8], "big") for at in range(1, len(typekey), 8)]


def property_key(ends: tuple[int, ...], name: str) -> bytes:
    """Type key of a property of a vertex, or of an edge."""
    return numbers_key(VERTEX_PROPERTY if len(ends) == 1 else EDGE_PROPERTY, *ends) + name.encode()


def pack_weight(weight: float) -> bytes:
    """A weight -> what is stored."""
    return _WEIGHT.pack(weight)


def unpack_weight(stored: bytes) -> float:
    """The reverse."""
    return float(_WEIGHT.unpack(stored)[0])
