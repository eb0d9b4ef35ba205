"""Plain HTTP to one server: what is refused, what is asked again."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 600.0
PATIENCE_S = 60.0
"""How long a request is repeated while the server answers 503."""
PAUSES_S = (0.1, 0.5, 2.0)
"""How long to wait before a request is repeated that nobody answered."""

PIECE = 1 << 16
"""Bytes of a file that are sent at once."""

Body = bytes | Mapping[str, Any] | list[Any] | IO[bytes] | None
Query = Mapping[str, str] | None


class Refused(Exception):
    """The server says no; `status` is that of HTTP, the text is the server's."""

    def __init__(self, asked: str, status: int, said: str) -> None:
        super().__init__(f"{asked}: {said}")
        self.status = status
        self.said = said


class Unreachable(Exception):
    """Nobody answers, or the answer breaks off."""


class Answer:
    """A long answer, read piece by piece."""

    def __init__(self, server: str, response: httpx.Response) -> None:
        self._server = server
        self._pieces = response.iter_bytes()
        self._waiting = b""

    def read(self, size: int) -> bytes:
        """The next bytes; fewer at the end alone. Unreachable where the answer breaks off."""
        parts, length = [self._waiting], len(self._waiting)
        with going(self._server):
            while length < size and (piece := next(self._pieces, b"")):
                parts.append(piece)
                length += len(piece)
        whole = b"".join(parts)
        self._waiting = whole[size:]
        return whole[:size]


class Line:
    """Connections to one server; threads may share them.

    Args:
        server: host:port, or a whole address. ValueError where it is neither.
        query: what every request says: `u` who asks, `admintoken`.
        timeout_s: seconds without a byte after which an answer is given up; None for never.
        patience_s: seconds for which a busy server (503) is asked again.
        pauses_s: seconds before each repetition of a request that nobody answered. What may have reached the server
            is repeated only where that does no harm (GET, HEAD).
        kept: connections that stay open when they are not needed.
    """

    def __init__(
        self,
        server: str,
        query: Query = None,
        *,
        timeout_s: float | None = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        pauses_s: tuple[float, ...] = PAUSES_S,
        kept: int = 16,
    ) -> None:
        self.server = server
        self.query = dict(query or {})
        self._base = _base(server)
        self._timeout_s, self._patience_s, self._pauses_s = timeout_s, patience_s, pauses_s
        self._kept = kept
        self._http: httpx.Client | None = None

    def __repr__(self) -> str:
        return f"Line({self._base!r})"

    def ask(self, method: str, path: str, body: Body = None, query: Query = None) -> bytes:
        """Body of the answer; Refused with the words of the server, Unreachable where nobody answers."""
        with self._open(method, path, body, query) as response, going(self.server):
            return response.read()

    def json(self, method: str, path: str, body: Body = None, query: Query = None) -> Any:
        """The same as JSON; Refused where it is none."""
        said = self.ask(method, path, body, query)
        try:
            return json.loads(said)
        except ValueError:
            raise Refused(f"{method} {path}", 200, "the answer is no JSON, is this the right server?") from None

    @contextmanager
    def open(self, method: str, path: str, body: Body = None, query: Query = None) -> Iterator[Answer]:
        """The answer, to be read piece by piece."""
        with self._open(method, path, body, query) as response:
            yield Answer(self.server, response)

    def close(self) -> None:
        """End the connections."""
        if self._http is not None:
            self._http.close()

    @contextmanager
    def _open(self, method: str, path: str, body: Body, query: Query) -> Iterator[httpx.Response]:
        until, pauses = time.monotonic() + self._patience_s, list(self._pauses_s)
        again = body is None or not hasattr(body, "read")
        while True:
            try:
                response = self._send(method, path, body, query)
            except Unreachable as error:
                harmless = method in ("GET", "HEAD") or getattr(error, "unsent", False)
                if not (again and pauses and harmless):
                    raise
                time.sleep(pauses.pop(0))
                continue
            try:
                if response.status_code == 503 and again and time.monotonic() <= until:
                    response.close()
                    time.sleep(1)
                    continue
                if response.status_code >= 400:
                    with going(self.server):
                        said = response.read().decode(errors="replace").strip()
                    raise Refused(f"{method} {path}", response.status_code, said)
                yield response
                return
            finally:
                response.close()

    def _send(self, method: str, path: str, body: Body, query: Query) -> httpx.Response:
        http = self._connected()
        content: Any = json.dumps(body).encode() if isinstance(body, Mapping | list) else body
        if hasattr(content, "read"):
            content = iter(partial(content.read, PIECE), b"")  # a pipe does not know its length
        with going(self.server):
            params = {**(query or {}), **self.query}
            request = http.build_request(method, f"{self._base}{path}", content=content, params=params or None)
            return http.send(request, stream=True)

    def _connected(self) -> httpx.Client:
        if self._http is None:
            import httpx  # which takes a tenth of a second, and `dvidpy serve` does without

            self._http = httpx.Client(
                timeout=self._timeout_s,
                trust_env=False,
                verify=self._base.startswith("https"),
                headers={"accept-encoding": "identity"},
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=self._kept),
            )
            weakref.finalize(self, self._http.close)
        return self._http


@contextmanager
def going(server: str) -> Iterator[None]:
    """Unreachable where the line breaks inside."""
    import httpx

    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
        failed = Unreachable(f"no server answers at {server}: {error}")
        failed.unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)  # type: ignore[attr-defined]
        raise failed from None


def path_of(*parts: str) -> str:
    """A path below /api, its parts quoted."""
    return "/".join(("/api", *(quote(part, safe=":~") for part in parts)))


def _base(server: str) -> str:
    """scheme://host:port of an address; ValueError where it is none."""
    try:
        address = urlsplit(server if "://" in server else f"http://{server}")
        port = address.port
    except ValueError:
        raise ValueError(f"{server!r} is not host:port") from None
    host = address.hostname or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    return f"{address.scheme}://{host}" + (f":{port}" if port is not None else "")
