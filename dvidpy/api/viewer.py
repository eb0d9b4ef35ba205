"""Neuroglancer at /neuroglancer/, where it has been built: `dvidpy neuroglancer` puts it into a folder of files."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from dvidpy.config import is_built

PLACE = "/neuroglancer"
ASSETS = "assets/"
"""Files whose names change with their content."""
MISSING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Neuroglancer is not built here</title></head>
<body style="font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem">
<h1>Neuroglancer is not built here</h1>
<p>One command on the server's machine builds it, once; npm must be able to install packages meanwhile:</p>
<pre>dvidpy neuroglancer</pre>
<p>The server need not be started again: reload this page.</p>
<p><a href="/dvidpy/">The console</a> shows slices without it.</p></body></html>
"""


class Viewer(StaticFiles):
    """Its files. It may be built, or built anew, while the server runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)
        self._folder = folder

    async def check_config(self) -> None:
        """The folder need not be there."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, or the page that says how to build it."""
        if not is_built(self._folder):
            return HTMLResponse(MISSING, 404)
        answer = await super().get_response(path, scope)
        kept = "public, max-age=31536000, immutable" if path.startswith(ASSETS) else "no-cache"
        answer.headers["Cache-Control"] = kept
        return answer


def add_viewer(app: FastAPI, folder: Path) -> None:
    """Serve the viewer, whenever it is there."""

    def lead() -> Response:
        return RedirectResponse(f"{PLACE}/")

    app.add_api_route(PLACE, lead, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount(PLACE, Viewer(folder))
