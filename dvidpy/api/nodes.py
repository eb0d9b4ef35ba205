"""Routes of one version: note, log, commit, children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path

from dvidpy.api.bodies import Commit, Growth, Log, Note, read
from dvidpy.api.forced import forced_line
from dvidpy.api.state import Server
from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Call, Reply, json_reply
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Endpoint, Room, WholeBody, at_once
from dvidpy.errors import LockedVersion
from dvidpy.versioning.records import Node, Repo
from dvidpy.versioning.repos import Repos
from dvidpy.versioning.uuids import check_uuid

room = Room(tags=["versions"])

Uuid = Annotated[str, Path(description="A version: uuid, its beginning, or uuid:branch~N.", examples=["3f01a:master"])]
Body = Annotated[bytes, WholeBody]
OK = gives("Stored", "text/plain", "")
CHILD = gives("The new version", "application/json", {"child": "8c2be51b0e1c4e0ba9f5a1d0a2c1f6b3"})


@dataclass(frozen=True)
class AtVersion:
    """The version a request is about."""

    server: Server
    repo: Repo
    node: Node
    forced: str
    """Where it is locked and changed all the same, what the log of the repo says of that."""

    def record_forced(self) -> None:
        """Make the record durable, before the change."""
        if self.forced:
            self.repos.add_repo_log(self.repo, [self.forced])

    @property
    def repos(self) -> Repos:
        """Where versions are changed."""
        return self.server.datastore.repos


Subject = Annotated[AtVersion, Here]


def prepare_node(server: Server, endpoint: Endpoint, call: Call) -> AtVersion:
    """The version a request is about; refused where it is locked or the server read-only."""
    repo, node = server.datastore.catalogue.find(call.parts[2])
    server.demand_writable(call)
    forced = not endpoint.reads and node.locked and not _grows(endpoint)
    if forced and not server.may_force(call):
        raise _locked(call, node)
    return AtVersion(server, repo, node, forced_line(call) if forced else "")


def refuse_unknown(server: Server, call: Call) -> None:
    """What comes before 404 where there is no such route: BadRequest for an unknown version, LockedVersion for a method
    that would change a locked one, as in the reference.
    """
    about, deepest = call.parts[1:2], {"repo": 5, "node": 4}
    if call.parts[0] != "api" or not 3 <= len(call.parts) <= deepest.get("".join(about), 0):
        return
    node = server.datastore.catalogue.find(call.parts[2]).node
    reads = call.method in ("GET", "HEAD") or call.parts[3:] in (["branch"], ["newversion"], ["tag"])
    if about == ["node"] and node.locked and not reads and not server.may_force(call):
        raise _locked(call, node)


def _locked(call: Call, node: Node) -> LockedVersion:
    return LockedVersion(f"Cannot do {call.method} on locked node {node.uuid}")


def _grows(endpoint: Endpoint) -> bool:
    """Children are made of locked versions."""
    return endpoint.path.endswith(("/branch", "/newversion", "/tag"))


# ---------------------------------------------------------------------- note and log
@room.get("/api/node/{uuid}/note", summary="Note", responses=gives("Note", "application/json", {"note": "done"}))
@at_once
def get_note(at: Subject, uuid: Uuid) -> Reply:
    """What was said of the version."""
    return json_reply({"note": at.node.note})


@room.post(
    "/api/node/{uuid}/note",
    summary="Set the note",
    openapi_extra=takes("Note", "application/json", {"note": "in progress"}),
    responses=OK,
)
def post_note(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """Replaces the note."""
    note = read(body, Note).note
    at.record_forced()
    at.repos.set_note(at.node, note, forced=bool(at.forced))
    return DONE


@room.get("/api/node/{uuid}/log", summary="Log", responses=gives("Lines", "application/json", {"log": ["…  text"]}))
@at_once
def get_log(at: Subject, uuid: Uuid) -> Reply:
    """Lines with the time they were added."""
    return json_reply({"log": at.node.log})


@room.post(
    "/api/node/{uuid}/log",
    summary="Append to the log",
    openapi_extra=takes("Lines", "application/json", {"log": ["traced 12 neurons"]}),
    responses=OK,
)
def post_log(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """Each line gets its time."""
    lines = read(body, Log).log
    at.record_forced()
    at.repos.add_log(at.node, lines, forced=bool(at.forced))
    return DONE


# ---------------------------------------------------------------------- commit
LOCKED = gives("Whether it is locked", "application/json", {"Locked": True})


@room.get("/api/node/{uuid}/status", summary="Is it committed?", responses=LOCKED)
@at_once
def get_status(at: Subject, uuid: Uuid) -> Reply:
    """A committed version never changes."""
    return json_reply({"Locked": at.node.locked})


@room.get("/api/node/{uuid}/commit", summary="Is it committed?", responses=LOCKED)
@at_once
def get_commit(at: Subject, uuid: Uuid) -> Reply:
    """The same as status."""
    return json_reply({"Locked": at.node.locked})


@room.post(
    "/api/node/{uuid}/commit",
    summary="Commit",
    openapi_extra=takes("Note and log", "application/json", {"note": "done", "log": ["line"]}),
    responses=gives("Uuid", "application/json", {"committed": "3f01a3ab6b0d4ad38b8f8c5f0a9a1c55"}),
)
def post_commit(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """Locks the version for good, after the edits under way. A note replaces the old one."""
    given = read(body, Commit)
    at.repos.commit(at.node, given.note, given.log or ())
    return json_reply({"committed": at.node.uuid})


# ---------------------------------------------------------------------- children
@room.post(
    "/api/node/{uuid}/newversion",
    summary="New version",
    openapi_extra=takes("All optional", "application/json", {"note": "next"}),
    responses=CHILD,
)
def post_newversion(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """An open child on the same branch, of a locked version that has none there yet."""
    given = read(body, Growth, empty=True)
    child = at.repos.new_version(at.node, given.note, check_uuid(given.uuid) if given.uuid else None)
    return json_reply({"child": child.uuid})


@room.post(
    "/api/node/{uuid}/branch",
    summary="New branch",
    openapi_extra=takes("`uuid` is optional", "application/json", {"branch": "side", "note": "an experiment"}),
    responses=CHILD,
)
def post_branch(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """An open child on a branch that is new in the repo."""
    given = read(body, Growth, empty=True)
    child = at.repos.branch(at.node, given.branch, given.note, check_uuid(given.uuid) if given.uuid else None)
    return json_reply({"child": child.uuid})


@room.post(
    "/api/node/{uuid}/tag",
    summary="Tag",
    openapi_extra=takes("Name of the tag", "application/json", {"tag": "release-1"}),
    responses=CHILD,
)
def post_tag(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """A locked child whose uuid is the name of the tag."""
    child = at.repos.tag(at.node, read(body, Growth, empty=True).tag)
    return json_reply({"child": child.uuid})
