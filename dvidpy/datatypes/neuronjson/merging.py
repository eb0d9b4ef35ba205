"""What an annotation becomes when another one is posted onto it: fields, who wrote them, and when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from dvidpy.datatypes.neuronjson.records import TIME, USER, Annotation, decode, encode, is_meta, join, to_json
from dvidpy.errors import BadRequest

UNSIGNED = ("bodyid", "user")
"""Fields of which nobody remembers who wrote them."""


class Writer(NamedTuple):
    """Who writes, when, and how."""

    user: str
    time: str
    conditional: frozenset[str] = frozenset()
    """Fields that keep a value they have."""
    replace: bool = False
    """Fields that are not named go; `conditional` counts for nothing then."""


def now() -> str:
    """The time as it stands in annotations: RFC 3339 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def demand_signs(posted: Annotation) -> None:
    """BadRequest where who or when is no text, or said of the body id."""
    if not _tell_who(tuple(posted)):
        return
    for field, value in posted.items():
        if is_meta(field) and not isinstance(value, str | None):
            raise BadRequest(f"the field {field!a} must be a text")
    for field in ("bodyid" + USER, "bodyid" + TIME):
        if field in posted:
            raise BadRequest(f"the field {field!r} is not allowed")


def merged(stored: bytes | None, posted: Annotation, writer: Writer) -> bytes:
    """The stored form of the new annotation, of that of the old one; TooLarge for one that is."""
    names = tuple(posted)
    if stored is None and not _tell_who(names) and None not in posted.values():
        return join(to_json(posted), _signs(names, writer.user, writer.time))
    return encode(merge(None if stored is None else decode(stored), posted, writer))


@lru_cache(256)
def _tell_who(names: tuple[str, ...]) -> bool:
    """Whether one of these fields tells who wrote another one, or when."""
    return any(map(is_meta, names))


@lru_cache(256)
def _signs(names: tuple[str, ...], user: str, time: str) -> bytes:
    """JSON of who wrote these fields, and when: of a first annotation. Many have the same fields."""
    signed = [name for name in names if name not in UNSIGNED]
    return to_json({name + USER: user for name in signed} | {name + TIME: time for name in signed})


def merge(old: Annotation | None, posted: Annotation, writer: Writer) -> Annotation:
    """The new annotation; neither of the given ones is changed."""
    removed = {field for field, value in posted.items() if value is None}
    kept = {field: value for field, value in (old or {}).items() if field not in removed}
    new = {field: value for field, value in posted.items() if value is not None}
    _sign_removed(new, removed, posted, writer)
    fresh = _fresh(new, kept, first=old is None)
    if old is not None and not writer.replace:
        for field, value in kept.items():
            if field in writer.conditional and field in new:
                fresh.discard(field)
                new[field] = value
            else:
                new.setdefault(field, value)
    _sign(new, fresh, removed, writer)
    if old is not None and writer.replace:
        _keep_signs(new, kept, (field for field in posted if field not in removed), writer)
    return new


def _sign_removed(new: Annotation, removed: Iterable[str], posted: Annotation, writer: Writer) -> None:
    """A removed field leaves who did it, and when."""
    for field in removed:
        if not is_meta(field):
            signs = {USER: posted.get(field + USER, writer.user), TIME: posted.get(field + TIME, writer.time)}
            new.update({field + ending: sign for ending, sign in signs.items() if sign})


def _fresh(new: Annotation, kept: Annotation, *, first: bool) -> set[str]:
    """Fields that are new or changed. In a first annotation a user alone makes its field count as written."""
    fresh = {field for field, value in new.items() if field not in kept or is_meta(field) or differ(value, kept[field])}
    if first:
        fresh |= {field.removesuffix(USER) for field in new if field.endswith(USER)}
    return fresh


def differ(one: Any, other: Any) -> bool:
    """Whether two JSON values differ: true is not 1."""
    return one is not other and to_json(one) != to_json(other)


def _sign(new: Annotation, fresh: Iterable[str], removed: Iterable[str], writer: Writer) -> None:
    fresh = frozenset(fresh)
    for field in fresh.difference(UNSIGNED, removed):
        if not is_meta(field):
            if field + USER not in fresh:
                new[field + USER] = writer.user
            if field + TIME not in fresh:
                new[field + TIME] = writer.time


def _keep_signs(new: Annotation, kept: Annotation, fields: Iterable[str], writer: Writer) -> None:
    """An unchanged field that replaces itself keeps who wrote it, and when."""
    for field in fields:
        if field != "bodyid" and not is_meta(field):
            new.setdefault(field + USER, kept.get(field + USER, writer.user))
            new.setdefault(field + TIME, kept.get(field + TIME, writer.time))
