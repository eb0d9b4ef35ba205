"""What happens once at the start and the end of a server: the pid file, and who is told of the start."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import structlog

from dvidpy.config import ServerSettings
from dvidpy.errors import StoreError

PATIENCE_S = 10
"""How long an address that is told of the start may take to answer."""


@contextmanager
def pid_file(name: str) -> Iterator[None]:
    """A file with the number of this process, while it runs; none where the name is empty."""
    if not name:
        yield
        return
    path, pid = Path(name), f"{os.getpid()}\n"
    try:
        path.write_text(pid)
    except OSError as error:
        raise StoreError(f"server.pidFile cannot be written: {error}") from error
    try:
        yield
    finally:
        if path.is_file() and path.read_text() == pid:  # not that of a server that was started since
            path.unlink()


def tell_of_start(settings: ServerSettings, host: str) -> None:
    """POST what the reference posts to those who want to know, in the background: no start waits for it or fails."""
    shown = {
        "Host": settings.host or host,
        "Note": settings.note,
        "HTTP Address": settings.http_address,
        "RPC Address": settings.rpc_address,
    }
    text = json.dumps(shown)
    form = urlencode({"config": text})
    posts = [
        ("startWebhook", settings.start_webhook, text, "application/json"),
        ("startJaneliaConfig", settings.start_janelia_config, form, "application/x-www-form-urlencoded"),
    ]
    for setting, address, body, kind in posts:
        if address:
            threading.Thread(target=_post, args=(setting, address, body.encode(), kind), daemon=True).start()


def _post(setting: str, address: str, body: bytes, kind: str) -> None:
    """The address may hold a secret, so it is not logged."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    request = Request(address, body, {"Content-Type": kind})  # noqa: S310  # settings: http(s) only
    try:
        with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310  # as above
            status = answer.status
    except HTTPError as error:
        status = error.code
        error.close()
    except Exception as error:  # whatever is wrong with that address, this server serves
        structlog.get_logger().warning("nobody could be told of the start", setting=setting, reason=repr(error))
        return
    if status != 200:
        structlog.get_logger().warning("whom we told of the start did not like it", setting=setting, status=status)
