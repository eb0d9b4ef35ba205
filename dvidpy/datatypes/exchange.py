"""A request and an answer, as handlers see them; `dvidpy.api` carries them over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar
from urllib.parse import parse_qsl

import orjson

from dvidpy.errors import BadRequest, TooLarge, TooSlow
from dvidpy.storage.file_parts import FilePart

P = ParamSpec("P")
T = TypeVar("T")
Receive = Callable[[], Awaitable[Any]]
Headers = list[tuple[bytes, bytes]]

OCTETS = b"application/octet-stream"
JSON = b"application/json"
TEXT = b"text/plain"
UTF8 = b"text/plain; charset=utf-8"
"""What the reference's server calls refusals, and answers that its handlers do not name."""

STALLED_S = 300.0
"""Seconds after which a client that sends or takes nothing in the middle of a body is given up."""


class Pool(Protocol):
    """Runs heavy work on another thread, a few pieces at a time."""

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Result of `work`; Busy when too much is waiting."""
        ...

    async def go_on(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a request that is being answered already: it may wait, but is not refused."""
        ...

    def begin(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """The same, begun at once: its result comes while the caller does something else."""
        ...

    def share(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """Do `work` for each item, in any order, on this thread and on idle ones."""
        ...


class Call:
    """One request. What stands in the class is so until somebody says otherwise: most requests never do."""

    route = ""
    """Template of the route, for metrics and the log."""
    admin = False
    """It carries the admin token: locks do not hold it back."""
    interactive = False
    """Somebody waits for it: background work may have to."""
    received = 0
    """Bytes of the body that came in."""
    gate: Callable[[], AbstractContextManager[None]] = nullcontext
    """What a `streaming` handler enters to commit: LockedVersion where the version was committed meanwhile."""
    send_ahead: Callable[[Reply], Reply] | None = None
    """What a worker does with its answer before it tells the event loop of it."""
    _until_sent: ExitStack | None = None
    _query: dict[str, str] | None = None
    _headers: dict[bytes, bytes] | None = None

    def __init__(
        self,
        method: str,
        path: str,
        query_string: bytes,
        headers: Headers,
        receive: Receive,
        pool: Pool,
        limit: int,
        client: str = "",
        number: str = "",
    ) -> None:
        self.receive = receive
        self.pool = pool
        self.limit = limit
        """Largest body that is taken whole, in bytes."""
        self.method = method
        self.path = path
        """Percent signs are resolved; a byte that is not UTF-8 stands as a lone surrogate."""
        self.query_string = query_string
        self.listed_headers = headers
        """As they came, names in lower case."""
        self.client = client
        """Address that it came from; empty for a socket of another kind."""
        self.id = number
        self.parts: list[str] = []
        """Path parts behind the instance name, the keyword first."""

    def on_worker(self, work: Callable[P, Reply], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[Reply]:
        """An answer that a worker makes, and sends ahead where that is prepared; Busy when too much is waiting."""
        send = self.send_ahead
        return self.pool.run(lambda: send(work(*args, **kwargs)) if send else work(*args, **kwargs))

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
            self._headers = dict(self.listed_headers)
        return self._headers

    @property
    def readable_path(self) -> str:
        """The path as JSON and logs can carry it."""
        return readable(self.path)

    @property
    def content_length(self) -> int | None:
        """Bytes of the body, where the client says so."""
        text = self.headers.get(b"content-length", b"")
        return int(text) if text.isdigit() else None

    @property
    def gzipped(self) -> bool:
        """The body is packed."""
        return self.headers.get(b"content-encoding", b"").strip().lower() == b"gzip"

    @property
    def until_sent(self) -> ExitStack:
        """What is entered here is left when the answer is sent, or nobody is there any more to send it to."""
        self._until_sent = self._until_sent or ExitStack()
        return self._until_sent

    def close(self) -> None:
        """The request is over."""
        if self._until_sent is not None:
            self._until_sent.close()

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it arrives, unpacked. TooLarge where a packed one has more plain bytes than the limit."""
        source = self._raw_stream()
        if self.gzipped:
            source = _unpacked(source, self.pool, self.limit)
        async for piece in source:
            yield piece

    async def body(self) -> bytes:
        """The whole body; TooLarge beyond the limit."""
        if (self.content_length or 0) > self.limit:
            raise TooLarge(f"the body has {self.content_length} bytes, this server takes {self.limit}")
        if not self.gzipped:
            message = await self.receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                body = bytes(message.get("body", b""))
                self.received = len(body)
                if len(body) > self.limit:
                    raise self._too_large()
                return body
            return await self._gather(message)
        return b"".join([piece async for piece in self.stream()])

    async def _gather(self, message: Any) -> bytes:
        pieces: list[bytes] = []
        while True:
            _demand_connected(message)
            pieces.append(message.get("body", b""))
            self.received += len(pieces[-1])
            if self.received > self.limit:
                raise self._too_large()
            if not message.get("more_body"):
                return b"".join(pieces)
            message = await self._next()

    async def _raw_stream(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._next()
            _demand_connected(message)
            if message.get("body"):
                self.received += len(message["body"])
                yield message["body"]
            if not message.get("more_body"):
                return

    async def _next(self) -> Any:
        """The next message of a body; TooSlow where none comes for long."""
        try:
            async with asyncio.timeout(STALLED_S):
                return await self.receive()
        except TimeoutError:
            raise TooSlow(f"nothing of the body came for {STALLED_S:.0f} seconds") from None

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body has more than {self.limit} bytes")


def readable(text: str) -> str:
    """Text of a path as JSON can carry it: bytes that are not UTF-8 become U+FFFD."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Gone(Exception):
    """The client has hung up, or takes nothing any more; nobody is answered."""


def _demand_connected(message: Any) -> None:
    if message["type"] == "http.disconnect":
        raise Gone


async def _unpacked(source: AsyncIterator[bytes], pool: Pool, limit: int) -> AsyncIterator[bytes]:
    """A gzip body of one or more members, unpacked in steps of at most a megabyte, to `limit` bytes at most."""
    unpack = _Gunzip()
    size = 0
    async for packed in source:
        unpack.waiting += packed
        while piece := await pool.go_on(unpack.step):
            size += len(piece)
            if size > limit:
                raise TooLarge(f"the body unpacks to more than {limit} bytes")
            yield piece
    if not unpack.whole():
        raise BadRequest("the gzip body ends early")


class _Gunzip:
    """Unpacks gzip members one after the other."""

    def __init__(self) -> None:
        from isal import isal_zlib

        self._zlib: Any = isal_zlib
        self._member = isal_zlib.decompressobj(wbits=31)
        self.waiting = b""
        """Packed bytes that were not looked at yet."""

    def step(self) -> bytes:
        """The next plain bytes; none where more packed ones are needed. BadRequest for what is no gzip."""
        piece = b""
        while not piece:
            if self._member.eof:
                if not self.waiting:
                    break
                self._member = self._zlib.decompressobj(wbits=31)
            packed, self.waiting = self.waiting, b""
            try:
                piece = bytes(self._member.decompress(packed, 1 << 20))
            except self._zlib.error as error:
                raise BadRequest(f"the body is not gzip: {error}") from error
            self.waiting = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if not piece and not self._member.eof:
                break
        return piece

    def whole(self) -> bool:
        """The last member was complete."""
        return bool(self._member.eof)


Piece = bytes | memoryview
"""Bytes, or a view of those of an array."""
PIECE = 1 << 20
"""Bytes of a piece of a long answer."""
LONG = 1 << 16
"""Bytes of a whole answer that a worker sends itself: the event loop would hold the interpreter meanwhile."""
WHOLE = 3 << 20
"""Bytes of an answer that is sent whole: handing over its pieces one by one would take longer than to make them."""


class Mixed(NamedTuple):
    """A piece of an answer that is sent part by part: what is in files need not pass through this process."""

    parts: list[Piece | FilePart]
    size: int
    """Bytes of all."""

    def read(self) -> bytes:
        """As bytes; StoreError where a file ends early."""
        return b"".join(part.read() if isinstance(part, FilePart) else part for part in self.parts)


Whole = (bytes, memoryview)
"""What a body is that is there already."""
Body = bytes | memoryview | Iterator[Piece | Mixed]


class Reply:
    """One answer. A body given as an iterator is pulled on a worker thread, piece by piece, as the client takes it."""

    __slots__ = ("ahead", "begun", "body", "headers", "length", "status")

    def __init__(
        self,
        body: Body = b"",
        media_type: bytes | None = None,
        status: int = 200,
        headers: Iterable[tuple[bytes, bytes]] = (),
        length: int | None = None,
    ) -> None:
        self.body = body
        self.begun: Piece | Mixed = b""
        """First piece of an iterator, pulled before the status was sent."""
        self.ahead = 0
        """Bytes that were sent already, of the head and then the body."""
        self.status = status
        self.length = len(body) if isinstance(body, Whole) else length
        """Bytes of the body; None where they are not known before."""
        self.headers: Headers = [(b"content-type", media_type)] if media_type else []
        self.headers.extend(headers)

    @property
    def long_body(self) -> Piece | None:
        """The body, where it is there already, and takes some time to send."""
        return self.body if isinstance(self.body, Whole) and len(self.body) >= LONG else None


def is_there(*headers: tuple[bytes, bytes]) -> Reply:
    """The answer of a HEAD that does not look up how long the answer of GET would be."""
    reply = Reply(headers=headers)
    reply.length = None
    return reply


def octets(body: Body, length: int | None = None) -> Reply:
    """Bytes."""
    return Reply(body, OCTETS, length=length)


def json_bytes(body: Body) -> Reply:
    """JSON that is written already."""
    return Reply(body, JSON)


def gather(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same bytes in pieces of at least PIECE bytes, but for the last. Large ones are neither copied nor held."""
    waiting: list[Piece] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        del piece
        if size >= PIECE:
            size = 0
            yield _taken(waiting)
    if waiting:
        yield _taken(waiting)


def _taken(waiting: list[Piece]) -> Piece:
    joined = waiting[0] if len(waiting) == 1 else b"".join(waiting)
    waiting.clear()
    return joined


def pieces_reply(pieces: Iterable[Piece], media_type: bytes, length: int | None = None) -> Reply:
    """Pieces made on the way: a few go out whole, with their length; more are gathered, and go as they are taken."""
    begun: list[Piece] = []
    size = 0
    pieces = iter(pieces)
    for piece in pieces:
        begun.append(piece)
        size += len(piece)
        if size > WHOLE:
            return Reply(gather(_chain(begun, pieces)), media_type, length=length)
    return Reply(begun[0] if len(begun) == 1 else b"".join(begun), media_type)


def _chain(begun: list[Piece], rest: Iterator[Piece]) -> Iterator[Piece]:
    """What was begun is let go of as it is sent."""
    begun.reverse()
    while begun:
        yield begun.pop()
    yield from rest


def json_reply(value: Any) -> Reply:
    """A value as JSON."""
    return Reply(orjson.dumps(value), JSON)


def text_reply(text: str) -> Reply:
    """Plain text."""
    return Reply(text.encode(), TEXT)


DONE = Reply()
"""An empty answer: it worked."""
