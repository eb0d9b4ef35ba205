"""The console: a page to look at repos, versions and slices, at / where no web client is configured.

The page is plain HTML, CSS and JavaScript in `console/`, and speaks the API that everybody speaks. What the API does
not tell (sizes, queues, latencies) it asks `/dvidpy/state.json`.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse, Response
from starlette.types import Scope

from dvidpy.api.metrics import BUCKETS_S, RouteTally
from dvidpy.api.state import Server
from dvidpy.storage.keys import instance_prefix, part_prefix

PLACE = "/dvidpy"
"""Address of the page and its files, wherever / leads."""
PAGE = "index.html"
ROUTES = 40
"""Routes that are shown, the most asked first."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""Nothing from elsewhere runs in the page; a newer server's files are taken at once."""


class Console(StaticFiles):
    """The files of the page."""

    def __init__(self) -> None:
        super().__init__(packages=[("dvidpy.api", "console")], html=True)

    def page(self) -> Response:
        """The page itself."""
        path, _ = self.lookup_path(PAGE)
        return FileResponse(path, headers=HEADERS)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file; see HEADERS."""
        answer = await super().get_response(path, scope)
        answer.headers.update(HEADERS)
        return answer


def add_console(app: FastAPI, server: Server, *, at_root: bool) -> None:
    """Serve the console, and at / too."""
    console = Console()

    def page() -> Response:
        return console.page()

    def state(request: Request) -> Response:
        headers = dict(request.scope["headers"])
        client = request.client.host if request.client else ""
        privileged = server.is_admin(request.query_params) or server.is_trusted(client, headers)
        repo = request.query_params.get("repo", "")
        shown = state_of(server, repo, sizes=privileged or not server.token) | {"may_create": privileged}
        return Response(orjson.dumps(shown), media_type="application/json", headers={"Cache-Control": "no-store"})

    methods = ["GET", "HEAD"]
    if at_root:
        app.add_api_route("/", page, methods=methods, include_in_schema=False)
    app.add_api_route(f"{PLACE}/state.json", state, methods=methods, include_in_schema=False)
    app.mount(PLACE, console)


# ---------------------------------------------------------------------- what the page shows of the server
def state_of(server: Server, repo: str, *, sizes: bool) -> dict[str, Any]:
    """Stores with their queues, bytes of the instances of a repo by data uuid, the most asked routes with latencies.

    Bytes are counted key by key, so those of all repos are never asked for. Without `sizes` nothing is shown of what
    /api/storage tells to bearers of the admin token alone.
    """
    return {
        "workers": server.pool.workers,
        "workers_busy": server.pool.under_way,
        "stores": {
            name: {
                "bytes": stack.store.size() if sizes else None,
                "tasks": stack.queue.length(),
                "given_up": stack.queue.failed,
                "edits_waiting": stack.committer.pending(),
                "log_behind": stack.log.behind,
            }
            for name, stack in server.datastore.stacks.items()
        },
        "instances": _sizes(server, repo) if sizes else {},
        "routes": _routes(server),
    }


def _sizes(server: Server, repo: str) -> dict[str, int]:
    """Bytes of each instance of a repo, named by its root, in its store: all versions together."""
    sizes = {}
    for instance in server.datastore.catalogue.instances().values():
        if instance.repo == repo:
            store = server.datastore.stacks[instance.store].store
            prefixes = (instance_prefix(instance.number), part_prefix(instance.number))
            sizes[instance.uuid] = sum(store.size_of(prefix, prefix + b"\xff") for prefix in prefixes)
    return sizes


def _routes(server: Server) -> list[dict[str, Any]]:
    together: dict[tuple[str, str], list[tuple[int, RouteTally]]] = {}
    for (method, route, status), tally in server.metrics.routes().items():
        together.setdefault((method, route), []).append((status, tally))
    rows = [_row(method, route, tallies) for (method, route), tallies in together.items()]
    return sorted(rows, key=lambda row: -row["count"])[:ROUTES]


def _row(method: str, route: str, tallies: list[tuple[int, RouteTally]]) -> dict[str, Any]:
    buckets = [sum(counts) for counts in zip(*(tally.buckets for _, tally in tallies), strict=True)]
    count = sum(buckets)
    return {
        "method": method,
        "route": route,
        "count": count,
        "failed": sum(sum(tally.buckets) for status, tally in tallies if status >= 400),
        "mean_ms": round(1000 * sum(tally.seconds for _, tally in tallies) / count, 2),
        "half_ms": within_ms(buckets, 0.5),
        "most_ms": within_ms(buckets, 0.95),
    }


def within_ms(buckets: list[int], part: float) -> float | str:
    """Milliseconds within which a part of the requests of a histogram was answered: the upper end of a bucket."""
    reached = list(accumulate(buckets))
    at = bisect_left(reached, part * reached[-1])
    return BUCKETS_S[at] * 1000 if at < len(BUCKETS_S) else f"over {BUCKETS_S[-1] * 1000:.0f}"
