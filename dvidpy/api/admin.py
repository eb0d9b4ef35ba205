"""Routes that the reference has over RPC alone: deletion, renaming, the end of the server.

They are additions of ours. To callers that may not use the admin routes they are 404, as any unknown route.
"""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import Path, Query

from dvidpy.api.bodies import Rename, read
from dvidpy.api.repos import AtRepo, Subject, Uuid
from dvidpy.api.state import Server
from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import Call, Reply, json_reply, text_reply
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, admins_only
from dvidpy.errors import BadRequest
from dvidpy.versioning.catalogue import find_instance

room = Room(tags=["administration"])

Name = Annotated[str, Path(description="Name of the data instance.", examples=["notes"])]
Sure = Annotated[str, Query(description="`true`, or nothing is deleted.")]
Passcode = Annotated[str, Query(description="The passcode of the repo, where it was made with one.")]


def _demand_sure(imsure: str) -> None:
    if imsure.lower() not in ("true", "on", "1"):
        raise BadRequest("a deletion cannot be undone: it needs imsure=true")


@room.delete(
    "/api/repo/{uuid}",
    summary="Delete a repo",
    responses=gives("What was deleted", "application/json", {"deleted": "3f01a3ab6b0d4ad38b8f8c5f0a9a1c55"}),
)
@admins_only
def delete_repo(at: Subject, uuid: Uuid, imsure: Sure = "", passcode: Passcode = "") -> Reply:
    """With all versions and instances. They are gone at once; their storage is freed in the background. Not in DVID."""
    _demand_sure(imsure)
    at.server.datastore.repos.demand_passcode(at.repo, passcode)
    at.server.datastore.delete_repo(at.repo)
    return _told(at, "deleted", at.repo.record.root)


@room.delete(
    "/api/repo/{uuid}/{name}",
    summary="Delete a data instance",
    responses=gives("What was deleted", "application/json", {"deleted": "notes"}),
)
@admins_only
def delete_instance(at: Subject, uuid: Uuid, name: Name, imsure: Sure = "", passcode: Passcode = "") -> Reply:
    """In all versions. It is gone at once; its storage is freed in the background. Others follow it no more. Not in
    DVID.
    """
    _demand_sure(imsure)
    instance = find_instance(at.repo, name)
    at.server.datastore.repos.demand_passcode(at.repo, passcode)
    at.server.datastore.delete_instance(instance)
    return _told(at, "deleted", name)


@room.post(
    "/api/repo/{uuid}/{name}/rename",
    summary="Rename a data instance",
    openapi_extra=takes("The new name", "application/json", {"name": "annotations"}),
    responses=gives("The new name", "application/json", {"renamed": "annotations"}),
)
@admins_only
def rename_instance(
    at: Subject, uuid: Uuid, name: Name, body: Annotated[bytes, WholeBody], passcode: Passcode = ""
) -> Reply:
    """In all versions. Its data and their uuid stay, and so do those that follow it. Not in DVID."""
    wanted = read(body, Rename).name
    instance = find_instance(at.repo, name)
    at.server.datastore.repos.demand_passcode(at.repo, passcode)
    at.server.datastore.repos.rename_instance(instance, wanted)
    return _told(at, "renamed", wanted)


def _told(at: AtRepo, what: str, name: str) -> Reply:
    structlog.get_logger().warning(what, what=name, repo=at.repo.record.root)
    return json_reply({what: name})


@room.post(
    "/api/server/shutdown",
    summary="End the server",
    responses=gives("It ends", "text/plain", "The server is ending.\n")
    | {404: {"description": "Without admin rights"}},
)
async def post_shutdown(server: Annotated[Server, Here], call: Annotated[Call, TheCall]) -> Reply:
    """As SIGTERM does: what is under way is answered, what is being written is finished. Not in DVID."""
    server.demand_admin(call)
    server.stop()
    return text_reply("The server is ending.\n")
