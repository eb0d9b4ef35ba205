"""uvicorn as this server wants it: who is told of the start, and how long the end may take."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
import uvicorn

from dvidpy.api.wire import WireProtocol
from dvidpy.cli.start_and_end import tell_of_start
from dvidpy.config import ServerSettings

if TYPE_CHECKING:
    from dvidpy.api.front import Front

CLOSING_S = 10
"""Seconds beyond shutdownDelay for what must be written at the end."""


def listen(app: Front, host: str, port: int, settings: ServerSettings, at_end: Callable[[], None]) -> None:
    """Serve until a signal ends it: that signal ends the process too, so `at_end` is called before."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        http=WireProtocol,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.shutdown_delay,
    )
    _Listener(config, settings, at_end).run()


class _Listener(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, settings: ServerSettings, at_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._settings = settings
        self._at_end = at_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            tell_of_start(self._settings, socket.gethostname())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Work that cannot be broken off must not hold the end up for ever: what is acknowledged is kept anyway."""
        last = threading.Timer(self._settings.shutdown_delay + CLOSING_S, self._end_now)
        last.daemon = True
        last.start()
        try:
            await super().shutdown(sockets)
        finally:
            self._at_end()

    def _end_now(self) -> None:
        structlog.get_logger().error("work under way did not end in time; what is acknowledged is kept")
        self._at_end()
        os._exit(1)
