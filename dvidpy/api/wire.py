"""Small answers in one system call: uvicorn's HTTP protocol with a short way for what needs no waiting.

uvicorn makes a task, a cycle object and two writes for every request: some 30 us. A GET or HEAD without a body, whose
handler is quick (`at_once`), is answered here instead, with one write, before the task would have begun. All else
goes uvicorn's way. Measured in docs/decisions/003-dispatch.md.
"""

from __future__ import annotations

from asyncio import Event
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dvidpy.api.front import Front
from dvidpy.datatypes.exchange import Headers, Reply

_LONG_WAY = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""Headers of requests that may have a body, or want more than an answer."""


class _Answered:
    """Stands where uvicorn keeps the cycle of the last request: it is complete."""

    response_complete = True
    disconnected = False
    message_event = Event()


class WireProtocol(HttpToolsProtocol):
    """One connection."""

    def on_headers_complete(self) -> None:
        """Answer at once where that is possible."""
        if not self._answer_now():
            super().on_headers_complete()

    def _answer_now(self) -> bool:
        parser, scope = self.parser, self.scope
        method = parser.get_method()
        if method not in (b"GET", b"HEAD") or not self._is_idle() or parser.get_http_version() != "1.1":
            return False
        if any(name in _LONG_WAY for name, _ in self.headers):
            return False
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["method"] = method.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        app: Front = self.app  # ours; `serve` puts nothing around it
        answer = app.answer_now(scope)  # type: ignore[arg-type]  # a TypedDict
        if answer is None:
            return False
        self._write(*answer, head=method == b"HEAD", keep=parser.should_keep_alive())
        return True

    def _is_idle(self) -> bool:
        """No earlier request of the connection is being answered, and the client takes what it is sent."""
        cycle: Any = self.cycle
        return (cycle is None or cycle.response_complete) and not self.flow.write_paused

    def _write(self, reply: Reply, extra: Headers, *, head: bool, keep: bool) -> None:
        lines = [STATUS_LINE[reply.status]]
        for name, value in reply.headers + extra:
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"content-length: %d\r\n" % (reply.length or 0))
        lines.append(b"\r\n" if keep else b"connection: close\r\n\r\n")
        if not head:
            lines.append(reply.body)  # type: ignore[arg-type]  # bytes: `answer_now` gives no other
        self.transport.write(b"".join(lines))
        self.cycle = _Answered()  # type: ignore[assignment]
        if keep:
            self.on_response_complete()
        else:
            self.transport.close()
