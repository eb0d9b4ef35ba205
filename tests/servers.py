"""A dvidpy server in a process of its own, for tests that need a real one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from dvidpy.config import Settings, default_settings

START_S = 60.0
TRIES = 5


class ServerProcess:
    """`dvidpy serve` on a free port of 127.0.0.1; `start` returns when it answers."""

    def __init__(self, folder: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.options = options
        self.environment = os.environ | {"DVIDPY_NO_TUNING": "1"} | (environment or {})
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Settings:
        """Settings that open the same stores when the server has ended."""
        return default_settings(self.data)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Somebody else may take the free port first; then another one is tried."""
        for _ in range(TRIES):
            self._launch(free_port())
            if self._answers():
                return
        raise RuntimeError(f"the server does not start: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it as a power switch would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as an operator would; its exit status."""
        assert self._process is not None
        if self.running:
            self._process.terminate()
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def memory_bytes(self) -> int:
        """Memory of its own; pages of files that are mapped into it are the system's, and do not count."""
        return self._status("RssAnon")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    @contextmanager
    def watched(self) -> Iterator[list[int]]:
        """Looks at its memory every few milliseconds; what was seen, in bytes."""
        seen = [self.memory_bytes()]
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.005):
                seen.append(self.memory_bytes())

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield seen
        finally:
            over.set()
            watcher.join()

    def _launch(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        place = ("--host", "127.0.0.1", "--port", str(port), "--data", str(self.data))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dvidpy", "serve", *place, *self.options],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def _answers(self) -> bool:
        until = time.monotonic() + START_S
        while self.running:
            try:
                return requests.get(f"{self.url}/healthz", timeout=START_S).ok
            except requests.ConnectionError:
                time.sleep(0.02)
            if time.monotonic() > until:
                self.kill()
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
