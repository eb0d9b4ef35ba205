"""Answers and refusals on the wire: plain text as the reference gives it, bodies with their length, streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from dvidpy.datatypes.exchange import TEXT, Headers, Pool, Reply
from dvidpy.errors import DvidError

Send = Callable[[Any], Awaitable[None]]


def refusal(error: DvidError, path: str) -> Reply:
    """A refusal as the reference words it: message, then the path in brackets."""
    return Reply(f"{error} ({path}).\n".encode("utf-8", "replace"), TEXT, error.status, error.headers)


def not_found() -> Reply:
    """No such route: 404."""
    return Reply(b"404 page not found\n", TEXT, 404)


async def send_reply(reply: Reply, send: Send, extra: Headers, pool: Pool, *, head: bool) -> int:
    """Send an answer; bytes of its body. For HEAD the headers only."""
    headers = reply.headers + extra if extra else reply.headers
    if reply.length is not None:
        headers = [*headers, (b"content-length", b"%d" % reply.length)]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = reply.body
    if head or isinstance(body, bytes):
        whole = b"" if head else body
        await send({"type": "http.response.body", "body": whole})
        return len(whole)  # type: ignore[arg-type]  # bytes, by the line above
    return await _send_stream(body, send, pool)


async def _send_stream(body: Iterator[bytes], send: Send, pool: Pool) -> int:
    """Pull each piece on a worker thread, as the client takes it; no thread waits for a slow client."""
    sent = 0
    while (piece := await pool.go_on(next, body, None)) is not None:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        sent += len(piece)
    await send({"type": "http.response.body", "body": b""})
    return sent
