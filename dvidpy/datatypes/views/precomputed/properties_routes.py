"""Segment properties of their own, to be added to any segmentation."""

from __future__ import annotations

from typing import Annotated

import orjson

from dvidpy.datatypes.base import Data, Here
from dvidpy.datatypes.exchange import JSON, Call, Reply
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Room, TheCall
from dvidpy.datatypes.views.caching import kept_reply
from dvidpy.datatypes.views.companions import Notes
from dvidpy.datatypes.views.precomputed import nothing
from dvidpy.datatypes.views.precomputed.properties import properties_info

room = Room(heads=True, routes=nothing.room.routes)
PROPERTIES = gives(
    "Bodies with labels, texts, numbers and tags",
    "application/json",
    {"@type": "neuroglancer_segment_properties", "inline": {"ids": ["23"], "properties": []}},
)


@room.get("/precomputed/info", summary="precomputed:// segment properties", responses=PROPERTIES)
def get_properties(notes: Annotated[Data, Here], call: Annotated[Call, TheCall]) -> Reply:
    """All fields of all bodies: texts, numbers where every body has one, lists of words as tags. The label of a body
    is its instance, name or type.
    """
    assert isinstance(notes, Notes)
    return properties_reply(call, notes)


def properties_reply(call: Call, notes: Notes) -> Reply:
    """The fields that an instance has of bodies."""
    assert isinstance(notes, Data)
    return kept_reply(call, [notes], lambda: orjson.dumps(properties_info(notes)), JSON, packed=True)
