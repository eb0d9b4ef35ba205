"""From a request to its handler: tables, no list of routes to walk."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import NamedTuple

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.exchange import Call, Gone, Reply
from dvidpy.datatypes.rooms import Endpoint, Room, Route
from dvidpy.errors import BadRequest, DvidError, UnknownInstance


class Work(NamedTuple):
    """A handler with what it works on."""

    endpoint: Endpoint
    here: object
    gate: int | None = None
    """Version that it writes into: it passes the gate of that version."""
    throttled: bool = False


Shape = tuple[str, ...]
"""Parts of a route behind /api, with "*" for what varies."""


class StaticTable:
    """The routes that belong to no datatype."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self._table: dict[tuple[str, Shape], Endpoint] = {}
        for room in rooms:
            for route in room.routes:
                self._enter(route)

    def _enter(self, route: Route) -> None:
        methods = sorted(route.methods)
        endpoint = Endpoint(route)
        parts = route.path.removeprefix("/").split("/")
        shape = tuple("*" if part.startswith("{") else part for part in parts)
        for method in (*methods, *(("HEAD",) if "GET" in methods else ())):
            self._table.setdefault((method, shape), endpoint)

    def allowed(self, parts: list[str]) -> list[str]:
        """Methods that the path parts answer, but for those that only administrators hear of."""
        found = ((method, self.find(method, parts)) for method in ("GET", "HEAD", "POST", "PUT", "DELETE"))
        return [method for method, endpoint in found if endpoint is not None and not endpoint.admins_only]

    def find(self, method: str, parts: list[str]) -> Endpoint | None:
        """Endpoint of the path parts; None where there is none. A uuid stands third, a name fourth or last."""
        shape = parts.copy()
        if len(parts) > 2 and parts[1] in ("repo", "node"):  # api, repo, uuid
            shape[2] = "*"
        found = self._table.get((method, tuple(shape))) or self._table.get((method, (*shape[:-1], "*")))
        if found is None and len(shape) > 4:
            return self._table.get((method, (*shape[:3], "*", *shape[4:])))
        return found


async def whole_body(endpoint: Endpoint, call: Call) -> bytes:
    """The body of a request, where its handler wants it whole."""
    return await call.body() if endpoint.whole_body else b""


async def run_endpoint(endpoint: Endpoint, call: Call, here: object, body: bytes) -> Reply:
    """Call a handler; UnknownInstance where it fails because its instance was deleted meanwhile."""
    try:
        return await _call(endpoint, call, here, body)
    except (DvidError, Gone):
        raise
    except Exception:
        if isinstance(here, Data) and not here.datastore.catalogue.has_instance(here.instance):
            raise UnknownInstance(f"Data {here.instance.name!r} was deleted") from None
        raise


async def _call(endpoint: Endpoint, call: Call, here: object, body: bytes) -> Reply:
    """Coroutines in the event loop, functions on a worker thread."""
    arguments = endpoint.arguments(call, here, body)
    if endpoint.at_once:
        found: Reply | Awaitable[Reply] = endpoint.handler(**arguments)
        reply = found if isinstance(found, Reply) else await found
    elif endpoint.asynchronous:
        reply = await endpoint.handler(**arguments)
    else:
        reply = await call.on_worker(endpoint.handler, **arguments)
    endpoint.is_long = reply.long_body is not None
    return reply


def demand_parts(endpoint: Endpoint, call: Call) -> None:
    """BadRequest where a path part that the endpoint needs is missing or empty."""
    if not endpoint.is_filled(call.parts):
        raise BadRequest(f"incomplete API specification, expected {endpoint.path}")
