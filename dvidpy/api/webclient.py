"""The web client: files of a folder below /, as the configuration names it."""

from __future__ import annotations

import os
import stat

from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope


class WebClient(StaticFiles):
    """Files, and of folders their index.html. What is not there is the default file, or sends on to an address.

    Nothing outside of the folder is served, through no `..` and no symbolic link.
    """

    def __init__(self, folder: str, default_file: str = "", redirect_path: str = "") -> None:
        super().__init__(directory=folder)
        self._default_file = default_file
        self._redirect_path = f"/{redirect_path.lstrip('/')}" if redirect_path else ""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The answer to a request for a path."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        return await run_in_threadpool(self._answer, path, scope)

    def _answer(self, path: str, scope: Scope) -> Response:
        if (found := self._file(path, scope)) is not None:
            return found
        if (index := self._file(f"{path}/index.html", scope)) is None:
            return self._instead(scope)
        if scope["path"].endswith("/"):
            return index
        url = URL(scope=scope)  # links in a folder's page lead on from an address with a slash at its end
        return RedirectResponse(url.replace(path=f"{url.path}/"))

    def _instead(self, scope: Scope) -> Response:
        """For what is not there; the address to go to goes before the default file, as in the reference."""
        if self._redirect_path:
            if scope["path"] != self._redirect_path.partition("?")[0]:  # else it would go round in circles
                return RedirectResponse(self._redirect_path, 308)
        elif self._default_file and (found := self._file(self._default_file, scope)) is not None:
            return found
        raise HTTPException(404)

    def _file(self, path: str, scope: Scope) -> Response | None:
        try:
            full_path, found = self.lookup_path(path)
        except (ValueError, OSError):  # no such path can be, or nobody may look there
            return None
        if found is None or not stat.S_ISREG(found.st_mode) or not os.access(full_path, os.R_OK):
            return None
        return self.file_response(full_path, found, scope)
