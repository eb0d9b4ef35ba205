"""Every route of every room is documented, with an example, and recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from recorded.routes import asked

from dvidpy.api import openapi
from dvidpy.datatypes import every_type
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.rooms import Room, Route


def rooms() -> Iterator[tuple[str, Room]]:
    yield from (("server", room) for room in openapi.STATIC_ROOMS)
    yield "every_type", every_type.room
    for name, kind in load_types().items():
        yield from ((name, room) for room in kind.rooms)


def routes() -> list[Any]:
    """Each room once, though several types may share it."""
    return [
        pytest.param(owner, route, id=f"{owner} {'|'.join(sorted(route.methods))} {route.path}")
        for owner, room in {id(room): (owner, room) for owner, room in rooms()}.values()
        for route in room.routes
    ]


def documented(owner: str, route: Route) -> Iterator[dict[str, Any]]:
    """What the page says of a route, method by method."""
    kind = "annotation" if owner == "every_type" else owner  # it omits none of them
    prefix = "" if owner == "server" else f"/api/node/{{uuid}}/{{{kind}}}"
    yield from (PATHS[prefix + route.path][method.lower()] for method in route.methods)


PATHS = openapi.document(load_types())["paths"]
RECORDED = {(one.handler, one.exchange["answer"]["status"]) for one in asked()}


@pytest.mark.parametrize(("owner", "route"), routes())
def test_it_says_what_it_does_and_gives(owner: str, route: Route) -> None:
    for said in documented(owner, route):
        assert said["summary"]
        assert said["description"]
        assert all(answer["description"] for answer in said["responses"].values())
        if route.methods != {"HEAD"}:
            assert any(answer.get("content") for answer in said["responses"].values())


@pytest.mark.parametrize(("owner", "route"), routes())
def test_it_shows_an_example(owner: str, route: Route) -> None:
    for said in documented(owner, route):
        for parameter in said.get("parameters", ()):
            assert parameter["description"]
            assert not parameter["required"] or parameter["schema"].get("examples"), parameter["name"]
        contents = [said["requestBody"]["content"]] if "requestBody" in said else []
        contents += [
            answer["content"] for status, answer in said["responses"].items() if status == "200" and "content" in answer
        ]
        for content in contents:
            for shown in content.values():
                assert "example" in shown or shown["schema"].get("format") == "binary"


PROXIES = {"googlevoxels"}
"""Types whose answers another server makes; tests/datatypes plays it."""


@pytest.mark.parametrize(("owner", "route"), [one for one in routes() if one.values[0] not in PROXIES])
def test_an_answer_is_recorded(owner: str, route: Route) -> None:
    statuses = {int(status) for status in route.shown.get("responses", ()) if str(status).isdigit()} or {200}
    if route.path == "/split/{label}":
        statuses = {400}  # it is off unless the configuration allows it
    assert any((route.handler, status) in RECORDED for status in statuses)
