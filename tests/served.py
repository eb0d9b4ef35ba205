"""Fixtures `served`, `serve` and `lasting`: a server in this process behind a real socket.

Tests see HTTP as clients do, and may look behind the door.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import brainmaps
import httpx
import pytest
import uvicorn

from dvidpy.api.logs import RequestLog
from dvidpy.api.state import Server
from dvidpy.api.wire import listening
from dvidpy.app import build_app
from dvidpy.config import ServerSettings, Settings, StoreSettings
from dvidpy.versioning.check import check_datastore

TOKEN = "sesame"
NEEDED = {"tarsupervoxels": {"Extension": "dat"}}
"""Settings without which a type makes no instance."""


def needed(typename: str) -> dict[str, str]:
    """The same, of any type; what googlevoxels shows is played by `brainmaps`."""
    return brainmaps.play().settings if typename == "googlevoxels" else NEEDED.get(typename, {})


@dataclass
class Served:
    """A running server with a client that talks to it."""

    server: Server
    http: httpx.Client
    port: int
    log: io.BytesIO

    def repo(self, **settings: str) -> str:
        """Root uuid of a new repo."""
        answer = self.http.post("/api/repos", params={"admintoken": TOKEN}, json=settings)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["root"])

    def instance(self, uuid: str, name: str = "kv", typename: str = "keyvalue", **settings: Any) -> str:
        """Path of a new instance."""
        given = {"typename": typename, "dataname": name, **needed(typename), **settings}
        answer = self.http.post(f"/api/repo/{uuid}/instance", json=given)
        assert answer.status_code == 200, answer.text
        return f"/api/node/{uuid}/{name}"

    def commit(self, uuid: str) -> None:
        assert self.http.post(f"/api/node/{uuid}/commit", json={"note": "done"}).status_code == 200

    def child(self, parent: str, action: str = "newversion", **settings: str) -> str:
        """Uuid of a new child."""
        answer = self.http.post(f"/api/node/{parent}/{action}", json=settings)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["child"])

    def raw(self, request: bytes, seconds: float = 10) -> bytes:
        """What comes back for these very bytes until the server hangs up, or says nothing for so long."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as line:
            line.sendall(request)
            answer = b""
            try:
                while piece := line.recv(1 << 16):
                    answer += piece
            except (TimeoutError, ConnectionResetError):
                pass
            return answer

    def plain(self) -> HTTPConnection:
        """A connection that sends what it is told."""
        return HTTPConnection("127.0.0.1", self.port, timeout=20)

    def log_lines(self) -> list[bytes]:
        """Lines of the request log so far."""
        self.server.metrics.settle()
        return self.log.getvalue().splitlines()

    def wait_until(self, true: Callable[[], bool], seconds: float = 20) -> None:
        """Return when something has come true; fail when it does not."""
        until = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < until, "it never came true"
            time.sleep(0.01)


Serve = Callable[..., Served]


@contextmanager
def running(settings: Settings) -> Iterator[Served]:
    """A server that is checked and ended afterwards."""
    app = build_app(settings)
    stream = io.BytesIO()
    app._server.metrics.log = RequestLog(stream).write
    server, thread, port = _listen(app)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
        yield Served(app._server, http, port, stream)
    report = check_datastore(app._server.datastore)
    server.should_exit = True
    thread.join(20)
    assert report.faults == []
    assert not thread.is_alive()


def on_memory(text: str = "", **server: Any) -> Settings:
    """Settings of a server with an admin token and two workers, unless they are given."""
    return Settings(
        server=ServerSettings(**{"admin_token": TOKEN, "workers": 2, **server}),
        stores={"main": StoreSettings(engine="memory")},
        text=text,
    )


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers on memory stores."""

    def start(text: str = "", **server: Any) -> Served:
        return started.enter_context(running(on_memory(text, **server)))

    with ExitStack() as started:
        yield start


@pytest.fixture
def served(serve: Serve) -> Served:
    """One server with an admin token."""
    return serve()


@pytest.fixture(scope="module")
def lasting() -> Iterator[Served]:
    """One server for all tests of a module, each with a repo of its own."""
    with running(on_memory()) as one:
        yield one


def _listen(app: Any) -> tuple[uvicorn.Server, threading.Thread, int]:
    line = socket.socket()
    line.bind(("127.0.0.1", 0))
    server = uvicorn.Server(listening(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [line]}, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < until, "the server does not start"
        time.sleep(0.005)
    return server, thread, line.getsockname()[1]
