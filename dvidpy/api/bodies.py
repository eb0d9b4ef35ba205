"""JSON bodies of the repo and version routes."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from dvidpy.errors import BadRequest

T = TypeVar("T")


class Growth(Struct):
    """newversion, branch and tag."""

    branch: str = ""
    tag: str = ""
    note: str = ""
    uuid: str = ""


class Commit(Struct):
    """commit."""

    note: str = ""
    log: list[str] | None = None


class Merge(Struct):
    """merge."""

    parents: list[str]
    merge_type: str = msgspec.field(name="mergeType")
    note: str = ""


class Resolve(Struct):
    """resolve."""

    data: list[str]
    parents: list[str]
    note: str = ""


class Log(Struct):
    """Lines for a log."""

    log: list[str]


class Rename(Struct):
    """rename."""

    name: str


class Note(Struct):
    """The note of a version."""

    note: str


_LENIENT = (Growth, Commit, Merge, Resolve)
"""Names of members ignore case here, and null is as if left out, as in the reference."""


def read(body: bytes, kind: type[T], *, empty: bool = False) -> T:
    """A body as one of these; with `empty`, no body counts as {}. BadRequest where it is none."""
    try:
        if kind not in _LENIENT:
            return msgspec.json.decode(body, type=kind)
        return msgspec.convert(_spelt(msgspec.json.decode(body if body.strip() or not empty else b"{}"), kind), kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"Malformed JSON request in body: {error}") from None


def _spelt(given: Any, kind: type[Any]) -> Any:
    """A JSON object with its members named as they are here, without those that are null; anything else as it is."""
    if not isinstance(given, dict):
        return given
    names = {field.encode_name.lower(): field.encode_name for field in msgspec.structs.fields(kind)}
    return {names.get(name.lower(), name): value for name, value in given.items() if value is not None}
