"""Place of a graph in the store.

| type key | value |
|---|---|
| 01 part:u64 | weight of a part (`parts`), float64 little-endian; of its own number if never merged |
| 02 part:u64 part:u64 | weight of the edge between two parts; there a second time with the parts turned round |
| 03 vertex:u64 name | property of a vertex, any bytes |
| 04 vertex:u64 vertex:u64 name | property of an edge, the smaller vertex first |
| 07 part:u64 | what is known of a part: JSON (`parts`) |
| 08 vertex:u64 part:u64 | the vertex has the part; nothing |
| 09 mutation:u64 | a merge that can be undone: JSON (`merging`) |

Numbers in keys are big-endian, names UTF-8. 05 and 06 were merges in another form once.
"""

from __future__ import annotations

import struct

VERTEX, EDGE, VERTEX_PROPERTY, EDGE_PROPERTY = (bytes((number,)) for number in range(1, 5))
PART, MEMBER, MERGE = (bytes((number,)) for number in range(7, 10))
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


def weight_in(stored: bytes | None) -> float | None:
    """The reverse; None where nothing is."""
    return None if stored is None else float(_WEIGHT.unpack(stored)[0])
