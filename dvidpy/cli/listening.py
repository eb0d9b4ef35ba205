"""uvicorn as this server wants it: who is told of the start, and how long the end may take."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import structlog
import uvicorn

from dvidpy.api.wire import listening
from dvidpy.cli.start_and_end import pid_file, tell_of_start
from dvidpy.config import ServerSettings
from dvidpy.errors import StoreError

if TYPE_CHECKING:
    from dvidpy.api.front import Front

CLOSING_S = 10
"""Seconds beyond shutdownDelay for what must be written at the end."""


def listen(app: Front, sockets: list[socket.socket], settings: ServerSettings) -> None:
    """Serve whoever comes to the sockets until a signal ends it; StoreError where the pid file cannot be written."""
    host, port = sockets[0].getsockname()[:2]  # for the log
    config = listening(app, host=host, port=port, timeout_graceful_shutdown=settings.shutdown_delay)
    listener = _Listener(config, settings)
    listener.run(sockets)
    if listener.failure is not None:
        raise listener.failure


class _Listener(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, settings: ServerSettings) -> None:
        super().__init__(config)
        self.failure: StoreError | None = None
        self._settings = settings
        self._while_listening = ExitStack()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Be ready, then say so: only who listens may claim the pid file."""
        await super().startup(sockets)
        if not self.started:
            return
        try:
            self._while_listening.enter_context(pid_file(self._settings.pid_file))
        except StoreError as error:
            self.failure = error
            self.should_exit = True
            await self.shutdown(sockets)
            return
        tell_of_start(self._settings, socket.gethostname())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Work that cannot be broken off must not hold the end up for ever: what is acknowledged is kept anyway."""
        last = threading.Timer(self._settings.shutdown_delay + CLOSING_S, self._end_now)
        last.daemon = True
        last.start()
        try:
            await super().shutdown(sockets)
        finally:
            last.cancel()
            self._while_listening.close()  # the signal that ended this will end the process too

    def _end_now(self) -> None:
        structlog.get_logger().error("work under way did not end in time; what is acknowledged is kept")
        self._while_listening.close()
        os._exit(1)
