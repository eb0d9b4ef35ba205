"""JSON bodies of the repo and version routes."""

from __future__ import annotations

from typing import TypeVar

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


def read(body: bytes, kind: type[T], *, empty: bool = False) -> T:
    """A body as one of these; with `empty`, no body counts as {}. BadRequest where it is none."""
    try:
        return msgspec.json.decode(body if body.strip() or not empty else b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"Malformed JSON request in body: {error}") from None
