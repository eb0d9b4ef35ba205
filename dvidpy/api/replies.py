"""Answers and refusals on the wire: plain text as the reference gives it, bodies with their length, streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator
from itertools import chain
from typing import Any

from dvidpy.api.straight import Straight
from dvidpy.datatypes.exchange import STALLED_S, UTF8, Call, Gone, Headers, Mixed, Piece, Pool, Receive, Reply, Whole
from dvidpy.errors import DvidError, UnknownRoute

Message = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]


def refusal(error: DvidError, path: str) -> Reply:
    """A refusal as the reference words it: message, then the path in brackets."""
    if isinstance(error, UnknownRoute):
        return not_found()
    return Reply(f"{error} ({path}).\n".encode("utf-8", "replace"), UTF8, error.status, error.headers)


def not_found() -> Reply:
    """No such route: 404."""
    return Reply(b"404 page not found\n", UTF8, 404)


def options(allowed: list[str]) -> Reply:
    """What OPTIONS says of a route of the server, a repo or a version; 404 where it answers no method."""
    return (
        Reply(b"", UTF8, headers=((b"allow", ", ".join([*allowed, "OPTIONS"]).encode()),)) if allowed else not_found()
    )


async def begin(reply: Reply, call: Call) -> Reply:
    """Make the first piece of a stream: what goes wrong there is still refused in words, with its own status."""
    if not isinstance(reply.body, Whole) and call.method != "HEAD":
        reply.begun = await call.pool.go_on(next, reply.body, b"")
    return reply


async def send_reply(
    reply: Reply,
    send: Send,
    receive: Receive,
    extra: Headers,
    pool: Pool,
    *,
    head: bool,
    straight: Straight | None = None,
) -> int:
    """Send an answer; bytes of its body. For HEAD the headers only. Gone where the client leaves in the middle."""
    headers, body = reply.headers + extra if extra else reply.headers, reply.body
    if isinstance(body, Whole):
        return await _send_whole(reply, headers, b"" if head else body, send, straight)
    await send(_start(reply, headers))
    try:
        if not head:
            return await _send_stream(reply.begun, body, send, receive, pool, straight)
        await send({"type": "http.response.body", "body": b""})
        return 0
    finally:
        if isinstance(body, Generator):
            await pool.go_on(body.close)  # lets go of snapshots now, on a thread where its pieces were made


def _start(reply: Reply, headers: Headers) -> Message:
    if reply.length is not None:
        headers = [*headers, (b"content-length", b"%d" % reply.length)]
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


async def _send_whole(reply: Reply, headers: Headers, body: Piece, send: Send, straight: Straight | None) -> int:
    if straight is None or reply.length is None or not straight.answer(reply, headers, body):
        await send(_start(reply, headers))
        await send({"type": "http.response.body", "body": body})
    return len(body)


async def _send_stream(
    first: Piece | Mixed,
    body: Iterator[Piece | Mixed],
    send: Send,
    receive: Receive,
    pool: Pool,
    straight: Straight | None,
) -> int:
    """Pieces are made on a worker thread while the client takes those before; no thread waits for a slow client."""
    sent = 0
    hung_up = asyncio.ensure_future(_hung_up(receive))

    def taken(count: int) -> None:
        nonlocal sent
        if hung_up.done():  # servers swallow what is sent to nobody: the rest would be made for nothing
            raise Gone
        sent += count

    try:
        if straight is not None and straight.may():
            await straight.send(chain((first,), body), pool, taken)
        else:
            await _send_pieces(first, body, send, pool, taken)
        await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        raise Gone from None
    finally:
        hung_up.cancel()
    return sent


async def _send_pieces(
    first: Piece | Mixed, body: Iterator[Piece | Mixed], send: Send, pool: Pool, taken: Callable[[int], None]
) -> None:
    """Through a server that is not ours. TimeoutError where the client takes nothing for long."""
    coming: asyncio.Future[Piece | Mixed | None] = pool.begin(next, body, None)
    piece: Piece | Mixed | None = first
    try:
        while piece is not None:
            whole = await pool.go_on(piece.read) if isinstance(piece, Mixed) else piece
            async with asyncio.timeout(STALLED_S):  # it is the client that may be given up, not our own work
                await send({"type": "http.response.body", "body": whole, "more_body": True})
            taken(len(whole))
            piece = await coming
            if piece is not None:
                coming = pool.begin(next, body, None)
    finally:
        await asyncio.gather(coming, return_exceptions=True)  # no thread is inside the body when it is closed


async def _hung_up(receive: Receive) -> None:
    """Return when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
