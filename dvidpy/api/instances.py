"""Requests to data instances: which version, which instance, may it be written. Handlers get their subject ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from dvidpy.api.dispatch import Work, demand_parts, run_endpoint, whole_body
from dvidpy.api.forced import record_forced
from dvidpy.api.state import Server
from dvidpy.datatypes import every_type
from dvidpy.datatypes.base import Data, DataType
from dvidpy.datatypes.exchange import Call, Reply
from dvidpy.datatypes.rooms import Endpoint, Table, table_of
from dvidpy.errors import BadRequest, LockedVersion
from dvidpy.versioning.catalogue import find_instance
from dvidpy.versioning.records import Node

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
        server.demand_writable(call)
        data = server.types[instance.type].subject(server.datastore, repo, node, instance, call)
        call.interactive = call.query.get("interactive") not in ("false", "0")
        throttled = bool(call.query_string) and call.query.get("throttle") in ("on", "true")
        if endpoint.reads:
            return Work(endpoint, data, None, throttled)
        return Work(endpoint, data, data.version if instance.versioned else None, throttled)

    async def edit(self, work: Work, call: Call) -> Reply:
        """Run a handler that changes a version, unless that is locked. Nothing is held while a slow client sends."""
        data = work.here
        assert isinstance(data, Data)
        if data.node.locked:
            if not self._server.may_force(call):
                raise _locked(call, data.node)
            await record_forced(call, data)
            return await run_endpoint(work.endpoint, call, data, await whole_body(work.endpoint, call))
        if work.endpoint.streams:
            call.gate = partial(self._gate, call, data.node)
            return await run_endpoint(work.endpoint, call, data, b"")
        body = await whole_body(work.endpoint, call)
        with self._gate(call, data.node):
            return await run_endpoint(work.endpoint, call, data, body)

    @contextmanager
    def _gate(self, call: Call, node: Node) -> Iterator[None]:
        """The version is not committed inside; LockedVersion where that came before."""
        gates = self._server.datastore.gates
        gates.enter(node.version)
        try:
            # Asked inside the gate: a commit may have come between.
            if self._catalogue.node(node.version).locked:
                raise _locked(call, node)
            yield
        finally:
            gates.leave(node.version)


def _locked(call: Call, node: Node) -> LockedVersion:
    return LockedVersion(f"Cannot do {call.method} on endpoint {call.parts[0]!r} of locked node {node.uuid}")


def table_of_type(kind: DataType) -> Table:
    """All routes of a datatype: its own first, then those of every type."""
    return table_of((*kind.rooms, every_type.room_of(kind)), head=kind.head)


def _choose(table: Table, call: Call) -> Endpoint:
    """Endpoint of a keyword and method: the longest path that the request fills."""
    endpoints = table.get((call.parts[0], call.method))
    if endpoints is None:
        raise BadRequest(f"Bad API call: no {call.method} on endpoint {call.parts[0]!r}")
    return next((e for e in endpoints if e.width <= len(call.parts)), endpoints[-1])
