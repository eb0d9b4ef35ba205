"""What every data instance answers, whatever its type: info, help, tags, sync, mutations, blobs."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from typing import Annotated, Any

import msgspec
from fastapi import Path, Query

from dvidpy.datatypes.base import Data, DataType, Here, type_named
from dvidpy.datatypes.events import pending, sources_of, until_settled
from dvidpy.datatypes.exchange import DONE, UTF8, Reply, json_reply, octets, pieces_reply, text_reply
from dvidpy.datatypes.params import Flag, Replace, Throttle, gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody, at_once, reading
from dvidpy.datatypes.settings import quoted, read_json
from dvidpy.errors import BadRequest, NotFound
from dvidpy.versioning.records import Instance

room = Room()


def room_for(kind: DataType) -> Room:
    """What instances of a type answer of these routes."""
    return Room(routes=(route for route in room.routes if route.keyword not in kind.omits)) if kind.omits else room


UserId = Annotated[str, Query(description="Only mutations of this user.")]
FORCED = "forced-write"
"""Action of the records of changes that were forced on a committed version."""
_FORCED_RECORD = f'{{"Action":"{FORCED}",'.encode()
"""How such a record begins."""
Forced = Annotated[
    bool, Query(description=f"`true`: also the `{FORCED}` records of changes to committed versions."), Flag
]


@room.get(
    "/info",
    summary="Properties of the instance",
    responses=gives("Base and Extended properties", "application/json", {"Base": {"TypeName": "keyvalue"}}),
)
@at_once
def get_info(
    data: Annotated[Data, Here],
    wait: Annotated[
        bool,
        Query(
            description="`true`: answer when the consequences of all edits of this version are there, for this instance"
            " and what it follows; 503 where that takes 20 seconds."
        ),
        Flag,
    ] = False,
) -> Reply | Awaitable[Reply]:
    """Type, name, settings, tags and syncs of the instance, and its type's own properties.

    `Pending` stands there while edits, of what it follows too, have consequences to come in this version.
    """
    return _settled_info(data) if wait else json_reply(_info(data))


async def _settled_info(data: Data) -> Reply:
    await until_settled(data)
    return json_reply(_info(data))


def _info(data: Data) -> dict[str, Any]:
    left = pending(data) if data.instance.syncs else 0
    return data.info() | ({"Pending": left} if left else {})


@room.get("/help", summary="Help of the type", responses=gives("Plain text", "text/plain", "API for keyvalue"))
def get_help(data: Annotated[Data, Here]) -> Reply:
    """The same text as /api/help/{typename}."""
    return text_reply(type_named(data.instance.type).help)


@room.get(
    "/tags", summary="Tags of the instance", responses=gives("Tags", "application/json", {"Tags": {"kind": "meshes"}})
)
@at_once
def get_tags(data: Annotated[Data, Here]) -> Reply:
    """Null where no tags were ever set."""
    return json_reply({"Tags": data.instance.tags})


@room.post(
    "/tags",
    summary="Add or replace tags",
    openapi_extra=takes("An object of text values", "application/json", {"kind": "meshes"}),
    responses=gives("Stored", "text/plain", ""),
)
def post_tags(data: Annotated[Data, Here], body: Annotated[bytes, WholeBody], replace: Replace = False) -> Reply:
    """Only text values are taken; null stands for an empty one."""
    given = read_json(body) if body.strip() else None
    given = {} if given is None else given
    if not isinstance(given, dict) or not all(isinstance(value, str | None) for value in given.values()):
        raise BadRequest("tags must be one JSON object of text values")
    given = {name: value or "" for name, value in given.items()}

    def update(instance: Instance) -> dict[str, Any]:
        return {"tags": given if replace else {**(instance.tags or {}), **given}}

    data.datastore.repos.update_instance(data.instance, update)
    return DONE


@room.post(
    "/sync",
    summary="Follow other instances",
    openapi_extra=takes("Names with commas between them", "application/json", {"sync": "segmentation"}),
    responses=gives("Stored", "text/plain", ""),
)
def post_sync(data: Annotated[Data, Here], body: Annotated[bytes, WholeBody], replace: Replace = False) -> Reply:
    """Names are added to those followed, or replace them; an empty text (or null) with `replace=true` clears them."""
    kind = type_named(data.instance.type)
    given = read_json(body)
    names = given["sync"] if isinstance(given, dict) and "sync" in given else 0
    names = "" if names is None else names
    if not isinstance(names, str):
        raise BadRequest('expected {"sync": "name,name"}')
    if names and not kind.syncs_with:
        raise BadRequest(f"instances of type {kind.name} follow no others")
    followed = [data.sibling(name) for name in names.split(",")] if names else []
    for other in followed:
        _demand_sensible(data, kind, other)
    uuids = tuple(other.uuid for other in followed)

    def update(instance: Instance) -> dict[str, Any]:
        return {"syncs": uuids if replace else tuple(dict.fromkeys((*instance.syncs, *uuids)))}

    if names or replace:
        data.datastore.repos.update_instance(data.instance, update, _told)
        kind.synced(data)
    return DONE


def _told(instance: Instance) -> str:
    """What the log of the repo says of a sync, in the reference's words."""
    listed = " ".join(f"{uuid}:{{}}" for uuid in sorted(instance.syncs))
    return f"Data instance {quoted(instance.name)} set to sync with map[{listed}]"


