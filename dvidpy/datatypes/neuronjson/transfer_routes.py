"""Routes that take in, or give out, many annotations at once: commands of its program in the reference."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import JSON, Reply, json_reply, pieces_reply
from dvidpy.datatypes.neuronjson.annotations import Annotations
from dvidpy.datatypes.neuronjson.options import ANNOTATION, Conditional, Conditionals, User, writer
from dvidpy.datatypes.neuronjson.records import as_list
from dvidpy.datatypes.neuronjson.transfers import changes, import_keyvalue, ingest
from dvidpy.datatypes.params import Replace, gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody

room = Room()

Source = Annotated[str, Path(description="A keyvalue instance of the same repo.", examples=["old_annotations"])]


@room.post(
    "/import-kv/{name}",
    summary="Take over a keyvalue instance",
    responses=gives("How many", "application/json", {"imported": 2, "schemas": 1, "skipped": 0}),
)
def post_import_kv(data: Annotated[Annotations, Here], name: Source) -> Reply:
    """What it has in this version, as it stands there, in edits of a thousand. Addition to the reference's API."""
    return json_reply(import_keyvalue(data, name))


@room.post(
    "/ingest-neuronjson",
    summary="Write a list of annotations",
    openapi_extra=takes("A JSON list of objects with `bodyid`", "application/json", [ANNOTATION]),
    responses=gives("How many", "application/json", {"ingested": 1}),
)
def post_ingest(
    data: Annotated[Annotations, Here],
    body: Annotated[bytes, WholeBody],
    u: User = "",
    replace: Replace = False,
    conditional: Conditional = "",
    conditionals: Conditionals = "",
) -> Reply:
    """Each as POST key does, in edits of a thousand; nothing where one cannot be taken. Addition to the API."""
    return json_reply(ingest(data, body, writer(u, conditional, conditionals, replace=replace)))


@room.get(
    "/version-changes",
    summary="What this version changed",
    responses=gives("By body id", "application/json", [ANNOTATION, {"bodyid": 2000, "tombstone": True}]),
)
def get_version_changes(data: Annotated[Annotations, Here]) -> Reply:
    """Annotations that it stored, with all fields, and `tombstone` for deleted ones. Addition to the API."""
    return pieces_reply(as_list(changes(data)), JSON)
