"""Protobuf messages that hold label indices and mappings, built without a compiler step.

    message LabelIndices { repeated LabelIndex indices = 1; }
    message MappingOp    { uint64 mutid = 1; uint64 mapped = 2; repeated uint64 original = 3; }
    message MappingOps   { repeated MappingOp mappings = 1; }

Indices are taken as bytes here, which are the same on the wire. Source: the help text of the reference's labelmap.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from dvidpy.datatypes.labels.index import LabelIndex, decode
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_blocks import Labels

_PACKAGE = "dvidpy.labels"
_BYTES, _UINT64, _MESSAGE = 12, 4, 11
_ONE, _MANY = 1, 3
_FIELDS: dict[str, list[tuple[str, Any, Any, str]]] = {
    "LabelIndices": [("indices", _BYTES, _MANY, "")],
    "MappingOp": [("mutid", _UINT64, _ONE, ""), ("mapped", _UINT64, _ONE, ""), ("original", _UINT64, _MANY, "")],
    "MappingOps": [("mappings", _MESSAGE, _MANY, "MappingOp")],
}


class MappingOp(NamedTuple):
    """Supervoxels that go to a body."""

    mutid: int
    mapped: int
    original: Labels


@cache
def _message(name: str) -> Any:
    """Class of a message."""
    file = descriptor_pb2.FileDescriptorProto(name="dvidpy/labels.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _FIELDS.items():
        entry = file.message_type.add(name=message)
        for number, (field, kind, label, of) in enumerate(fields, 1):
            of_message = {"type_name": f".{_PACKAGE}.{of}"} if of else {}
            entry.field.add(name=field, number=number, type=kind, label=label, **of_message)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def _parse(name: str, body: bytes) -> Any:
    try:
        return _message(name).FromString(body)
    except DecodeError as error:
        raise BadRequest(f"the body is no {name} message: {error}") from None


def parse_indices(body: bytes) -> list[LabelIndex]:
    """LabelIndices -> indices in the order sent; BadRequest where the body is none."""
    return [decode(one) for one in _parse("LabelIndices", body).indices]


def encode_indices(indices: Iterable[LabelIndex]) -> bytes:
    """The reverse."""
    encoded: bytes = _message("LabelIndices")(indices=[index.encode() for index in indices]).SerializeToString()
    return encoded


def parse_mappings(body: bytes) -> list[MappingOp]:
    """MappingOps -> operations in the order sent; BadRequest where the body is none."""
    found = _parse("MappingOps", body).mappings
    return [MappingOp(op.mutid, op.mapped, np.array(op.original, np.uint64)) for op in found]


def encode_mappings(operations: Iterable[MappingOp]) -> bytes:
    """The reverse."""
    message = _message("MappingOps")()
    for op in operations:
        message.mappings.add(mutid=op.mutid, mapped=op.mapped, original=op.original.tolist())
    encoded: bytes = message.SerializeToString()
    return encoded
