"""Requests to data instances: which version, which instance, may it be written. Handlers get their subject ready."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
EDITS = ("POST", "PUT", "DELETE")
"""Methods that a locked version refuses, but for handlers that only read."""
MANY = 4096
"""Ways that are remembered; then all are forgotten. Anybody may make up references to one version."""


class Way(NamedTuple):
    """Where requests of one method and keyword lead, to one instance at one version."""

    place: Place
    instance: Instance
    subject: type[Data]
    endpoints: list[Endpoint]
    """Longest path first."""
    routes: str
    """Beginning of its routes' templates."""
    as_edit: bool
    """They read, but a locked version refuses the method."""


class Instances:
    """Finds the handler of a request to an instance, and calls it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._catalogue = server.datastore.catalogue
        self._routes = {name: f"/api/node/{{uuid}}/{{{name}}}" for name in server.types}
        self._tables = {name: table_of_type(kind) for name, kind in server.types.items()}
        self._known: dict[tuple[str, str, str, str], Way] = {}
        self._known_of: object = None
        """The state of the catalogue in which those were looked up: a change replaces it."""

    def prepare(self, call: Call, path: list[str]) -> Work:
        """Handler and subject of a request whose path parts are ["", "api", "node", uuid, name, keyword, …]."""
        server = self._server
        if self._known_of is not self._catalogue.repos or len(self._known) > MANY:
            self._known, self._known_of = {}, self._catalogue.repos
        way = self._known.get((path[3], path[4], path[KEYWORD], call.method)) or self._find_way(path, call.method)
        call.parts = parts = path[KEYWORD:] if path[-1] else path[KEYWORD:-1]
        endpoint = way.endpoints[0]
        filled = endpoint.is_filled(parts)
        if not filled:
            endpoint = next((one for one in way.endpoints if one.fits(parts)), way.endpoints[-1])
        call.route = way.routes + endpoint.path
        if endpoint.admins_only and not server.is_privileged(call):
            raise NotPrivileged(f"{call.method} {parts[0]} needs the admin token")
        if not filled:
            demand_parts(endpoint, call)
        server.demand_writable(call)
        data = way.subject(server.datastore, *way.place, way.instance, call)
        if way.as_edit and data.node.locked and not server.may_force(call):
            raise _locked(call, data.node)
        call.interactive, throttled = _manner(call.query) if call.query_string else (True, False)
        if endpoint.reads:
            return Work(endpoint, data, None, throttled)
        return Work(endpoint, data, data.version if way.instance.versioned else None, throttled)

    def _find_way(self, path: list[str], method: str) -> Way:
        """UnknownVersion, UnknownInstance; BadRequest where the type has no such route."""
        reference, name, keyword = path[3 : KEYWORD + 1]
        place = self._catalogue.find(reference)
        instance = find_instance(place.repo, name)
        kind = instance.type
        table, known = self._tables[kind], self._server.types[kind]
        endpoints = table.get((keyword, method))
        as_read = endpoints is None and known.reads_by(method, keyword)
        if as_read:
            endpoints = table.get((keyword, "GET"))
        if endpoints is None:
            raise BadRequest(f"Bad API call: no {method} on endpoint {keyword!r}")
        as_edit = as_read and method in EDITS and instance.versioned
        way = Way(place, instance, known.subject, endpoints, self._routes[kind], as_edit)
        self._known[reference, name, keyword, method] = way
        return way

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


def _manner(query: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether somebody waits for the answer, and whether it is one of a few that are served at a time."""
    return query.get("interactive") not in ("false", "0"), query.get("throttle") in ("on", "true")


def _locked(call: Call, node: Node) -> LockedVersion:
    return LockedVersion(f"Cannot do {call.method} on endpoint {call.parts[0]!r} of locked node {node.uuid}")


def table_of_type(kind: DataType) -> Table:
    """All routes of a datatype: its own first, then those of every type."""
    return table_of((*kind.rooms, every_type.room_for(kind)), head=kind.head)
