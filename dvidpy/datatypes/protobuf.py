"""Protobuf messages built from tables, without a compiler step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from dvidpy.errors import BadRequest

STRING, BYTES, UINT64, MESSAGE = 9, 12, 4, 11
"""Types of fields, as descriptors number them."""


class Field(NamedTuple):
    """One field; its number is its place in the list, from 1."""

    name: str
    type: int
    many: bool = False
    of: str = ""
    """Message of a field of type MESSAGE."""


class Messages:
    """The messages of one package; their classes are made when the first is asked for."""

    def __init__(self, package: str, fields: Mapping[str, Sequence[Field]]) -> None:
        self._package, self._fields = package, fields

    def new(self, name: str, **values: Any) -> Any:
        """A message with these values."""
        return self._classes[name](**values)

    def parse(self, name: str, body: bytes) -> Any:
        """Bytes -> message; BadRequest where they are none."""
        from google.protobuf.message import DecodeError

        try:
            return self._classes[name].FromString(body)
        except DecodeError as error:
            raise BadRequest(f"the body is no {name} message: {error}") from None

    @cached_property
    def _classes(self) -> dict[str, Any]:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # slow to import

        file = descriptor_pb2.FileDescriptorProto(name=f"{self._package}.proto", package=self._package, syntax="proto3")
        for message, fields in self._fields.items():
            entry = file.message_type.add(name=message)
            for number, (field, kind, many, of) in enumerate(fields, 1):
                of_message = {"type_name": f".{self._package}.{of}"} if of else {}
                label: Any = 3 if many else 1
                entry.field.add(name=field, number=number, type=kind, label=label, **of_message)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        return {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{self._package}.{name}"))
            for name in self._fields
        }
