"""Routes of single keys and of lists of keys."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Call, Reply, is_there, json_reply
from dvidpy.datatypes.keyvalue.values import KeyValue
from dvidpy.datatypes.keyvalues.messages import Span
from dvidpy.datatypes.keyvalues.spans import demand_within, header_span, query_span
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, at_once, streaming
from dvidpy.errors import BadRequest, NotFound
from dvidpy.versioning.found import Found

room = Room()

Key = Annotated[str, Path(description="Any text without a slash.", examples=["10_swc"])]
First = Annotated[str, Path(description="Smallest key, by bytes.", examples=["a"])]
Last = Annotated[str, Path(description="Largest key, itself included.", examples=["b"])]

AT_ONCE = 1 << 16
"""Stored bytes that are unpacked in the event loop; more go to a worker thread."""
RANGES = (b"accept-ranges", b"bytes")
KEYS = gives("Keys in byte order", "application/json", ["10_swc", "11_swc"])


@room.get(
    "/key/{key}", summary="Value of a key", responses=gives("The bytes that were posted", "application/octet-stream")
)
@at_once
def get_key(
    kv: Annotated[KeyValue, Here],
    call: Annotated[Call, TheCall],
    key: Key,
    byte_start: Annotated[str | None, Query(description="First byte, from 0; needs byte_end.", examples=["0"])] = None,
    byte_end: Annotated[str | None, Query(description="Last byte, itself included.", examples=["99"])] = None,
) -> Reply | Awaitable[Reply]:
    """404 where the key has no value, or an empty one. A single range in the Range header gives 206."""
    found = kv.find(key)
    if found is not None and found.manifest is None and len(found.stored) <= AT_ONCE:
        value = found.read()
        if value and not call.query_string and b"range" not in call.headers:
            return Reply(value, OCTETS, headers=(RANGES,))
    return _slowly(kv, call, key, byte_start, byte_end)


async def _slowly(kv: KeyValue, call: Call, key: str, byte_start: str | None, byte_end: str | None) -> Reply:
    """Ranges and large values."""
    found = kv.need(key)
    if found.manifest is not None:
        found = kv.frozen().need(key)  # its parts must stay while they are sent
    size = found.plain_size()
    span = query_span(byte_start, byte_end)
    header = call.headers.get(b"range", b"").decode("latin-1")
    if header and span:
        raise BadRequest("cannot combine the Range header with byte_start and byte_end")
    if span:
        return await _part(found, call, demand_within(key, span, size))
    span = header_span(header, size) if header else None
    if span is None:
        return await _part(found, call, Span(0, size - 1))
    reply = await _part(found, call, span)
    reply.status = 206
    reply.headers.append((b"content-range", b"bytes %d-%d/%d" % (*span, size)))
    return reply


async def _part(found: Found, call: Call, span: Span) -> Reply:
    """Bytes of a value: of one stored in parts, only those it needs."""
    if found.manifest is None:
        body = (await call.pool.run(found.read))[span.start : span.end + 1]
        return Reply(body, OCTETS, headers=(RANGES,))
    pieces = found.pieces(span.start, span.end + 1)
    return Reply(pieces, OCTETS, headers=(RANGES,), length=span.end + 1 - span.start)


@room.head("/key/{key}", summary="Whether a key has a value", responses={200: {"description": "It has"}})
@at_once
def head_key(kv: Annotated[KeyValue, Here], key: Key) -> Reply:
    """200 or 404; an empty value counts."""
    if not kv.exists(key):
        raise NotFound(f"Key {key!r} not found")
    return is_there(RANGES)


@room.post(
    "/key/{key}",
    summary="Write a value",
    openapi_extra=takes("Any bytes; large ones stream through", "application/octet-stream"),
    responses=gives("Stored", "text/plain", ""),
)
@streaming
async def post_key(kv: Annotated[KeyValue, Here], call: Annotated[Call, TheCall], key: Key) -> Reply:
    """Replaces what the key had in this version."""
    await kv.put(key, call)
    return DONE


@room.delete("/key/{key}", summary="Delete a key", responses=gives("Deleted", "text/plain", ""))
async def delete_key(kv: Annotated[KeyValue, Here], key: Key) -> Reply:
    """In this version only; no error where the key is not there."""
    await kv.delete(key)
    return DONE


@room.get("/keys", summary="All keys", responses=KEYS)
def get_keys(kv: Annotated[KeyValue, Here]) -> Reply:
    """As a JSON list; no value is read."""
    return json_reply(kv.all_keys())


@room.get("/keyrange/{first}/{last}", summary="Keys of a range", responses=KEYS)
def get_keyrange(kv: Annotated[KeyValue, Here], first: First, last: Last) -> Reply:
    """Both ends belong to it."""
    return json_reply(kv.keys(first, last))


@room.post("/info", summary="Nothing can be changed", responses=gives("As GET", "application/json", {}))
def post_info(kv: Annotated[KeyValue, Here]) -> Reply:
    """Answers as GET does: a keyvalue instance has no settings that could change."""
    return json_reply(kv.info())
