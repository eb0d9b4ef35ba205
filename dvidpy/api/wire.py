"""One connection: uvicorn's HTTP protocol with a short way for small answers, long paths, and patience that ends.

uvicorn parses every header of every request, makes a task and a cycle object for it, and writes twice. A GET or HEAD
without a body, whose handler is quick (`at_once`), is answered here instead, with one write. Clients send the same
headers again and again: a block of headers that was parsed once, and found harmless, is known by its bytes. All else
goes uvicorn's way. Measured in docs/decisions/008-quick-answers.md.
"""

from __future__ import annotations

import re
from asyncio import Event, TimerHandle
from typing import Any
from urllib.parse import unquote

import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dvidpy.api.front import Begun, Front
from dvidpy.api.heads import KnownHeads, answer_head, quoted, split_target, without_body
from dvidpy.api.straight import Straight
from dvidpy.datatypes.exchange import Headers, Reply, Whole

LONGEST_TARGET = 1 << 20
"""Bytes of the longest path and query: `specificblocks` names thousands of blocks in one."""
LONGEST_HEAD = 1 << 18
"""Bytes of all headers of a request."""
LARGE = 1 << 16
"""Bytes of a quick answer from which on it costs more to put its head before it than to write twice."""
KEEP_ALIVE_S = 600
"""Seconds that an idle connection stays: clients send a POST on one they left long ago, and do not try again."""

_LINE = re.compile(rb"(GET|HEAD) (/[!-\"$->@-~]*)(?:\?([!-\"$-~]*))? HTTP/1\.1\r\n")
"""First line of a request that may be a quick one: method, path, query."""
_METHODS = {b"GET": "GET", b"HEAD": "HEAD"}
_known = KnownHeads()
"""Shared by all connections: the clients of a program all send the same."""


def listening(app: Front, **more: Any) -> uvicorn.Config:
    """How uvicorn serves the application: `Front` keeps the log, and no header is added to its answers."""
    quiet: dict[str, Any] = {"access_log": False, "log_config": None, "server_header": False, "date_header": False}
    return uvicorn.Config(
        app, http=WireProtocol, ws="none", proxy_headers=False, timeout_keep_alive=KEEP_ALIVE_S, **quiet, **more
    )


class _Answered:
    """Stands where uvicorn keeps the cycle of the last request: it is complete."""

    response_complete = True
    disconnected = False
    message_event = Event()


_ANSWERED: Any = _Answered()


