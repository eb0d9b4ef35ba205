"""Requests to data instances: which version, which instance, may it be written. Handlers get their subject ready."""

from __future__ import annotations

from dvidpy.api.dispatch import Work, demand_parts, run_endpoint
from dvidpy.api.state import Server
from dvidpy.datatypes import every_type
from dvidpy.datatypes.base import Data, DataType
from dvidpy.datatypes.exchange import Call, Reply
from dvidpy.datatypes.rooms import Endpoint, Table, table_of
from dvidpy.errors import BadRequest, LockedVersion
from dvidpy.versioning.catalogue import find_instance

KEYWORD = 5
"""Path parts before an instance's keyword, the empty one in front included: "", api, node, uuid, name."""


class Instances:
    """Finds the handler of a request to an instance, and calls it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._catalogue = server.datastore.catalogue
        self._routes = {name: f"/api/node/{{uuid}}/{{{name}}}" for name in server.types}
        self._tables = {name: table_of_type(kind) for name, kind in server.types.items()}

    def prepare(self, call: Call, path: list[str]) -> Work:
        """Handler and subject of a request whose path parts are ["", "api", "node", uuid, name, keyword, …]."""
        server = self._server
        repo, node = self._catalogue.find(path[3])
        instance = find_instance(repo, path[4])
        call.parts = path[KEYWORD:] if path[-1] else path[KEYWORD:-1]
        endpoint = _choose(self._tables[instance.type], call)
        call.route = self._routes[instance.type] + endpoint.path
        demand_parts(endpoint, call)
        data = server.types[instance.type].subject(server.datastore, repo, node, instance, call)
        throttled = False
        if call.query_string:
            throttled = call.query.get("throttle") in ("on", "true")
            if call.query.get("interactive") not in ("false", "0"):
                server.count_interactive()
        else:
            server.count_interactive()
        if endpoint.reads:
            return Work(endpoint, data, None, throttled)
        return Work(endpoint, data, self._gate(call, data), throttled)

    def _gate(self, call: Call, data: Data) -> int | None:
        """The version an edit writes into; None where no lock can hold it back."""
        settings = self._server.settings.server
        if settings.readonly and not call.admin:
            raise BadRequest("Server in read-only mode and will only accept GET and HEAD requests")
        forced = data.node.locked and (call.admin or settings.fullwrite)
        return None if forced or not data.instance.versioned else data.version

    async def edit(self, work: Work, call: Call) -> Reply:
        """Run a handler that changes a version, unless that is locked."""
        version = work.gate
        assert version is not None
        gates = self._server.datastore.gates
        gates.enter(version)
        try:
            # Asked inside the gate: a commit may have come between.
            node = self._catalogue.node(version)
            if node.locked:
                raise LockedVersion(f"Cannot do {call.method} on endpoint {call.parts[0]!r} of locked node {node.uuid}")
            return await run_endpoint(work.endpoint, call, work.here)
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
