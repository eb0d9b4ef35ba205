"""Routes of single annotations and of lists of bodies."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, JSON, Call, Reply, is_there, json_bytes, json_reply
from dvidpy.datatypes.neuronjson.annotations import Annotations
from dvidpy.datatypes.neuronjson.haste import posted
from dvidpy.datatypes.neuronjson.keys import LARGEST, parse_body, parse_end, typekey
from dvidpy.datatypes.neuronjson.options import (
    ANNOTATION,
    Conditional,
    Conditionals,
    Fields,
    First,
    Key,
    Last,
    Show,
    User,
    writer,
)
from dvidpy.datatypes.neuronjson.records import shown
from dvidpy.datatypes.neuronjson.schemas import BY_KEY
from dvidpy.datatypes.params import Replace, gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, at_once
from dvidpy.errors import NotFound

room = Room()

KEYS = gives("Body ids as texts", "application/json", ["1000", "2000"])
AT_ONCE = 1 << 16
"""Stored bytes of an annotation that is shown in the event loop; more go to a worker thread."""


@room.get("/key/{key}", summary="Annotation of a body", responses=gives("Its fields", "application/json", ANNOTATION))
@at_once
def get_key(
    data: Annotated[Annotations, Here], call: Annotated[Call, TheCall], key: Key, show: Show = "", fields: Fields = ""
) -> Reply | Awaitable[Reply]:
    """404 where the body has none. `schema` and `schema_batch` give those documents."""
    if key in BY_KEY:
        return call.pool.run(_schema, data, key)
    found = data.view.find(typekey(parse_body(key)))
    if found is None:
        raise NotFound(f"Key {key!r} not found")
    if found.manifest is None and len(found.stored) <= AT_ONCE:
        return json_bytes(shown(show, fields).of(found.read()))
    return call.pool.run(lambda: json_bytes(shown(show, fields).of(data.find(parse_body(key)) or b"")))


def _schema(data: Annotations, key: str) -> Reply:
    text = data.schema(BY_KEY[key])
    if text is None:
        raise NotFound(f"Key {key!r} not found")
    return Reply(text, JSON)


@room.head("/key/{key}", summary="Whether a body has an annotation", responses={200: {"description": "It has"}})
@at_once
def head_key(data: Annotated[Annotations, Here], key: Key) -> Reply:
    """200 or 404. 400 for `schema` and `schema_batch`, which have a HEAD of their own."""
    if not data.view.exists(typekey(parse_body(key))):
        raise NotFound(f"Key {key!r} not found")
    return is_there()


@room.post(
    "/key/{key}",
    summary="Write an annotation",
    openapi_extra=takes("A JSON object with the body's id in `bodyid`", "application/json", ANNOTATION),
    responses=gives("Stored", "text/plain", ""),
)
@at_once
def post_key(
    data: Annotated[Annotations, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    key: Key,
    u: User = "",
    replace: Replace = False,
    conditional: Conditional = "",
    conditionals: Conditionals = "",
) -> Awaitable[Reply]:
    """The fields are put into what the body has; null removes one. Each new or changed field gets a user and a time."""
    return posted(data, call, key, body, writer(u, conditional, conditionals, replace=replace))


@room.delete("/key/{key}", summary="Delete an annotation", responses=gives("Deleted", "text/plain", ""))
def delete_key(data: Annotated[Annotations, Here], key: Key) -> Reply:
    """In this version only; no error where the body has none."""
    if key in BY_KEY:
        data.delete_schema(BY_KEY[key])
    else:
        data.delete(parse_body(key))
    return DONE


@room.get("/keys", summary="All bodies", responses=KEYS)
def get_keys(data: Annotated[Annotations, Here]) -> Reply:
    """By number in the newest version of master, elsewhere by their digits."""
    return json_reply(list(map(str, data.bodies(0, LARGEST))))


@room.get("/keyrange/{first}/{last}", summary="Bodies of a range", responses=KEYS)
def get_keyrange(data: Annotated[Annotations, Here], first: First, last: Last) -> Reply:
    """Both ends belong to it; they are compared as numbers in every version."""
    return json_reply(list(map(str, data.bodies(parse_end(first), parse_end(last)))))


@room.post("/info", summary="Nothing can be changed", responses=gives("As GET", "application/json", {}))
def post_info(data: Annotated[Annotations, Here]) -> Reply:
    """Answers as GET does: a neuronjson instance has no settings that could change."""
    return json_reply(data.info())
