"""Routes that look for annotations, and for what fields they have."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import Annotated

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import JSON, Call, Reply, json_reply, pieces_reply
from dvidpy.datatypes.neuronjson.annotations import Annotations
from dvidpy.datatypes.neuronjson.conditions import bodies_alone, parse
from dvidpy.datatypes.neuronjson.options import ANNOTATION, Fields, Show
from dvidpy.datatypes.neuronjson.records import Shown, as_list, plain_list, shown
from dvidpy.datatypes.params import Flag, gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, at_once, reading
from dvidpy.errors import BadRequest
from dvidpy.storage import codecs

room = Room()

SHORT, QUICK = 1 << 10, 1 << 16
"""Bytes of a query, and of the packed annotations it finds, that are dealt with in the event loop."""

OnlyId = Annotated[bool, Query(description="`true`: only body ids."), Flag]
Counts = Annotated[bool, Query(description="`true`: an object with how many annotations have each field."), Flag]
ASKS = takes(
    "A JSON object: field -> what it must be, all of them; or a list of such objects, of which one must hold",
    "application/json",
    {"type": "re/^KC", "side": ["L", "R"], "status": "exists/1"},
)
FOUND = gives("Annotations, by body id", "application/json", [ANNOTATION])


@room.get("/query", summary="Annotations that meet conditions", openapi_extra=ASKS, responses=FOUND)
@at_once
def get_query(
    data: Annotated[Annotations, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    onlyid: OnlyId = False,
    show: Show = "",
    fields: Fields = "",
) -> Reply | Awaitable[Reply]:
    """A value is met by one that equals it, type included, or by a list with such a member; a list of values by any.

    Text behind `re/` is a regular expression (RE2) that may match anywhere; `exists/1` and `exists/0` ask whether the
    field is there. Bodies asked for by `bodyid` alone come in the order asked.
    """
    return _answer(data, call, body, onlyid, shown(show, fields))


def _answer(data: Annotations, call: Call, body: bytes, onlyid: bool, asked: Shown) -> Reply | Awaitable[Reply]:
    return _soon(data, body, onlyid, asked) or call.pool.run(_found, data, body, onlyid, asked)


def _soon(data: Annotations, body: bytes, onlyid: bool, asked: Shown) -> Reply | None:
    """The answer where it is short and quickly found; else None."""
    if onlyid or asked != Shown() or len(body) > SHORT:
        return None
    queries = parse(body)
    found = None if bodies_alone(queries) is not None else data.matching_soon(queries)
    if found is None or sum(map(len, found.packed)) > QUICK:
        return None
    return pieces_reply(plain_list(data.matches(found)), JSON)


def _found(data: Annotations, body: bytes, onlyid: bool, asked: Shown) -> Reply:
    queries = parse(body)
    bodies = bodies_alone(queries)
    if bodies is not None:
        return pieces_reply(as_list(_by_id(data, bodies, asked)), JSON)
    if onlyid:
        return json_reply(data.in_order(data.table().bodies_of(queries)))
    found = data.matches(data.table().select(queries))
    if asked == Shown():
        return pieces_reply(plain_list(found), JSON)
    return pieces_reply(as_list(asked.of(codecs.decode(one)) for one in found), JSON)


def _by_id(data: Annotations, bodies: list[int], asked: Shown) -> Iterator[bytes]:
    found = data.frozen().many(bodies)
    return (asked.of(stored) for _, stored in found if stored is not None)


@room.post("/query", summary="The same", openapi_extra=ASKS, responses=FOUND)
@reading
@at_once
def post_query(
    data: Annotated[Annotations, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    onlyid: OnlyId = False,
    show: Show = "",
    fields: Fields = "",
) -> Reply | Awaitable[Reply]:
    """For clients that send no body with GET. Locked versions allow it."""
    return _answer(data, call, body, onlyid, shown(show, fields))


@room.get("/fields", summary="Names of all fields", responses=gives("In order", "application/json", ["bodyid", "type"]))
def get_fields(data: Annotated[Annotations, Here], counts: Counts = False) -> Reply:
    """Those with who and when among them."""
    found = dict(sorted(data.table().counts().items()))
    return json_reply(found if counts else list(found))


@room.get(
    "/fieldtimes",
    summary="When each field was last written",
    responses=gives("Field -> time", "application/json", {"type": "2026-01-02T03:04:05Z"}),
)
def get_fieldtimes(data: Annotated[Annotations, Here]) -> Reply:
    """Of the newest version of master; 400 elsewhere, as in the reference."""
    if not data.newest:
        raise BadRequest("fieldtimes are known of the newest version of master alone")
    return json_reply(dict(sorted(data.table().times().items())))
