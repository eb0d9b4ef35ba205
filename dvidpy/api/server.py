"""Routes of the server itself: help, load, properties, settings."""

from __future__ import annotations

import html
import os
import platform
import resource
import socket
import sys
import threading
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any

import orjson
import structlog
from fastapi import Path, Query

from dvidpy import __version__
from dvidpy.api.redaction import redacted
from dvidpy.api.state import Server
from dvidpy.datatypes.base import Here, type_named
from dvidpy.datatypes.exchange import Call, Reply, json_bytes, json_reply, octets, text_reply
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, at_once
from dvidpy.datatypes.settings import read_settings
from dvidpy.errors import BadRequest, NotFound, NotPrivileged

room = Room(tags=["server"])

SPOKEN = "v1.0.0-254"
"""Version of the reference whose API this is. Clients compare its four numbers: neuclease asks later ones for more."""
OK = gives("Done", "text/plain", "")
User = Annotated[str, Query(alias="u", description="User name.", examples=["jane"])]


def demand_privileged(server: Server, call: Call, action: str) -> None:
    """NotPrivileged unless the request may use the admin routes."""
    if not server.is_privileged(call):
        raise NotPrivileged(f"{action} requires admin privileges (admintoken)")


# ---------------------------------------------------------------------- help
@room.get("/api/help", summary="Help page", responses=gives("HTML page", "text/html", "<html>…"))
def get_help(server: Annotated[Server, Here]) -> Reply:
    """What this server can do, with links to the help of each datatype."""
    page = files("dvidpy.api").joinpath("help.html").read_text(encoding="utf-8")
    links = "".join(f'<li><a href="/api/help/{name}">{name}</a></li>' for name in server.types)
    page = page.replace("{host}", html.escape(socket.gethostname())).replace("{types}", f"<ul>{links}</ul>")
    return Reply(page.encode(), b"text/html")


@room.get("/api/help/{typename}", summary="Help of a datatype", responses=gives("Text", "text/plain", "API for …"))
def get_type_help(typename: Annotated[str, Path(description="Name of a datatype.", examples=["keyvalue"])]) -> Reply:
    """Its settings, routes and options."""
    return text_reply(type_named(typename).help)


