"""Rooms: routes whose handlers are served by a table of our own, and documented by FastAPI.

A handler's parameters are annotated as for FastAPI. `Parse` beside `Path` or `Query` turns the text of a request
into the value the handler wants, and refuses it with 400 in plain words; the documentation shows it as text.
Measured: a decorated FastAPI route costs 110-147 us of CPU a request, a table 31-55 (docs/decisions/003-dispatch.md).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from fastapi import APIRouter, Depends, params
from starlette.responses import Response

from dvidpy.datatypes.exchange import Call
from dvidpy.errors import BadRequest

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Parse(NamedTuple):
    """How a parameter is read from the text of a request; the reader raises BadRequest or ValueError."""

    read: Callable[[str], Any]


def _given_by_dispatch() -> Any:
    raise AssertionError("handed in by the dispatcher, never called")


TheCall = Depends(_given_by_dispatch)
"""Marks the parameter that receives the `Call`."""
WholeBody = Depends(_given_by_dispatch)
"""Marks the parameter that receives the whole body, in bytes."""


def at_once(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a plain function that is quick enough for the event loop. It gives a Reply, or an awaitable one."""
    handler.at_once = True  # type: ignore[attr-defined]
    return handler


def reading(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a POST handler that changes nothing: locked versions allow it."""
    handler.reads = True  # type: ignore[attr-defined]
    return handler


def streaming(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a handler that reads its body piece by piece and enters `call.gate()` itself, only to commit."""
    handler.streams = True  # type: ignore[attr-defined]
    return handler


def admins_only(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a handler for those who may use the admin routes. Others get 404 of a repo's route, 400 of an instance's."""
    handler.admins_only = True  # type: ignore[attr-defined]
    return handler


class Route(NamedTuple):
    """A handler with where it is served and how it is documented."""

    path: str
    methods: frozenset[str]
    handler: Callable[..., Any]
    shown: dict[str, Any]
    """Summary, answers and further words of the documentation, as FastAPI takes them."""

    @property
    def keyword(self) -> str:
        """First part of the path."""
        return self.path.split("/")[1]


class Room:
    """Routes that belong together. Paths begin behind the instance name (or with /api for the server's own)."""

    def __init__(self, tags: Sequence[str] = (), routes: Iterable[Route] = (), *, heads: bool = False) -> None:
        self.heads = heads
        """GET routes answer HEAD too, also where those of the type do not."""
        self.tags = list(tags)
        self.routes = list(routes)

    def route(self, path: str, method: str, **shown: Any) -> Callable[[Handler], Handler]:
        """Register a handler; the rest is for the documentation."""

        def register(handler: Handler) -> Handler:
            self.routes.append(Route(path, frozenset({method}), handler, shown))
            return handler

        return register

    def get(self, path: str, **shown: Any) -> Callable[[Handler], Handler]:
        """Register a handler of GET."""
        return self.route(path, "GET", **shown)

    def head(self, path: str, **shown: Any) -> Callable[[Handler], Handler]:
        """Register a handler of HEAD."""
        return self.route(path, "HEAD", **shown)

    def post(self, path: str, **shown: Any) -> Callable[[Handler], Handler]:
        """Register a handler of POST."""
        return self.route(path, "POST", **shown)

    def delete(self, path: str, **shown: Any) -> Callable[[Handler], Handler]:
        """Register a handler of DELETE."""
        return self.route(path, "DELETE", **shown)

    def only(self, *wanted: str) -> Room:
        """A room of those routes alone that are wanted, each as "GET keyword"."""
        kept = (one for one in self.routes if any(f"{method} {one.keyword}" in wanted for method in one.methods))
        return Room(self.tags, kept)

    def documented(self) -> APIRouter:
        """The routes as FastAPI documents them. Some milliseconds a route: not made before somebody reads it."""
        router = APIRouter(tags=list(self.tags))
        for route in self.routes:
            router.add_api_route(
                route.path,
                _documented(route.handler),
                methods=sorted(route.methods),
                response_model=None,
                response_class=Response,
                **route.shown,
            )
        return router


def _documented(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    hints = get_type_hints(endpoint, include_extras=True)

    @wraps(endpoint)
    def shown(**_: Any) -> Any:
        raise AssertionError("the documentation's router is never served")

    plain = [
        parameter.replace(annotation=_as_text(hints[name]))
        for name, parameter in inspect.signature(endpoint).parameters.items()
    ]
    shown.__signature__ = inspect.Signature(plain)  # type: ignore[attr-defined]
    return shown


def _as_text(annotation: Any) -> Any:
    if get_origin(annotation) is not Annotated:
        return annotation
    base, *extras = get_args(annotation)
    if any(isinstance(extra, Parse) for extra in extras):
        marks = tuple(extra for extra in extras if not isinstance(extra, Parse))
        shown = bool if base is bool else (str | None if any(isinstance(m, params.Query) for m in marks) else str)
        return Annotated[(shown, *marks)]
    return annotation


class _Parameter(NamedTuple):
    name: str
    position: int
    """Path part it is read from; -1 for a query key."""
    key: str
    """Query key."""
    read: Callable[[str], Any] | None
    default: Any


class Endpoint:
    """A handler with a plan of how its arguments come from a request."""

    __slots__ = (
        "admins_only",
        "asynchronous",
        "at_once",
        "handler",
        "here",
        "is_long",
        "parameters",
        "path",
        "reads",
        "streams",
        "the_call",
        "whole_body",
        "width",
        "words",
    )

    def __init__(self, route: Route) -> None:
        self.handler = route.handler
        self.path = route.path
        self.asynchronous = inspect.iscoroutinefunction(self.handler)
        self.at_once = getattr(self.handler, "at_once", False)
        """A plain function that runs in the event loop."""
        self.admins_only = getattr(self.handler, "admins_only", False)
        self.reads = getattr(self.handler, "reads", not route.methods.isdisjoint(("GET", "HEAD")))
        """It changes nothing."""
        self.streams = getattr(self.handler, "streams", False)
        """It enters `call.gate` itself."""
        self.is_long = False
        """Its last answer was long: it is worth while to prepare that a worker sends the next one."""
        self.here = self.the_call = self.whole_body = ""
        parts = route.path.split("/")[1:]
        places = {part[1:-1]: at for at, part in enumerate(parts) if part.startswith("{")}
        self.width = len(parts)
        """Path parts it needs, the keyword included."""
        self.words = tuple((at, part) for at, part in enumerate(parts) if at and not part.startswith("{"))
        """Path parts behind the keyword that must be these very words."""
        self.parameters: list[_Parameter] = []
        hints = get_type_hints(self.handler, include_extras=True)
        for name, parameter in inspect.signature(self.handler).parameters.items():
            self._plan(name, hints[name], parameter.default, places)

    def _plan(self, name: str, annotation: Any, default: Any, places: dict[str, int]) -> None:
        base, *extras = get_args(annotation)
        read = next((extra.read for extra in extras if isinstance(extra, Parse)), _reader(base))
        for mark in extras:
            if mark is TheCall:
                self.the_call = name
            elif mark is WholeBody:
                self.whole_body = name
            elif isinstance(mark, params.Path):
                self.parameters.append(_Parameter(name, places[name], "", read, None))
            elif isinstance(mark, params.Query):
                self.parameters.append(_Parameter(name, -1, mark.alias or name, read, default))
            elif isinstance(mark, params.Depends):
                self.here = name

    def fits(self, parts: Sequence[str]) -> bool:
        """The parts of a path fill it; more may follow."""
        return self.width <= len(parts) and (not self.words or all(parts[at] == word for at, word in self.words))

    def is_filled(self, parts: Sequence[str]) -> bool:
        """It fits, and no part that it needs is empty."""
        return len(parts) >= self.width and "" not in parts[: self.width] and (not self.words or self.fits(parts))

    def arguments(self, call: Call, here: Any, body: bytes) -> dict[str, Any]:
        """Keyword arguments of the handler; BadRequest where the request does not give them."""
        found: dict[str, Any] = {}
        if self.here:
            found[self.here] = here
        if self.the_call:
            found[self.the_call] = call
        if self.whole_body:
            found[self.whole_body] = body
        for name, position, key, read, default in self.parameters:
            if position >= 0:
                text: str | None = call.parts[position]
            elif call.query_string:
                text = call.query.get(key)
            else:
                text = None
            found[name] = default if text is None else (_read(key or name, text, read) if read else text)
        return found


def _reader(base: Any) -> Callable[[str], Any] | None:
    return int if base is int or base == int | None else None


def _read(name: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ValueError:
        raise BadRequest(f"{text!r} makes no sense as {name}") from None


Table = dict[tuple[str, str], list[Endpoint]]
"""(keyword, method) -> its endpoints, those with more path parts first, and of these those with more words."""


def table_of(rooms: Iterable[Room], *, head: bool | frozenset[str]) -> Table:
    """The table that serves rooms; earlier rooms win. GET handlers of `head` (all, none, some) answer HEAD too."""
    table: Table = {}
    for room in rooms:
        own: Table = {}
        for route in room.routes:
            _enter(own, route, route.methods)
        for route in room.routes:
            heads = room.heads or (head if isinstance(head, bool) else route.keyword in head)
            if heads and "GET" in route.methods:
                _enter(own, route, ("HEAD",))
        for key, endpoints in own.items():
            table.setdefault(key, sorted(endpoints, key=lambda e: (-e.width, -len(e.words))))
    return table


def _enter(table: Table, route: Route, methods: Iterable[str]) -> None:
    """Behind what the same path already has: a HEAD handler of its own goes before GET's."""
    endpoint = Endpoint(route)
    for method in methods:
        table.setdefault((route.keyword, method), []).append(endpoint)