def _demand_sensible(data: Data, kind: DataType, other: Instance) -> None:
    """BadRequest where an instance cannot follow another one."""
    own, names = data.instance, f"{data.instance.name!r} cannot follow {other.name!r}"
    if other.type not in kind.syncs_with or other.uuid == own.uuid:
        raise BadRequest(f"{names} of type {other.type}")
    if other.versioned != own.versioned:
        raise BadRequest(f"{names}: only one of them is versioned")
    pair = own.type in type_named(other.type).syncs_with  # types that are made to follow each other
    followers = (one for one in sources_of(data, other) if not (pair and one.uuid in (own.uuid, other.uuid)))
    if any(own.uuid in one.syncs for one in followers):
        raise BadRequest(f"{names}, which follows it already")


# ---------------------------------------------------------------------- mutations
@room.get(
    "/mutations",
    summary="Edits of this version",
    responses=gives(
        "Records, oldest first: a JSON list", UTF8.decode(), [{"Action": "postkv", "Key": "a", "Bytes": 3}]
    ),
)
def get_mutations(
    data: Annotated[Data, Here], userid: UserId = "", forced: Forced = False, throttle: Throttle = ""
) -> Reply:
    """Every edit leaves a record in its version."""
    return pieces_reply(_as_list(_messages(data, [data.version_uuid], userid, forced=forced)), UTF8)


@room.get(
    "/mutations-range/{first}/{last}",
    summary="Edits of several versions",
    responses=gives("Records, newest version first: a JSON list", UTF8.decode(), [{"Action": "postkv", "Key": "a"}]),
)
def get_mutations_range(
    data: Annotated[Data, Here],
    first: Annotated[str, Path(description="The older version.", examples=["3f01a"])],
    last: Annotated[str, Path(description="The newer version, its descendant.", examples=["8c2be"])],
    userid: UserId = "",
    forced: Forced = False,
    throttle: Throttle = "",
) -> Reply:
    """Records of all versions from one to the other, both included."""
    catalogue = data.datastore.catalogue
    nodes = catalogue.sequence(catalogue.find(first).node, catalogue.find(last).node)
    versions = [node.uuid for node in reversed(nodes)]
    return pieces_reply(_as_list(_messages(data, versions, userid, forced=forced)), UTF8)


class _ByUser(msgspec.Struct):
    User: str = ""


def _messages(data: Data, versions: Iterable[str], user: str, *, forced: bool) -> Iterator[bytes]:
    """Forced writes are left out unless asked for: neuclease reads no log with an action that the reference lacks."""
    log = data.datastore.stack_of(data.instance).log
    decode = msgspec.json.Decoder(_ByUser).decode
    for version in versions:
        for message in log.read(data.instance.uuid, version):
            if (forced or not message.startswith(_FORCED_RECORD)) and (not user or decode(message).User == user):
                yield message


def _as_list(messages: Iterator[bytes]) -> Iterator[bytes]:
    """JSON list of messages, in pieces of some 64 KiB."""
    piece, separator = bytearray(b"["), b""
    for message in messages:
        piece += separator + message
        separator = b","
        if len(piece) > 1 << 16:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece) + b"]"


# ---------------------------------------------------------------------- blobs
@room.get(
    "/blobstore/{reference}",
    summary="A blob",
    responses=gives("The bytes that were posted", "application/octet-stream"),
)
def get_blob(
    data: Annotated[Data, Here],
    reference: Annotated[str, Path(description="As given by POST.", examples=["8UtYSGSD2U9wgDh5jClpfw=="])],
) -> Reply:
    """404 where nothing has that reference."""
    blob = data.datastore.blobs(data.instance).get(reference)
    if blob is None:
        raise NotFound(f"Reference {reference!r} not found")
    return octets(blob)


@room.post(
    "/blobstore",
    summary="Keep a blob",
    openapi_extra=takes("Any bytes", "application/octet-stream"),
    responses=gives("Its reference", "application/json", {"reference": "8UtYSGSD2U9wgDh5jClpfw=="}),
)
@reading
def post_blob(data: Annotated[Data, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """Blobs belong to no version: locked ones allow it. The reference is made from the content (FNV-128)."""
    return json_reply({"reference": data.datastore.blobs(data.instance).put(body)})
