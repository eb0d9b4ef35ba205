"""Small posts in the event loop itself: one annotation, which no schema binds and nobody else is changing.

What a worker thread's way there and back takes is as much as such an edit; those of one turn of the loop share an fsync
(docs/decisions/025-edits-in-the-loop.md tells the same of segmentations).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from dvidpy.datatypes.exchange import DONE, Call, Reply
from dvidpy.datatypes.neuronjson.annotations import Annotations, Posted, read_posted
from dvidpy.datatypes.neuronjson.keys import typekey
from dvidpy.datatypes.neuronjson.merging import Writer
from dvidpy.datatypes.neuronjson.schemas import BY_KEY, Schema
from dvidpy.datatypes.neuronjson.tables import tables_of
from dvidpy.errors import Busy

MOST_BYTES = 1 << 12
"""Of the annotation as posted, and as it is stored."""
ACTION = "postneuronjson"


def posted(data: Annotations, call: Call, key: str, text: bytes, writer: Writer) -> Awaitable[Reply]:
    """What a post of one annotation, or of a schema under its name, answers when it is durable."""
    if len(text) <= MOST_BYTES and key not in BY_KEY and data.schema(Schema.json_schema) is None:
        return _soon(data, call, key, text, writer)
    return call.on_worker(_post, data, key, text, writer)


def _post(data: Annotations, key: str, text: bytes, writer: Writer) -> Reply:
    data.post([(key, text)], writer, ACTION)
    return DONE


async def _soon(data: Annotations, call: Call, key: str, text: bytes, writer: Writer) -> Reply:
    """Made here, while nobody else changes that body."""
    one = read_posted(key, text, None, writer)
    with tables_of(data.datastore).turn_if_free(data, one.body) as free:
        if free and _is_small(data, one.body):
            await _store_soon(data, one, writer)
            return DONE
    return await call.on_worker(_post, data, key, text, writer)


def _is_small(data: Annotations, body: int) -> bool:
    found = data.view.find(typekey(body))
    return found is None or (found.manifest is None and len(found.stored) <= MOST_BYTES)


async def _store_soon(data: Annotations, one: Posted, writer: Writer) -> None:
    change, stored = data.edit([one], writer, ACTION)
    try:
        await data.view.commit_soon(change)
    except Busy:
        data.view.forget(change)
        raise
    told = data.told(change, stored)
    tables = tables_of(data.datastore)
    if not tables.edited(data, *told, wait=False):
        # Somebody looks through the table, which may take long. No worker is asked: all may wait for this turn's end.
        await asyncio.to_thread(tables.edited, data, *told)
