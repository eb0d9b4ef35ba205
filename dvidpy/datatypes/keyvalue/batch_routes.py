"""Routes of many keys with their values."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import Annotated

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Call, Reply, json_bytes
from dvidpy.datatypes.keyvalue.batches import Wanted, demand_possible, look_up, quick_object, wanted, whole
from dvidpy.datatypes.keyvalue.routes import First, Last
from dvidpy.datatypes.keyvalue.values import KeyValue
from dvidpy.datatypes.keyvalues.forms import QUICK_BODY, Form, Item, answer, answer_soon, choose_form, is_json
from dvidpy.datatypes.keyvalues.keys import typekey
from dvidpy.datatypes.keyvalues.messages import parse_keyvalues
from dvidpy.datatypes.params import Flag, gives, gives_any, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, at_once
from dvidpy.errors import BadRequest, DvidError

room = Room()

Json = Annotated[bool, Query(description="`true`: one JSON object; values are put into it as they are."), Flag]
Tar = Annotated[bool, Query(description="`true`: a tar file with one member a key."), Flag]
JsonTar = Annotated[bool, Query(description="The same as tar."), Flag]
Check = Annotated[bool, Query(description="`true`, together with json: values must be JSON."), Flag]
VALUES = gives_any(
    "KeyValues message, JSON object or tar file", "application/octet-stream", "application/json", "application/tar"
)


@room.get("/keyrangevalues/{first}/{last}", summary="Values of a range of keys", responses=VALUES)
def get_keyrangevalues(
    kv: Annotated[KeyValue, Here],
    first: First,
    last: Last,
    json: Json = False,
    tar: Tar = False,
    jsontar: JsonTar = False,
    check: Check = False,
) -> Reply:
    """A KeyValues message where no other form is asked for. Keys with an empty value are left out."""
    form = choose_form(json=json, tar=tar or jsontar, check=False)
    if check and form.json:
        kv = kv.frozen()  # what is checked is what is sent
        _demand_json(kv, first, last)
    items = (item for item in (whole(key, found) for key, found in kv.items(first, last)) if item.size)
    return answer(form, items)


def _demand_json(kv: KeyValue, first: str, last: str) -> None:
    for key, found in kv.items(first, last):
        if found.plain_size() and not is_json(found.read()):
            raise BadRequest(f"the value of key {key!r} is not JSON")


@room.get(
    "/keyvalues",
    summary="Values of many keys",
    openapi_extra=takes(
        "A Keys message; with json or tar a JSON list of keys, or of objects with key, byte_start and byte_end",
        "application/json",
        ["10_swc", "11_swc"],
    ),
    responses=VALUES,
)
@at_once
def get_keyvalues(
    kv: Annotated[KeyValue, Here],
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    json: Json = False,
    tar: Tar = False,
    jsontar: JsonTar = False,
    check: Check = False,
) -> Reply | Awaitable[Reply]:
    """In the order asked; a key without a value comes empty, in JSON as {}."""
    form = choose_form(json=json, tar=tar or jsontar, check=check)
    plain = quick_object(kv, body) if form.json and not check and len(body) <= QUICK_BODY else None
    if plain is not None:
        return json_bytes(plain)
    if len(body) > QUICK_BODY:
        return call.on_worker(lambda: answer(form, _items(kv, form, wanted(form, body))))
    asked = wanted(form, body)
    if any(span for _, span in asked):
        return call.on_worker(lambda: answer(form, _items(kv, form, asked)))
    return answer_soon(form, _items(kv, form, asked), call.pool)


def _items(kv: KeyValue, form: Form, asked: Wanted) -> Iterator[Item]:
    """What is there, all from one moment; BadRequest for what cannot be asked, before anything is sent."""
    frozen = kv.frozen()
    demand_possible(frozen, asked, json=form.json)
    return look_up(frozen, asked)


@room.post(
    "/keyvalues",
    summary="Write many values",
    openapi_extra=takes("A KeyValues message", "application/octet-stream"),
    responses=gives("All stored", "text/plain", ""),
)
def post_keyvalues(kv: Annotated[KeyValue, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """All or nothing. Of a key that is sent twice the last value stays."""
    pairs = parse_keyvalues(body)
    places = [typekey(key) for key, _ in pairs]
    change = kv.change(*kv.posted(*((key, len(value)) for key, value in pairs)))
    for place, (_, value) in zip(places, pairs, strict=True):
        kv.view.put(change, place, value)
    try:
        kv.view.commit(change)
    except DvidError:
        kv.view.forget(change)
        raise
    return DONE
