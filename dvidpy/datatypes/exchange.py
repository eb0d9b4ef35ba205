"""A request and an answer, as handlers see them; `dvidpy.api` carries them over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar
from urllib.parse import parse_qsl

import orjson

from dvidpy.errors import BadRequest, TooLarge

P = ParamSpec("P")
T = TypeVar("T")
B = TypeVar("B", bytes, bytearray)
Receive = Callable[[], Awaitable[Any]]
Headers = list[tuple[bytes, bytes]]

OCTETS = b"application/octet-stream"
JSON = b"application/json"
TEXT = b"text/plain"


class Pool(Protocol):
    """Runs heavy work on another thread, a few pieces at a time."""

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Result of `work`; Busy when too much is waiting."""
        ...

    async def go_on(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a request that is being answered already: it may wait, but is not refused."""
        ...


class Call:
    """One request."""

    __slots__ = (
        "_headers",
        "_query",
        "_receive",
        "admin",
        "id",
        "limit",
        "method",
        "parts",
        "path",
        "pool",
        "privileged",
        "query_string",
        "route",
        "scope",
    )

    def __init__(self, scope: Mapping[str, Any], receive: Receive, pool: Pool, limit: int) -> None:
        self.scope = scope
        self._receive = receive
        self.pool = pool
        self.limit = limit
        """Largest body that is taken whole, in bytes."""
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query_string: bytes = scope["query_string"]
        self.parts: list[str] = []
        """Path parts behind the instance name, the keyword first."""
        self.id = ""
        self.route = ""
        """Template of the route, for metrics and the log."""
        self.admin = False
        """It carries the admin token: locks do not hold it back."""
        self.privileged = False
        """It may create repos and use the admin routes."""
        self._query: dict[str, str] | None = None
        self._headers: dict[bytes, bytes] | None = None

    @property
    def query(self) -> dict[str, str]:
        """Query values; of a repeated key the first counts."""
        if self._query is None:
            self._query = {}
            if self.query_string:
                text = self.query_string.decode("latin-1")
                for key, value in parse_qsl(text, keep_blank_values=True):
                    self._query.setdefault(key, value)
        return self._query

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Headers by lower-case name."""
        if self._headers is None:
            self._headers = dict(self.scope["headers"])
        return self._headers

    @property
    def content_length(self) -> int | None:
        """Bytes of the body, where the client says so."""
        text = self.headers.get(b"content-length", b"")
        return int(text) if text.isdigit() else None

    @property
    def gzipped(self) -> bool:
        """The body is packed."""
        return self.headers.get(b"content-encoding", b"").strip().lower() == b"gzip"

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it arrives, unpacked."""
        source = self._raw_stream()
        if self.gzipped:
            source = _unpacked(source, self.pool)
        async for piece in source:
            yield piece

    async def body(self) -> bytes:
        """The whole body; TooLarge beyond the limit."""
        if (self.content_length or 0) > self.limit:
            raise TooLarge(f"the body has {self.content_length} bytes, this server takes {self.limit}")
        if not self.gzipped:
            message = await self._receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                return self._within(bytes(message.get("body", b"")))
            return await self._gather(message)
        pieces = bytearray()
        async for piece in self.stream():
            pieces += piece
            self._within(pieces)
        return bytes(pieces)

    async def _gather(self, message: Any) -> bytes:
        whole = bytearray()
        while True:
            _demand_connected(message)
            whole += message.get("body", b"")
            self._within(whole)
            if not message.get("more_body"):
                return bytes(whole)
            message = await self._receive()

    async def _raw_stream(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._receive()
            _demand_connected(message)
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return

    def _within(self, body: B) -> B:
        if len(body) > self.limit:
            raise TooLarge(f"the body has more than {self.limit} bytes")
        return body


class Gone(Exception):
    """The client has hung up; nobody is answered."""


def _demand_connected(message: Any) -> None:
    if message["type"] == "http.disconnect":
        raise Gone


async def _unpacked(source: AsyncIterator[bytes], pool: Pool) -> AsyncIterator[bytes]:
    """A gzip body, unpacked in steps of at most a megabyte."""
    from isal import isal_zlib

    unpack = isal_zlib.decompressobj(wbits=31)

    def step(packed: bytes) -> bytes:
        try:
            return bytes(unpack.decompress(packed, 1 << 20))
        except isal_zlib.error as error:  # type: ignore[misc]  # the stubs take it for a value
            raise BadRequest(f"the body is not gzip: {error}") from error

    async for packed in source:
        piece = await pool.go_on(step, packed)
        while piece:
            yield piece
            piece = await pool.go_on(step, unpack.unconsumed_tail)
    if not unpack.eof:
        raise BadRequest("the gzip body ends early")


Body = bytes | Iterator[bytes]


class Reply:
    """One answer. A body given as an iterator is pulled on a worker thread, piece by piece, as the client takes it."""

    __slots__ = ("body", "headers", "length", "status")

    def __init__(
        self,
        body: Body = b"",
        media_type: bytes | None = None,
        status: int = 200,
        headers: Iterable[tuple[bytes, bytes]] = (),
        length: int | None = None,
    ) -> None:
        self.body = body
        self.status = status
        self.length = len(body) if isinstance(body, bytes) else length
        """Bytes of the body; None where they are not known before."""
        self.headers: Headers = [(b"content-type", media_type)] if media_type else []
        self.headers.extend(headers)


def octets(body: Body, length: int | None = None) -> Reply:
    """Bytes."""
    return Reply(body, OCTETS, length=length)


def json_bytes(body: Body) -> Reply:
    """JSON that is written already."""
    return Reply(body, JSON)


def json_reply(value: Any) -> Reply:
    """A value as JSON."""
    return Reply(orjson.dumps(value), JSON)


def text_reply(text: str) -> Reply:
    """Plain text."""
    return Reply(text.encode(), TEXT)


DONE = Reply()
"""An empty answer: it worked."""
