"""Routes of many annotations."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from typing import Annotated, Any

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, JSON, Call, Piece, Reply, gather, pieces_reply
from dvidpy.datatypes.keyvalues.forms import QUICK_BODY, Form, Item, answer, choose_form, pieces_soon
from dvidpy.datatypes.keyvalues.forms import TAR as TAR_TYPE
from dvidpy.datatypes.keyvalues.messages import parse_keys, parse_keyvalues
from dvidpy.datatypes.neuronjson.annotations import Annotations
from dvidpy.datatypes.neuronjson.keys import LARGEST, parse_bodies, parse_body, parse_end
from dvidpy.datatypes.neuronjson.options import (
    ANNOTATION,
    Conditional,
    Conditionals,
    Fields,
    First,
    Last,
    Show,
    User,
    takes_gzip,
    writer,
)
from dvidpy.datatypes.neuronjson.records import Shown, as_list, more_than_ids, plain_part, shown
from dvidpy.datatypes.neuronjson.schemas import BY_KEY
from dvidpy.datatypes.params import Flag, Replace, gives, gives_any, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, at_once
from dvidpy.datatypes.settings import read_json
from dvidpy.errors import BadRequest

room = Room()

Json = Annotated[bool, Query(description="`true`: one JSON object."), Flag]
Tar = Annotated[bool, Query(description="`true`: a tar file with one member a body."), Flag]
JsonTar = Annotated[bool, Query(description="The same as tar."), Flag]
Check = Annotated[bool, Query(description="Changes nothing: annotations are always JSON."), Flag]
VALUES = gives_any(
    "KeyValues message, JSON object or tar file", "application/octet-stream", "application/json", "application/tar"
)


@room.get("/all", summary="All annotations", responses=gives("In any order", "application/json", [ANNOTATION]))
def get_all(
    data: Annotated[Annotations, Here], call: Annotated[Call, TheCall], show: Show = "", fields: Fields = ""
) -> Reply:
    """Without those that would show a body id alone, unless `fields=bodyid`. In gzip to clients that take it."""
    asked = shown(show, fields)
    pieces = (data.whole() if asked == Shown() else None) or as_list(_each(data, asked))
    if takes_gzip(call):
        reply = pieces_reply(_gzipped(gather(pieces)), JSON)
        reply.headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        return reply
    return pieces_reply(pieces, JSON)


def _each(data: Annotations, asked: Shown) -> Iterator[bytes]:
    if asked.fields == ("bodyid",):
        return (b'{"bodyid":%d}' % body for body in data.bodies(0, LARGEST))
    return more_than_ids(data.picked(asked) or (asked.of(stored) for _, stored in data.everything()))


def _gzipped(pieces: Iterable[Piece]) -> Iterator[bytes]:
    from isal import isal_zlib

    packer: Any = isal_zlib.compressobj(1, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


@room.get("/keyrangevalues/{first}/{last}", summary="Annotations of a range", responses=VALUES)
def get_keyrangevalues(
    data: Annotated[Annotations, Here],
    first: First,
    last: Last,
    show: Show = "",
    fields: Fields = "",
    json: Json = False,
    tar: Tar = False,
    jsontar: JsonTar = False,
    check: Check = False,
) -> Reply:
    """A KeyValues message where no other form is asked for."""
    form = choose_form(json=json, tar=tar or jsontar, check=False)
    asked = shown(show, fields)
    items = data.items(parse_end(first), parse_end(last))
    return answer(form, (Item(str(body), asked.of(stored)) for body, stored in items))


@room.get(
    "/keyvalues",
    summary="Annotations of many bodies",
    openapi_extra=takes(
        "A Keys message; with json a JSON list of ids or texts, with tar of texts", "application/json", [1000, 2000]
    ),
    responses=VALUES,
)
@at_once
def get_keyvalues(
    data: Annotated[Annotations, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    show: Show = "",
    fields: Fields = "",
    json: Json = False,
    tar: Tar = False,
    jsontar: JsonTar = False,
    check: Check = False,
) -> Reply | Awaitable[Reply]:
    """In the order asked. JSON leaves out bodies without an annotation; the other forms have them empty."""
    form = choose_form(json=json, tar=tar or jsontar, check=False)
    asked = shown(show, fields)
    if len(body) > QUICK_BODY:
        return call.on_worker(lambda: pieces_reply(_pieces(data, form, body, asked), form.media_type))
    return pieces_soon(_pieces(data, form, body, asked), form.media_type, call.pool)


def _pieces(data: Annotations, form: Form, body: bytes, asked: Shown) -> Iterator[Piece]:
    """What is there, all from one moment; BadRequest for what cannot be asked, before anything is sent."""
    keys = _wanted(form, body)
    bodies = parse_bodies(keys)
    if bodies is not None and form.json and asked == Shown():
        return data.objects(keys, bodies)
    bodies = [0 if key in BY_KEY else parse_body(key) for key in keys]  # 0 has no annotation
    found = _looked_up(data.frozen(), keys, bodies, asked)
    return _as_object(found) if form.json else form.write(Item(key, text) for key, text in found)


def _looked_up(
    data: Annotations, keys: list[str], bodies: list[int], asked: Shown
) -> Iterator[tuple[str, bytes | None]]:
    show = plain_part if asked == Shown() else asked.of
    for key, (_, stored) in zip(keys, data.many(bodies), strict=True):
        yield key, data.schema(BY_KEY[key]) if key in BY_KEY else None if stored is None else show(stored)


def _as_object(found: Iterable[tuple[str, bytes | None]]) -> Iterator[bytes]:
    """JSON of those that are there. Keys are digits, or names of schemas: nothing in them needs a backslash."""
    front = b"{"
    for key, text in found:
        if text is not None:
            yield b'%b"%b":%b' % (front, key.encode(), text or b"{}")
            front = b","
    yield b"{}" if front == b"{" else b"}"


def _wanted(form: Form, body: bytes) -> list[str]:
    if not form.json and form.media_type != TAR_TYPE:
        return [key for key, _ in parse_keys(body)]
    given = read_json(body)
    if given is None:  # as Go writes an empty list
        return []
    if isinstance(given, list):
        if all(isinstance(one, str) for one in given):
            return given
        if form.json and all(type(one) is int for one in given):  # true is an int too
            return list(map(str, given))
    raise BadRequest("expected a JSON list of body ids, as numbers or as texts; for tar as texts")


@room.post(
    "/keyvalues",
    summary="Write many annotations",
    openapi_extra=takes("A KeyValues message", "application/octet-stream"),
    responses=gives("All stored", "text/plain", ""),
)
def post_keyvalues(
    data: Annotated[Annotations, Here],
    body: Annotated[bytes, WholeBody],
    u: User = "",
    replace: Replace = False,
    conditional: Conditional = "",
    conditionals: Conditionals = "",
) -> Reply:
    """Each as POST key does, in one edit. The first that cannot be taken ends it: those before it are stored."""
    data.post(parse_keyvalues(body), writer(u, conditional, conditionals, replace=replace), "ingestneuronjson")
    return DONE
