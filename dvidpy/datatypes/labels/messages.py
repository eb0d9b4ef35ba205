"""Protobuf messages that hold label indices and mappings, built without a compiler step.

    message LabelIndices { repeated LabelIndex indices = 1; }
    message MappingOp    { uint64 mutid = 1; uint64 mapped = 2; repeated uint64 original = 3; }
    message MappingOps   { repeated MappingOp mappings = 1; }

Indices are taken as bytes here, which are the same on the wire. Source: the help text of the reference's labelmap.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from dvidpy.datatypes.labels.index import LabelIndex, decode
from dvidpy.datatypes.protobuf import BYTES, MESSAGE, UINT64, Field, Messages
from dvidpy.kernels.label_blocks import Labels

_MESSAGES = Messages(
    "dvidpy.labels",
    {
        "LabelIndices": [Field("indices", BYTES, many=True)],
        "MappingOp": [Field("mutid", UINT64), Field("mapped", UINT64), Field("original", UINT64, many=True)],
        "MappingOps": [Field("mappings", MESSAGE, many=True, of="MappingOp")],
    },
)


class MappingOp(NamedTuple):
    """Supervoxels that go to a body."""

    mutid: int
    mapped: int
    original: Labels


def parse_indices(body: bytes) -> list[LabelIndex]:
    """LabelIndices -> indices in the order sent; BadRequest where the body is none."""
    return [decode(one) for one in _MESSAGES.parse("LabelIndices", body).indices]


def encode_indices(indices: Iterable[LabelIndex]) -> bytes:
    """The reverse."""
    encoded: bytes = _MESSAGES.new("LabelIndices", indices=[index.encode() for index in indices]).SerializeToString()
    return encoded


def parse_mappings(body: bytes) -> list[MappingOp]:
    """MappingOps -> operations in the order sent; BadRequest where the body is none."""
    found = _MESSAGES.parse("MappingOps", body).mappings
    return [MappingOp(op.mutid, op.mapped, np.array(op.original, np.uint64)) for op in found]


def encode_mappings(operations: Iterable[MappingOp]) -> bytes:
    """The reverse."""
    message = _MESSAGES.new("MappingOps")
    for op in operations:
        message.mappings.add(mutid=op.mutid, mapped=op.mapped, original=op.original.tolist())
    encoded: bytes = message.SerializeToString()
    return encoded
