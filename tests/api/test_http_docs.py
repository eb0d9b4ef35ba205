"""Documentation pages: valid, complete, and without the internet."""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis
from served import Served

from dvidpy.api.dispatch import StaticTable
from dvidpy.api.instances import table_of_type
from dvidpy.api.openapi import STATIC_ROOMS
from dvidpy.datatypes import every_type
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.rooms import Endpoint

TYPES = list(load_types().values())
PAGES = ["/openapi.json", *(f"/openapi/{kind.name}.json" for kind in TYPES)]
METHODS = {"get", "head", "post", "put", "delete"}


@pytest.mark.parametrize("page", PAGES)
def test_each_document_is_valid_openapi(served: Served, page: str) -> None:
    document = served.http.get(page).json()
    schemathesis.openapi.from_dict(document).validate()
    assert document["paths"]


@pytest.mark.parametrize("page", PAGES)
def test_path_templates_and_path_parameters_agree(served: Served, page: str) -> None:
    for path, methods in served.http.get(page).json()["paths"].items():
        for operation in methods.values():
            named = [given["name"] for given in operation.get("parameters", ()) if given["in"] == "path"]
            assert sorted(named) == sorted(re.findall(r"{(\w+)}", path)), path


@pytest.mark.parametrize("page", PAGES)
def test_documented_answers_are_those_we_give(served: Served, page: str) -> None:
    text = served.http.get(page).text
    assert "422" not in text
    assert "HTTPValidationError" not in text


def _documented(document: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """(method, path) -> names of query parameters."""
    return {
        (method.upper(), path): {given["name"] for given in operation.get("parameters", ()) if given["in"] == "query"}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _read(endpoint: Endpoint) -> set[str]:
    return {parameter.key for parameter in endpoint.parameters if parameter.position < 0}


def _served() -> dict[tuple[str, str], set[str]]:
    """The same of the tables that serve: what the plans of the endpoints really read."""
    found = {(method, e.path): _read(e) for (method, _), e in StaticTable(STATIC_ROOMS)._table.items()}
    for kind in TYPES:
        together = _read_together(kind)
        for (_, method), endpoints in table_of_type(kind).items():
            for endpoint in endpoints:
                names = _read(endpoint) | together.get((method, endpoint.path), set())
                found.setdefault((method, f"/api/node/{{uuid}}/{{{kind.name}}}{endpoint.path}"), names)
    return found


def _read_together(kind: DataType) -> dict[tuple[str, str], set[str]]:
    """Names a handler reads as one value of several (minx, maxx, …), which its route declares beside the handler."""
    return {
        (method, route.path): {given["name"] for given in route.shown.get("openapi_extra", {}).get("parameters", ())}
        for room in kind.rooms
        for route in room.routes
        for method in route.methods
    }


def test_documented_parameters_are_those_that_are_read(served: Served) -> None:
    documented = _documented(served.http.get("/openapi.json").json())
    read = _served()
    assert {key: read.get(key) for key in documented} == documented
    unsaid = {key for key in read if key not in documented and key[0] != "HEAD"}
    assert unsaid == set()


def test_every_route_of_a_room_is_served() -> None:
    for kind in TYPES:
        table = table_of_type(kind)
        for room in (*kind.rooms, every_type.room_for(kind)):
            for route in room.routes:
                for method in route.methods:
                    assert any(route.path == e.path for e in table[route.keyword, method]), route.path


@pytest.mark.parametrize("page", ["/docs", *(f"/docs/{kind.name}" for kind in TYPES)])
def test_pages_load_nothing_from_elsewhere(served: Served, page: str) -> None:
    answer = served.http.get(page)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    addresses = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", answer.text)
    assert len(addresses) >= 4  # script, style, icon, document
    for address in addresses:
        assert address.startswith("/"), address
        assert served.http.get(address).status_code == 200, address


def test_unknown_pages(served: Served) -> None:
    assert served.http.get("/docs/no-such-type").status_code == 400
    assert served.http.get("/openapi/no-such-type.json").status_code == 400
    for path in ("/docs-assets/../app.py", "/docs-assets/%2e%2e/%2e%2e/fastapi/__init__.py", "/docs-assets/nothing.js"):
        assert served.raw(b"GET %b HTTP/1.1\r\nConnection: close\r\n\r\n" % path.encode()).split()[1] == b"404"


def test_a_type_page_shows_that_type_only(served: Served) -> None:
    paths = served.http.get("/openapi/keyvalue.json").json()["paths"]
    assert all(path.startswith("/api/node/{uuid}/{instance}/") for path in paths)
    assert "/api/node/{uuid}/{instance}/key/{key}" in paths
