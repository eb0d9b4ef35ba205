"""Requests to data instances: which version, which instance, may it be written. Handlers get their subject ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from dvidpy.api.dispatch import Work, demand_parts, run_endpoint, whole_body
from dvidpy.api.forced import record_forced
from dvidpy.api.state import Server
from dvidpy.datatypes import every_type
from dvidpy.datatypes.base import Data, DataType
from dvidpy.datatypes.exchange import Call, Reply
from dvidpy.datatypes.rooms import Endpoint, Table, table_of
from dvidpy.errors import BadRequest, LockedVersion, NotPrivileged
from dvidpy.versioning.catalogue import Place, find_instance
from dvidpy.versioning.records import Instance, Node

KEYWORD = 5
"""Path parts before an instance's keyword, the empty one in front included: "", api, node, uuid, name."""
MANY = 4096
"""Addresses that are remembered; then all are forgotten. Anybody may make up references to one version."""


class Address(NamedTuple):
    """What a reference to a version and the name of an instance lead to."""

    place: Place
    instance: Instance
    table: Table
    subject: type[Data]
    route: str
    """Beginning of its routes' templates."""


class Instances:
    """Finds the handler of a request to an instance, and calls it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._catalogue = server.datastore.catalogue
        self._routes = {name: f"/api/node/{{uuid}}/{{{name}}}" for name in server.types}
        self._tables = {name: table_of_type(kind) for name, kind in server.types.items()}
        self._known: dict[tuple[str, str], Address] = {}
        self._known_of: object = None
        """The state of the catalogue in which those were looked up: a change replaces it."""

    def prepare(self, call: Call, path: list[str]) -> Work:
        """Handler and subject of a request whose path parts are ["", "api", "node", uuid, name, keyword, …]."""
        server = self._server
        address = self._address(path[3], path[4])
        instance = address.instance
        call.parts = path[KEYWORD:] if path[-1] else path[KEYWORD:-1]
        endpoint = _choose(address.table, call)
        call.route = address.route + endpoint.path
        if endpoint.admins_only and not server.is_privileged(call):
            raise NotPrivileged(f"{call.method} {call.parts[0]} needs the admin token")
        demand_parts(endpoint, call)
        server.demand_writable(call)
        data = address.subject(server.datastore, *address.place, instance, call)
        query = call.query if call.query_string else {}
        call.interactive = query.get("interactive") not in ("false", "0")
        throttled = query.get("throttle") in ("on", "true")
        if endpoint.reads:
            return Work(endpoint, data, None, throttled)
        return Work(endpoint, data, data.version if instance.versioned else None, throttled)

    def _address(self, reference: str, name: str) -> Address:
        """Version and instance of a request; UnknownVersion, UnknownInstance."""
        if self._known_of is not self._catalogue.repos or len(self._known) > MANY:
            self._known, self._known_of = {}, self._catalogue.repos
        found = self._known.get((reference, name))
        if found is None:
            place = self._catalogue.find(reference)
            instance = find_instance(place.repo, name)
            kind = instance.type
            found = Address(place, instance, self._tables[kind], self._server.types[kind].subject, self._routes[kind])
            self._known[reference, name] = found
        return found

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
    return table_of((*kind.rooms, every_type.room_for(kind)), head=kind.head)


def _choose(table: Table, call: Call) -> Endpoint:
    """Endpoint of a keyword and method: the longest path that the request fills."""
    endpoints = table.get((call.parts[0], call.method))
    if endpoints is None:
        raise BadRequest(f"Bad API call: no {call.method} on endpoint {call.parts[0]!r}")
    for endpoint in endpoints:
        if endpoint.fits(call.parts):
            return endpoint
    return endpoints[-1]
