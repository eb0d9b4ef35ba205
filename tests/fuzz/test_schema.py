"""Requests that schemathesis makes up from the OpenAPI document: no 5xx, and answers of the documented kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from served import TOKEN, Served, running

from dvidpy.app import build_app
from dvidpy.config import ServerSettings, Settings, StoreSettings

FUZZ = settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    deadline=None,
)
LONG = settings(FUZZ, max_examples=400, derandomize=False)
CHECKS = (not_a_server_error, content_type_conformance, status_code_conformance)


def _document() -> dict[str, Any]:
    app = build_app(Settings(stores={"main": StoreSettings(engine="memory")}), log_requests=False)
    try:
        document: dict[str, Any] = app._inner.openapi()  # type: ignore[attr-defined]  # the FastAPI inside
        return document
    finally:
        app._server.close()


SCHEMA = schemathesis.openapi.from_dict(_document())


@pytest.fixture(scope="module")
def target() -> Iterator[Served]:
    """One server for all requests, with versions and instances that they may hit."""
    server = ServerSettings(admin_token=TOKEN, workers=2, max_request_bytes=1 << 20)
    with running(Settings(server=server, stores={"main": StoreSettings(engine="memory")})) as served:
        root = served.repo()
        for name in sorted(served.server.types):
            served.instance(root, name, name)
        served.commit(root)
        served.child(root)
        served.child(root, "branch", branch="side")
        yield served


def _aim(case: Any, served: Served) -> None:
    """Made-up names hit nothing; put in those that are there, so that handlers are reached."""
    root = next(iter(served.server.datastore.catalogue.repos))
    parts = case.path_parameters or {}
    if "uuid" in parts and len(str(parts["uuid"])) % 4:
        parts["uuid"] = [root, f"{root}:master", f"{root}:side"][len(str(parts["uuid"])) % 3]
    for name in served.server.types:
        if name in parts:
            parts[name] = name


def _try(case: Any, served: Served) -> None:
    _aim(case, served)
    case.call_and_validate(base_url=str(served.http.base_url), checks=CHECKS)


@SCHEMA.parametrize()
@FUZZ
def test_answers_are_those_the_document_tells_of(case: Any, target: Served) -> None:
    _try(case, target)


@pytest.mark.long
@SCHEMA.parametrize()
@LONG
def test_many_answers_are_those_the_document_tells_of(case: Any, target: Served) -> None:
    _try(case, target)