# ---------------------------------------------------------------------- load and latencies
@room.get(
    "/api/load", summary="Load statistics", responses=gives("Whole numbers", "application/json", {"goroutines": 9})
)
@at_once
def get_load(server: Annotated[Server, Here]) -> Reply:
    """What went over the wire in the last second, and what is under way. Names are the reference's."""
    gets, puts, read, written = server.metrics.last_second()
    busy = min(100, 100 * server.pool.under_way // server.pool.workers)
    waiting = sum(stack.committer.pending() for stack in server.datastore.stacks.values())
    return json_reply(
        {
            "file bytes read": 0,
            "file bytes written": 0,
            "key bytes read": 0,
            "key bytes written": 0,
            "value bytes read": read,
            "value bytes written": written,
            "GET requests": gets,
            "PUT requests": puts,
            "handlers active": busy,
            "goroutines": threading.active_count(),
            "active CGo writes": waiting,
            "pending log messages": 0,
        }
    )


@room.get("/api/heartbeat", summary="Is the server alive?", responses=gives("OK", "text/plain", "OK"))
@at_once
def get_heartbeat(u: User = "") -> Reply:
    """With a user name, the time of the answer is kept for /api/user-latencies."""
    return text_reply("OK")


@room.get(
    "/api/user-latencies",
    summary="Latencies of users",
    responses=gives("By user, in milliseconds", "application/json", {"User": "jane", "LastLatency": 3}),
)
@at_once
def get_latencies(server: Annotated[Server, Here], u: User = "") -> Reply:
    """Of one user, or of all."""
    nobody = {"User": "", "LastPing": "", "LastLatency": 0, "MinLatency": 0, "MaxLatency": 0}
    return json_reply(server.latencies.get(u, nobody) if u else server.latencies)


@room.get("/api/storage", summary="Summary of the stores", responses=gives("By store", "application/json", {}))
def get_storage(server: Annotated[Server, Here], call: Annotated[Call, TheCall]) -> Reply:
    """Size of each store, and its instances. Needs the admin token."""
    demand_privileged(server, call, "GET /api/storage")
    shown: dict[str, Any] = {}
    for name, stack in server.datastore.stacks.items():
        instances = [i for i in server.datastore.catalogue.instances().values() if i.store == name]
        shown[name] = {
            "Store": stack.store.description,
            "Bytes": stack.store.size(),
            "Instances": {
                str(i.number): {"Name": i.name, "DataType": i.type, "DataUUID": i.uuid, "RootUUID": i.repo}
                for i in instances
            },
        }
    return json_reply(shown)


# ---------------------------------------------------------------------- properties
@room.get(
    "/api/server/info", summary="Properties of the server", responses=gives("Texts", "application/json", {"Cores": "2"})
)
@at_once
def get_info(server: Annotated[Server, Here]) -> Reply:
    """Names are the reference's; all values are text."""
    now = datetime.now(UTC)
    uptime = (now - server.started).total_seconds()
    changing = f',"Server time":"{now.isoformat(sep=" ")}","Server uptime":"{uptime:.0f}s"'
    if parked := sum(queue.failed for queue in server.datastore.queues()):
        changing += f',"Parked background tasks":"{parked}"'
    return json_bytes(_constant_info(server) + changing.encode() + b"}")


@lru_cache(1)
def _constant_info(server: Server) -> bytes:
    """What does not change while the server runs: a JSON object without its closing bracket."""
    settings = server.settings.server
    shown = {
        "Cores": str(server.pool.workers),
        "Maximum Cores": str(os.cpu_count()),
        "Datastore Version": "1",
        "DVID Version": f"{SPOKEN}-dvidpy-{__version__}",
        "Storage backend": ", ".join(stack.store.description for stack in server.datastore.stacks.values()),
        "RPC Address": "",
        "Host": settings.host or socket.gethostname(),
        "Note": settings.note,
        "TOML location": server.settings.source,
        "Python": f"{platform.python_version()} on {sys.platform}",
        "Max Open Files": str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
    }
    if settings.readonly:
        shown["Mode"] = "read only"
    elif settings.fullwrite:
        shown["Mode"] = "allow writes on committed nodes"
    return orjson.dumps(shown)[:-1]


@room.get("/api/server/note", summary="Note of the configuration", responses=gives("Text", "text/plain", "Our server"))
@at_once
def get_note(server: Annotated[Server, Here]) -> Reply:
    """What the configuration says under server.note."""
    return text_reply(server.settings.server.note)


@room.get("/api/server/config", summary="The configuration file", responses=gives("TOML", "text/plain", "[server]…"))
@at_once
def get_config(server: Annotated[Server, Here], call: Annotated[Call, TheCall]) -> Reply:
    """Without its passwords and tokens. Needs the admin token."""
    demand_privileged(server, call, "GET /api/server/config")
    return text_reply(redacted(server.settings.text, server.token))


@room.get("/api/server/types", summary="Datatypes in use", responses=gives("Name: address", "application/json", {}))
@at_once
def get_types(server: Annotated[Server, Here]) -> Reply:
    """Types of the instances there are."""
    used = {instance.type for instance in server.datastore.catalogue.instances().values()}
    return json_reply({name: kind.url for name, kind in server.types.items() if name in used})


@room.get("/api/server/compiled-types", summary="All datatypes", responses=gives("As types", "application/json", {}))
@at_once
def get_all_types(server: Annotated[Server, Here]) -> Reply:
    """Types this server knows, with the addresses of the reference's implementations."""
    return json_reply({name: kind.url for name, kind in server.types.items()})


@room.get("/api/server/groupcache", summary="Cache statistics", responses=gives("Counters", "application/json", {}))
@at_once
def get_groupcache(server: Annotated[Server, Here]) -> Reply:
    """In the reference's words. The cache it tells of here is the one of version ancestries."""
    cache = server.datastore.catalogue.ancestries.of.cache_info()
    gets = cache.hits + cache.misses
    empty = {"Bytes": 0, "Items": 0, "Gets": 0, "Hits": 0, "Evictions": 0}
    main = {**empty, "Items": cache.currsize, "Gets": gets, "Hits": cache.hits}
    main["Evictions"] = max(0, cache.misses - cache.currsize)
    counters = {"Gets": gets, "CacheHits": cache.hits, "Loads": cache.misses, "LocalLoads": cache.misses}
    unused = dict.fromkeys(("PeerLoads", "PeerErrors", "LoadsDeduped", "LocalLoadErrs", "ServerRequests"), 0)
    return json_reply({**counters, **unused, "MainCache": main, "HotCache": empty})


@room.get(
    "/api/server/blobstore/{reference}",
    summary="A blob of the server",
    responses=gives("Bytes", "application/octet-stream"),
)
def get_blob(
    server: Annotated[Server, Here],
    reference: Annotated[str, Path(description="As given by POST.", examples=["8UtYSGSD2U9wgDh5jClpfw=="])],
) -> Reply:
    """404 where nothing has that reference."""
    blob = server.datastore.blobs().get(reference)
    if blob is None:
        raise NotFound(f"Reference {reference!r} not found")
    return octets(blob)


@room.get("/api/server/token", summary="Access token", responses={400: {"description": "No authorization is set up"}})
@at_once
def get_token() -> Reply:
    """Refused: this server gives no tokens where no authorization is configured."""
    raise BadRequest("no authorization is configured, so there are no tokens")


# ---------------------------------------------------------------------- changes
@room.post(
    "/api/server/settings",
    summary="Change settings of the running server",
    openapi_extra=takes("Numbers as text", "application/json", {"throttle": "2"}),
    responses=gives("What was changed", "text/plain", "Maximum throttled ops set to 2 from 1"),
)
async def post_settings(
    server: Annotated[Server, Here], call: Annotated[Call, TheCall], body: Annotated[bytes, WholeBody]
) -> Reply:
    """`throttle`: how many throttled requests may run at once. `gc` is accepted and says nothing to Python."""
    demand_privileged(server, call, "POST /api/server/settings")
    given = read_settings(body)
    percent, limit = given.number("gc"), given.number("throttle")
    if limit is not None and limit < 0:
        raise BadRequest("throttle cannot be negative")
    said = ""
    if percent is not None:
        said += f"DVID server garbage collection target percentage set to {percent}: without effect here\n"
    if limit is not None:
        said += f"Maximum throttled ops set to {limit} from {server.throttle_limit}\n"
        server.throttle_limit = limit
    return text_reply(said)


@room.post("/api/server/reload-auth", summary="Reload authorizations", responses=OK)
async def post_reload_auth(server: Annotated[Server, Here], call: Annotated[Call, TheCall]) -> Reply:
    """Needs the admin token."""
    demand_privileged(server, call, "POST /api/server/reload-auth")
    return text_reply("There is no authorization file to reload.\n")


@room.post("/api/server/reload-blocklist", summary="Reload the block list", responses=OK)
def post_reload_blocklist(server: Annotated[Server, Here], call: Annotated[Call, TheCall]) -> Reply:
    """From the file that server.blockListFile names. Needs the admin token."""
    demand_privileged(server, call, "POST /api/server/reload-blocklist")
    server.reload_block_list()
    return text_reply(f"Reloaded block list from file {server.settings.server.block_list_file!r}.\n")


@room.post("/api/server/reload-metadata", summary="Read repos and versions again", responses=OK)
async def post_reload_metadata(server: Annotated[Server, Here], call: Annotated[Call, TheCall]) -> Reply:
    """Nothing to do: what this server shows is always what its store holds. Needs the admin token."""
    demand_privileged(server, call, "POST /api/server/reload-metadata")
    structlog.get_logger().info("metadata is always current; nothing to reload")
    return text_reply("Metadata is current.\n")


# ---------------------------------------------------------------------- interface
@room.get("/interface", summary="Version of the interface", responses=gives("Text", "text/plain", "v1"))
@room.get("/interface/version", summary="Version of the interface", responses=gives("Text", "text/plain", "v1"))
@at_once
def get_interface() -> Reply:
    """A short text."""
    return text_reply("v1")
