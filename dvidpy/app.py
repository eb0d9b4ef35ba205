"""The one place that assembles a server: settings -> ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from dvidpy import __version__
from dvidpy.api import metrics, openapi
from dvidpy.api.dispatch import StaticTable
from dvidpy.api.front import Front
from dvidpy.api.logs import RequestLog
from dvidpy.api.state import Server
from dvidpy.config import Settings
from dvidpy.datatypes.base import type_named
from dvidpy.datatypes.registry import load_types
from dvidpy.errors import DvidError
from dvidpy.versioning.datastore import Datastore


def build_app(settings: Settings, *, log_requests: bool = True) -> Front:
    """An ASGI application on the stores of `settings`, which its shutdown closes. StoreError if they do not open."""
    types = load_types()
    server = Server(settings, Datastore(settings), types)
    log = RequestLog(enabled=log_requests)
    return Front(server, StaticTable(openapi.STATIC_ROOMS), _inner_app(server, log), log)


def _inner_app(server: Server, log: RequestLog) -> FastAPI:
    """Pages beside the API: documentation, health, metrics."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        structlog.get_logger().info("serving", version=__version__, types=list(server.types))
        yield
        log.flush()
        server.close()

    app = FastAPI(title=openapi.TITLE, version=__version__, lifespan=lifespan, docs_url="/docs", redoc_url=None)
    document = cache(lambda: openapi.document(server.types))
    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to put in a document
    _add_pages(app, server)
    return app


def _add_pages(app: FastAPI, server: Server) -> None:
    document_type = cache(openapi.document_type)

    def refuse(_: Any, error: Exception) -> Response:
        status = error.status if isinstance(error, DvidError) else 500
        return PlainTextResponse(f"{error}\n", status)

    def type_page(typename: str) -> HTMLResponse:
        kind = type_named(typename)
        return get_swagger_ui_html(openapi_url=f"/openapi/{kind.name}.json", title=f"{openapi.TITLE}: {kind.name}")

    def type_document(typename: str) -> JSONResponse:
        return JSONResponse(document_type(type_named(typename)))

    def health() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    def ready() -> PlainTextResponse:
        server.datastore.main.store.get(b"\x00\x00")
        return PlainTextResponse("ready\n")

    def show_metrics() -> Response:
        return Response(metrics.exposition(server), media_type="text/plain; version=0.0.4")

    app.add_exception_handler(DvidError, refuse)
    app.add_api_route("/", lambda: RedirectResponse("/api/help"), include_in_schema=False)
    app.add_api_route("/docs/{typename}", type_page, include_in_schema=False)
    app.add_api_route("/openapi/{typename}.json", type_document, include_in_schema=False)
    app.add_api_route("/healthz", health, include_in_schema=False)
    app.add_api_route("/readyz", ready, include_in_schema=False)
    app.add_api_route("/metrics", show_metrics, include_in_schema=False)
