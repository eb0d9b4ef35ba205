"""Which route each recorded exchange asks, found with the server's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from recorded.pairs import Exchange, read, scenarios

from dvidpy.api.dispatch import StaticTable
from dvidpy.api.instances import table_of_type
from dvidpy.api.openapi import STATIC_ROOMS
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.rooms import Endpoint

Handler = Callable[..., Any]


class Asked(NamedTuple):
    """An exchange, and what is asked in it."""

    handler: Handler
    method: str
    typename: str
    """Type of the instance; empty for the server's own routes."""
    exchange: Exchange


def asked() -> Iterator[Asked]:
    """All recorded exchanges that reach a route."""
    types = load_types()
    static = StaticTable(STATIC_ROOMS)
    tables = {name: table_of_type(kind) for name, kind in types.items()}
    for path in scenarios():
        made: dict[str, str] = {}
        for exchange in read(path)["exchanges"]:
            method, _, place = exchange["ask"].partition(" ")
            parts = [unquote(part) for part in place.partition("?")[0].split("/")]
            if method == "POST" and parts[-1] == "instance" and exchange["answer"]["status"] == 200:
                made[exchange["json"]["dataname"]] = exchange["json"]["typename"]
            typename = made.get(parts[4], "") if len(parts) > 5 and parts[2] == "node" else ""
            if typename:
                endpoint = _fitting(tables[typename].get((parts[5], method), []), parts[5:])
            else:
                endpoint = static.find(method, parts[1:])
            if endpoint is not None:
                yield Asked(endpoint.handler, method, typename, exchange)


def _fitting(endpoints: list[Endpoint], parts: list[str]) -> Endpoint | None:
    return next((endpoint for endpoint in endpoints if endpoint.fits(parts)), None)
