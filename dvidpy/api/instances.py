"""Requests to data instances: which version, which instance, may it be written. Handlers get their subject ready."""

from __future__ import annotations

from contextlib import nullcontext

from dvidpy.api.dispatch import demand_parts, run_endpoint
from dvidpy.api.state import Server
from dvidpy.datatypes import every_type
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.exchange import Call, Reply
from dvidpy.datatypes.rooms import Endpoint, Table, table_of
from dvidpy.errors import BadRequest, LockedVersion
from dvidpy.versioning.catalogue import Place, find_instance

KEYWORD = 5
"""Path parts before an instance's keyword, the empty one in front included: "", api, node, uuid, name."""


class Instances:
    """Finds the handler of a request to an instance, and calls it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._catalogue = server.datastore.catalogue
        self._tables = {name: table_of_type(kind) for name, kind in server.types.items()}

    async def answer(self, call: Call, path: list[str]) -> Reply:
        """Answer a request whose path parts are ["", "api", "node", uuid, name, keyword, …]."""
        server = self._server
        place = self._catalogue.find(path[3])
        instance = find_instance(place.repo, path[4])
        call.parts = path[KEYWORD:] if path[-1] else path[KEYWORD:-1]
        endpoint = _choose(self._tables[instance.type], call)
        call.route = f"/api/node/{{uuid}}/{{{instance.type}}}{endpoint.path}"
        demand_parts(endpoint, call)
        data = server.types[instance.type].subject(server.datastore, place.repo, place.node, instance, call)
        if call.query_string:
            if call.query.get("interactive", "") not in ("false", "0"):
                server.count_interactive()
            throttled = call.query.get("throttle") in ("on", "true")
        else:
            server.count_interactive()
            throttled = False
        with server.throttle() if throttled else nullcontext():
            if endpoint.reads:
                return await run_endpoint(endpoint, call, data)
            return await self._edit(endpoint, call, data.version if instance.versioned else None, place, data)

    async def _edit(self, endpoint: Endpoint, call: Call, version: int | None, place: Place, data: object) -> Reply:
        """Run a handler that changes something, unless the version is locked."""
        server = self._server
        forced = call.admin or server.settings.server.fullwrite
        if server.settings.server.readonly and not call.admin:
            raise BadRequest("Server in read-only mode and will only accept GET and HEAD requests")
        if version is None or (forced and place.node.locked):
            return await run_endpoint(endpoint, call, data)
        gates = server.datastore.gates
        gates.enter(version)
        try:
            # Asked again inside the gate: a commit may have come between.
            if self._catalogue.node(version).locked:
                raise LockedVersion(
                    f"Cannot do {call.method} on endpoint {call.parts[0]!r} of locked node {place.node.uuid}"
                )
            return await run_endpoint(endpoint, call, data)
        finally:
            gates.leave(version)


def table_of_type(kind: DataType) -> Table:
    """All routes of a datatype: its own first, then those of every type."""
    return table_of((*kind.rooms, every_type.room), head=kind.head)


def _choose(table: Table, call: Call) -> Endpoint:
    """Endpoint of a keyword and method: the longest path that the request fills."""
    endpoints = table.get((call.parts[0], call.method))
    if endpoints is None:
        raise BadRequest(f"Bad API call: no {call.method} on endpoint {call.parts[0]!r}")
    return next((e for e in endpoints if e.width <= len(call.parts)), endpoints[-1])
