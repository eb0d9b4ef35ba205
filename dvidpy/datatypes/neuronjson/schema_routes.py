"""Routes of the three schemas."""

from __future__ import annotations

from typing import Annotated

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, JSON, Reply
from dvidpy.datatypes.neuronjson.annotations import Annotations
from dvidpy.datatypes.neuronjson.schemas import Schema
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody
from dvidpy.errors import NotFound

room = Room()

EXAMPLE = {"properties": {"type": {"type": "string"}}}
SAID = {
    Schema.json_schema: "What annotations must fit",
    Schema.schema: "A document of clients",
    Schema.schema_batch: "Another document of clients",
}


def _get(data: Annotations, which: Schema) -> Reply:
    text = data.schema(which)
    if text is None:
        raise NotFound(f"there is no {which.name}")
    return Reply(text, JSON)


def _serve(which: Schema) -> None:
    """Routes of one of them."""
    path, said = f"/{which.name}", SAID[which]

    @room.get(path, summary=said, responses=gives("As it was posted", "application/json", EXAMPLE))
    def get_schema(data: Annotated[Annotations, Here]) -> Reply:
        """404 where there is none; a version sees that of its nearest ancestor."""
        return _get(data, which)

    @room.post(
        path,
        summary=f"{said}: write",
        openapi_extra=takes("A JSON document", "application/json", EXAMPLE),
        responses=gives("Stored", "text/plain", ""),
    )
    def post_schema(data: Annotated[Annotations, Here], body: Annotated[bytes, WholeBody]) -> Reply:
        """A json_schema must be one; annotations that are posted from then on must fit it."""
        data.put_schema(which, body)
        return DONE

    @room.delete(path, summary=f"{said}: delete", responses=gives("Deleted", "text/plain", ""))
    def delete_schema(data: Annotated[Annotations, Here]) -> Reply:
        """In this version only; no error where there is none."""
        data.delete_schema(which)
        return DONE


for _schema in Schema:
    _serve(_schema)
