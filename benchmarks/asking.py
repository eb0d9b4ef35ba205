"""How the benchmarks ask a server: one connection, refusals end the program."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 600.0


class Asking:
    """One connection to a server, with a repo of its own."""

    def __init__(self, url: str, token: str = "", root: str = "") -> None:
        self.url = url.rstrip("/")
        address = urlsplit(self.url)
        self._http = HTTPConnection(address.hostname or "", address.port or 80, timeout=600)
        self._query = f"?admintoken={token}" if token else ""
        self.root = root or str(json.loads(self.post(f"/api/repos{self._query}", b'{"alias": "benchmark"}'))["root"])

    def instance(self, typename: str, name: str, **settings: str) -> None:
        """Make a data instance."""
        body = json.dumps({"typename": typename, "dataname": name, **settings}).encode()
        self.post(f"/api/repo/{self.root}/instance{self._query}", body)

    def commit_and_go_on(self, uuid: str) -> str:
        """Commit a version; uuid of its new child."""
        self.post(f"/api/node/{uuid}/commit{self._query}", b'{"note": "benchmark"}')
        return str(json.loads(self.post(f"/api/node/{uuid}/newversion{self._query}", b"{}"))["child"])

    def get(self, path: str, body: bytes | None = None) -> bytes:
        """Body of the answer to a GET."""
        return self.ask("GET", path, body)

    def post(self, path: str, body: bytes) -> bytes:
        """Body of the answer to a POST."""
        return self.ask("POST", path, body)

    def of(self, name: str, rest: str, uuid: str = "") -> str:
        """Path of an instance's route."""
        return f"/api/node/{uuid or self.root}/{name}/{rest}"

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Body of the answer."""
        status, said = self.tried(method, path, body)
        if status >= 400:
            raise SystemExit(f"{self.url}: {method} {path}: {status} {said[:200].decode(errors='replace')}")
        return said

    def settled(self, path: str, body: bytes | None = None) -> None:
        """Return when a GET, or a POST of a body, is answered with 200: a server may index behind its answers.

        SystemExit if it never is.
        """
        until = time.monotonic() + PATIENCE_S
        while self.tried("POST" if body else "GET", path, body)[0] != 200:
            if time.monotonic() > until:
                raise SystemExit(f"{self.url}: {path} is not answered after {PATIENCE_S:.0f} s")
            time.sleep(0.05)

    def tried(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body, whatever they are."""
        self._http.request(method, path, body)
        answer = self._http.getresponse()
        return answer.status, answer.read()

    def json(self, path: str) -> Any:
        """JSON of the answer to a GET."""
        return json.loads(self.get(path))


def keyvalues(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """A KeyValues message."""
    message = b""
    for key, value in pairs:
        name = key.encode()
        pair = b"\x0a" + _length(name) + name + b"\x12" + _length(value) + value
        message += b"\x0a" + _length(pair) + pair
    return message


def _length(text: bytes) -> bytes:
    size, found = len(text), bytearray()
    while size > 0x7F:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*found, size])


def status_mb(pid: int) -> dict[str, int]:
    """MB of each kind of memory that the system tells of a process: VmHWM, RssAnon…; none where it does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) // 1024 for line in lines if line.endswith(" kB")}
