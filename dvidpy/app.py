"""The one place that assembles a server: settings -> ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from dvidpy import __version__
from dvidpy.api import metrics, openapi
from dvidpy.api.console import add_console
from dvidpy.api.dispatch import StaticTable
from dvidpy.api.front import Front
from dvidpy.api.logs import LogStream, RequestLog
from dvidpy.api.state import Server
from dvidpy.api.viewer import add_viewer
from dvidpy.api.webclient import WebClient
from dvidpy.config import ServerSettings, Settings, viewer_folder
from dvidpy.datatypes.base import type_named
from dvidpy.datatypes.registry import load_types
from dvidpy.errors import DvidError
from dvidpy.versioning.datastore import Datastore

ASSETS = "/docs-assets"
"""Where the files of the documentation page are."""


def build_app(settings: Settings, *, log_requests: bool = True, log_stream: LogStream | None = None) -> Front:
    """An ASGI application on the stores of `settings`, which its shutdown closes. StoreError if they do not open.

    Requests are logged to `log_stream`, without one to standard error.
    """
    types = load_types()
    server = Server(settings, Datastore(settings), types)
    server.metrics.log = RequestLog(log_stream).write if log_requests else None
    return Front(server, StaticTable(openapi.STATIC_ROOMS), _inner_app(server))


def _inner_app(server: Server) -> FastAPI:
    """Pages beside the API: documentation, health, metrics."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        structlog.get_logger().info("serving", version=__version__, types=list(server.types))
        if not server.token:
            structlog.get_logger().warning(
                "no admin token is set: requests from this machine itself may create repos and use the admin routes"
            )
        yield
        server.metrics.settle()
        server.close()

    app = FastAPI(
        title=openapi.TITLE,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    document = cache(lambda: openapi.document(server.types))
    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to put in a document
    app.add_exception_handler(DvidError, _refuse)
    app.add_exception_handler(HTTPException, _refuse)
    _add_documentation(app)
    _add_state_pages(app, server)
    has_client = _has_web_client(server.settings.server)
    add_console(app, server, at_root=not has_client)
    if not (has_client and (Path(server.settings.server.web_client) / "neuroglancer").exists()):
        add_viewer(app, viewer_folder(server.settings.server.neuroglancer))
    if has_client:
        _add_web_client(app, server.settings.server)
    return app


def _refuse(_: Any, error: Exception) -> Response:
    """Plain text, as everywhere; a wrong method is 404, as in the API."""
    if isinstance(error, DvidError):
        return PlainTextResponse(f"{error}\n", error.status)
    return PlainTextResponse("404 page not found\n", 404)


def _add_documentation(app: FastAPI) -> None:
    """Swagger UI with all its files from this server: it also works where there is no internet."""
    document_type = cache(lambda name: openapi.document_type(type_named(name)))

    def page(document: str, title: str) -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=document,
            title=title,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon.png",
        )

    def full_page() -> HTMLResponse:
        return page("/openapi.json", openapi.TITLE)

    def type_page(typename: str) -> HTMLResponse:
        kind = type_named(typename)
        return page(f"/openapi/{kind.name}.json", f"{openapi.TITLE}: {kind.name}")

    def type_document(typename: str) -> JSONResponse:
        return JSONResponse(document_type(typename))

    app.mount(ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))
    _add_page(app, "/docs", full_page)
    _add_page(app, "/docs/{typename}", type_page)
    _add_page(app, "/openapi/{typename}.json", type_document)


def _add_state_pages(app: FastAPI, server: Server) -> None:
    def health() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    def ready() -> PlainTextResponse:
        try:
            server.datastore.main.store.get(b"\x00\x00")
        except Exception as error:  # whatever the medium does, the one who asks must hear of it
            return PlainTextResponse(f"the store cannot be read: {error}\n", 503)
        return PlainTextResponse("ready\n")

    def show_metrics() -> Response:
        return Response(metrics.exposition(server), media_type="text/plain; version=0.0.4")

    _add_page(app, "/healthz", health)
    _add_page(app, "/readyz", ready)
    _add_page(app, "/metrics", show_metrics)


def _has_web_client(settings: ServerSettings) -> bool:
    return bool(settings.web_client) and Path(settings.web_client).is_dir()


def _add_web_client(app: FastAPI, settings: ServerSettings) -> None:
    """Last: the pages of this server go before its files."""
    app.mount("/", WebClient(settings.web_client, settings.web_default_file, settings.web_redirect_path))


def _add_page(app: FastAPI, path: str, page: Callable[..., Response]) -> None:
    app.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)
