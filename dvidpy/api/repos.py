"""Routes of repos: creation, info, instances, log, branches, merges."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Path

from dvidpy.api.bodies import Log, Merge, Resolve, read
from dvidpy.api.forced import forced_line
from dvidpy.api.state import Server
from dvidpy.config import Spec
from dvidpy.datatypes.base import Here, type_named
from dvidpy.datatypes.exchange import DONE, Call, Reply, json_reply, text_reply
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Endpoint, Room, TheCall, WholeBody, at_once
from dvidpy.datatypes.settings import quoted, read_settings
from dvidpy.errors import BadRequest, LockedVersion, NotPrivileged, UnknownVersion
from dvidpy.versioning.catalogue import find_instance
from dvidpy.versioning.records import Instance, Node, Repo
from dvidpy.versioning.resolve import resolve

room = Room(tags=["repos"])

QUICK = 50
"""Repos and instances that are shown sooner than handed to another thread."""

Uuid = Annotated[str, Path(description="Any version of the repo.", examples=["3f01a"])]
Body = Annotated[bytes, WholeBody]
OK = gives("Stored", "text/plain", "")
CHILD = gives("The new version", "application/json", {"child": "8c2be51b0e1c4e0ba9f5a1d0a2c1f6b3"})


@dataclass(frozen=True)
class AtRepo:
    """The repo a request is about, and the version that named it."""

    server: Server
    repo: Repo
    node: Node


Subject = Annotated[AtRepo, Here]


def prepare_repo(server: Server, endpoint: Endpoint, call: Call) -> AtRepo:
    """The repo a request is about; refused where the server is read-only."""
    if endpoint.admins_only:
        server.demand_admin(call)
    repo, node = server.datastore.catalogue.find(call.parts[2])
    server.demand_writable(call)
    return AtRepo(server, repo, node)


# ---------------------------------------------------------------------- all repos
@room.post(
    "/api/repos",
    summary="New repo",
    openapi_extra=takes("All optional", "application/json", {"alias": "garden", "description": "plants"}),
    responses=gives("Uuid of its first version", "application/json", {"root": "3f01a3ab6b0d4ad38b8f8c5f0a9a1c55"}),
)
def post_repos(server: Annotated[Server, Here], call: Annotated[Call, TheCall], body: Body) -> Reply:
    """Needs the admin token; where none is set, a request from this very machine will do."""
    if not server.is_privileged(call) or server.settings.server.readonly:
        raise NotPrivileged("Creating a repo requires admin privileges on a server that is not read-only")
    given = read_settings(body)
    texts = {key: given.text(key) or "" for key in ("alias", "description", "passcode")}
    repo = server.datastore.repos.create(**texts, root=given.text("root"))
    return json_reply({"root": repo.record.root})


@room.get("/api/repos/info", summary="All repos", responses=gives("By root uuid", "application/json", {}))
@at_once
def get_repos_info(server: Annotated[Server, Here]) -> Reply | Awaitable[Reply]:
    """What /api/repo/{uuid}/info shows, of every repo; but instances of voxels have a place and, of labels, a coarser
    scale: Neuroglancer passes over those that have none.
    """
    repos = server.datastore.catalogue.repos
    if sum(1 + len(repo.instances) for repo in repos.values()) <= QUICK:
        return _show_all(server)
    return server.pool.run(_show_all, server)


def _show_all(server: Server) -> Reply:
    shown = {}
    for root, repo in server.datastore.catalogue.repos.items():
        with suppress(UnknownVersion):  # it was deleted meanwhile
            shown[root] = server.shown.repo(repo, listed=True)
    return json_reply(shown)


# ---------------------------------------------------------------------- one repo
@room.head("/api/repo/{uuid}", summary="Is there such a repo?", responses={200: {"description": "There is"}})
@at_once
def head_repo(at: Subject, uuid: Uuid) -> Reply:
    """400 where there is none, as in the reference."""
    return text_reply(f"Repo available with root UUID {at.repo.record.root}\n")


@room.get(
    "/api/repo/{uuid}/info",
    summary="A repo",
    responses=gives("Versions, instances, log", "application/json", {"Root": "3f01a…", "Alias": "garden"}),
)
def get_repo_info(at: Subject, uuid: Uuid) -> Reply:
    """What depends on a version (extents) is shown as the newest version of master has it."""
    return json_reply(at.server.shown.repo(at.repo))


@room.post(
    "/api/repo/{uuid}/info",
    summary="Change alias and description",
    openapi_extra=takes("What is not named stays", "application/json", {"alias": "garden"}),
    responses=OK,
)
def post_repo_info(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """Also where the root is locked."""
    given = read_settings(body)
    at.server.datastore.repos.describe(at.repo, given.text("alias"), given.text("description"))
    return DONE


@room.post(
    "/api/repo/{uuid}/instance",
    summary="New data instance",
    openapi_extra=takes("Texts; keys ignore case", "application/json", {"typename": "keyvalue", "dataname": "notes"}),
    responses=gives("Done", "application/json", {"result": "Added notes [keyvalue] to node 3f01a…"})
    | gives("Another server that the type asks failed", "text/plain", "Google BrainMaps cannot be reached", 502),
)
def post_instance(at: Subject, call: Annotated[Call, TheCall], uuid: Uuid, body: Body) -> Reply:
    """It belongs to the whole repo. Settings the type does not know are ignored."""
    server = at.server
    if at.node.locked and not server.may_force(call):
        raise LockedVersion(f"New data instance cannot be created on locked node {at.node.uuid}")
    given = read_settings(body)
    kind, name = type_named(given.need("typename")), given.need("dataname")
    root = at.repo.record.root
    if at.node.locked:
        server.datastore.repos.add_repo_log(at.repo, [forced_line(call)])
    tags = given.tags() or {}
    new = kind.maker(given)  # before anything is held: some types ask other servers

    def make(number: int, data: str) -> Instance:
        spec = Spec(name, root, data, tags, kind.name)
        places = {"store": server.settings.store_for(spec), "log": server.settings.log_for(spec)}
        return new(name=name, number=number, uuid=data, repo=root, root_version=at.repo.root.version, **places)

    config = f"{{{given.spelt(kind.told_settings(given))}}}"
    line = f"New data instance {quoted(name)} of type {quoted(kind.name)} with config {config}"
    server.datastore.repos.add_instance(at.repo, name, make, kind.companions, line)
    return json_reply({"result": f"Added {name} [{kind.name}] to node {at.node.uuid}"})


@room.get("/api/repo/{uuid}/log", summary="Log", responses=gives("Lines", "application/json", {"log": ["…  text"]}))
@at_once
def get_repo_log(at: Subject, uuid: Uuid) -> Reply:
    """Lines with the time they were added."""
    return json_reply({"log": at.repo.record.log})


@room.post(
    "/api/repo/{uuid}/log",
    summary="Append to the log",
    openapi_extra=takes("Lines", "application/json", {"log": ["imported from tape"]}),
    responses=OK,
)
def post_repo_log(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """Also where versions are locked."""
    at.server.datastore.repos.add_repo_log(at.repo, read(body, Log).log)
    return DONE


@room.get(
    "/api/repo/{uuid}/branch-versions/{branch}",
    summary="Versions of a branch",
    responses=gives("Uuids, newest first", "application/json", ["8c2be…", "3f01a…"]),
)
@at_once
def get_branch_versions(
    at: Subject,
    uuid: Uuid,
    branch: Annotated[str, Path(description="Name of the branch; master for the first one.", examples=["master"])],
) -> Reply:
    """Back to the root of the repo; an empty list where there is no such branch."""
    return json_reply([node.uuid for node in at.server.datastore.catalogue.branch_path(at.repo, branch)])


# ---------------------------------------------------------------------- merges
@room.post(
    "/api/repo/{uuid}/merge",
    summary="Merge versions",
    openapi_extra=takes(
        "Parents", "application/json", {"mergeType": "conflict-free", "parents": ["8c2be", "77d0a"], "note": "both"}
    ),
    responses=CHILD,
)
def post_merge(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """An open child of locked versions. What both changed has no value there until it is written."""
    given = read(body, Merge)
    if given.merge_type != "conflict-free":
        raise BadRequest("'mergeType' must be 'conflict-free'")
    child = at.server.datastore.repos.merge(_parents(at, given.parents), given.note)
    return json_reply({"child": child.uuid})


@room.post(
    "/api/repo/{uuid}/resolve",
    summary="Merge versions, settling conflicts",
    openapi_extra=takes("Earlier parents win", "application/json", {"data": ["notes"], "parents": ["8c2be", "77d0a"]}),
    responses=CHILD,
)
def post_resolve(at: Subject, uuid: Uuid, body: Body) -> Reply:
    """Where several parents changed a value, later ones get a child that deletes it; then all are merged."""
    given = read(body, Resolve)
    if not given.data:
        raise BadRequest("Must specify at least one data instance using 'data' field")
    instances = [find_instance(at.repo, name) for name in given.data]
    return json_reply({"child": resolve(at.server.datastore, instances, _parents(at, given.parents), given.note).uuid})


def _parents(at: AtRepo, references: list[str]) -> list[Node]:
    if len(references) < 2:  # one parent is no merge
        raise BadRequest("Must specify at least two parent UUIDs using 'parents' field")
    return [at.server.datastore.catalogue.find(reference).node for reference in references]