class _Pieces:
    """What came of a body and was not taken yet: uvicorn's bytearray copies all of it twice more."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """More of it."""
        self._pieces.append(piece)
        self._size += len(piece)

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)


class WireProtocol(HttpToolsProtocol):
    """One connection."""

    _between = True
    """The parser stands between two messages."""
    _in_target = False
    """The parser stands in the first line of a message."""
    _begun = 0
    """Messages that began in the piece of data being parsed."""
    _harmless = False
    """The headers parsed last are those of a request without a body on a connection that stays."""
    _size = 0
    """Bytes of the headers of this message."""
    _resting_since = 0.0
    _tried = False
    """The short way was tried for this message, in vain."""
    _prepared: Begun | None = None
    """How far it went."""

    # ------------------------------------------------------------------ the short way
    def data_received(self, data: bytes) -> None:
        """Answer at once where that is possible; else parse."""
        if self._between and self._is_idle() and self._answer_again(data):
            return
        if (self._between or self._in_target) and not data.isascii():
            data = quoted(data)
        if not self._between:
            self._flush()
            super().data_received(data)
            return
        line = _LINE.match(data)
        if line is not None:
            headers = _known.get(data[line.end() :])
            method, path, query = line.groups()
            if headers is not None and self._is_idle() and self._answer_now(method, path, query or b"", headers, data):
                return
        self._begun, self._harmless = 0, False
        self._flush()
        super().data_received(data)
        if line is not None and self._harmless and self._between and self._begun == 1:
            _known.learn(data[line.end() :], self.headers)

    def _answer_again(self, data: bytes) -> bool:
        app: Front = self.app  # ours; `serve` puts nothing around it
        answer = app.answer_again(data, self.client[0] if self.client else "")
        if answer is None:
            return False
        self._write(app, *answer, head=data.startswith(b"HEAD"))
        return True

    def _answer_now(self, method: bytes, path: bytes, query: bytes, headers: Headers, asked: bytes = b"") -> bool:
        app: Front = self.app
        client = self.client[0] if self.client else ""
        answer = app.answer_now(_METHODS[method], text_of(path), query, headers, client, asked)
        if answer is None or isinstance(answer, Begun):
            self._tried, self._prepared = True, answer
            return False
        self._write(app, *answer, head=method == b"HEAD")
        return True

    def _write(self, app: Front, reply: Reply, extra: Headers, *, head: bool) -> None:
        body = b"" if head else reply.body
        assert isinstance(body, Whole)  # what is sent in pieces takes waiting
        begun = answer_head(reply.status, [*reply.headers, *extra], reply.length)
        if len(body) > LARGE:
            self._flush()
            self.transport.writelines((begun, body))
        else:
            app.outbox.write(self.loop, self.transport, b"%s%s" % (begun, body), told=app.lingering.awake)
        self.cycle = _ANSWERED  # the client takes what it is sent, and asked nothing else: there is nothing to resume
        self.server_state.total_requests += 1
        self._rest()
        app.lingering.answered(self.loop)

    def _flush(self) -> None:
        """What comes next stays behind the quick answers."""
        self.app.outbox.flush()

    def _is_idle(self) -> bool:
        """No earlier request of the connection is being answered, and the client takes what it is sent."""
        cycle: Any = self.cycle
        return (cycle is None or cycle.response_complete) and not self.flow.write_paused

    # ------------------------------------------------------------------ uvicorn's way
    def on_message_begin(self) -> None:
        """The first byte of a request was met."""
        self._between, self._in_target = False, True
        self._begun += 1
        self._size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        super().on_url(url)
        if len(self.url) > LONGEST_TARGET:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        super().on_header(name, value)
        self._in_target = False
        self._size += len(name) + len(value)
        if self._size > LONGEST_HEAD:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        """Answer at once where that is possible; else as uvicorn does, but with a path of any length and any bytes."""
        self._in_target = False
        if self.transport.is_closing():
            return
        path, query = split_target(self.url)
        method = self.parser.get_method()
        if method in (b"GET", b"HEAD") and without_body(self.headers):
            self._harmless = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
            quick = self._harmless and not self._tried and self._is_idle()
            if quick and self._answer_now(method, path, query, self.headers):
                return
        prepared, self._tried, self._prepared = self._prepared, False, None
        self.url = b"/"  # uvicorn refuses targets of more than 64 KiB, and bytes that are not ASCII
        super().on_headers_complete()
        scope: Any = self.scope  # its task has not begun
        scope["path"], scope["raw_path"], scope["query_string"] = text_of(path), path, query
        scope["straight"], scope["prepared"] = Straight(self.transport, self.cycle), prepared

    def on_body(self, body: bytes) -> None:
        """A piece of the body; as uvicorn's, but kept as it is."""
        cycle: Any = self.cycle
        if (self.parser.should_upgrade() and self._should_upgrade()) or cycle.response_complete:
            return
        if not isinstance(cycle.body, _Pieces):
            cycle.body = _Pieces()
        cycle.body.add(body)
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The last byte of a request was met."""
        self._between = True
        super().on_message_complete()

    def _refuse(self, status: int) -> None:
        self._flush()
        if not self.transport.is_closing():
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()

    # ------------------------------------------------------------------ patience
    # One timer a connection, set again when it goes off, not at every request.
    def connection_made(self, transport: Any) -> None:
        """Somebody connected."""
        super().connection_made(transport)
        self.access_log = False  # where anybody logs at all, uvicorn would, and cannot quote every path
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over, however it ended."""
        super().connection_lost(exc)
        super()._unset_keepalive_if_required()

    def on_response_complete(self) -> None:
        """An answer was sent: begin the next request of the pipeline, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._rest()

    def _unset_keepalive_if_required(self) -> None:
        """The timer goes on; `timeout_keep_alive_handler` sees what happened meanwhile."""

    def _rest(self) -> None:
        self._resting_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait(self.timeout_keep_alive)

    def _wait(self, seconds: float) -> None:
        self.timeout_keep_alive_task: TimerHandle | None = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Hang up on who asked nothing for so long; half a head sent is nothing asked."""
        left = self._resting_since + self.timeout_keep_alive - self.loop.time()
        if not self._is_idle():
            left = self.timeout_keep_alive
        if left > 0:
            self._wait(left)
        elif not self.transport.is_closing():
            self._flush()
            self.transport.close()

    def eof_received(self) -> None:
        """The client asks nothing more: the transport closes."""
        self._flush()

    def shutdown(self) -> None:
        """The server ends."""
        self._flush()
        super().shutdown()


def text_of(path: bytes) -> str:
    """Path as text, percent signs resolved; bytes that are not UTF-8 stand as lone surrogates, each its own."""
    text = path.decode("utf-8", "surrogateescape")
    return unquote(text, errors="surrogateescape") if "%" in text else text
