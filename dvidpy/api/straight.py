"""Long answers past the event loop: the worker that makes a piece also sends it, until the client must take some first.

What is in files is read a megabyte at a time, into the same room. Measured in docs/decisions/022-straight-answers.md.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from dvidpy.api.heads import answer_head
from dvidpy.datatypes.exchange import STALLED_S, Gone, Headers, Mixed, Piece, Pool, Reply
from dvidpy.storage.file_parts import FilePart

WAIT_MS = 2
"""Milliseconds that a worker waits for the client, at most, before it does something else."""
SLICE_S = 0.01
"""Seconds after which it asks whether there is something else to do, though the client takes all."""
TOGETHER = 64
"""Parts that are given to the system at once, at most."""
ROOM = 1 << 20
"""Bytes of files that are read before they are sent."""
_MORE = getattr(socket, "MSG_MORE", 0)


class _Frame(bytes):
    """What HTTP puts around a piece of a body whose length was not said."""


Part = Piece | FilePart


class Straight:
    """The way past one connection's transport, for one answer. `cycle` is uvicorn's of that answer."""

    def __init__(self, transport: Any, cycle: Any) -> None:
        self._transport, self._cycle = transport, cycle
        self._own: socket.socket | None = None

    def ahead(self, extra: Headers) -> Callable[[Reply], Reply] | None:
        """What a worker sends a long answer by, as soon as it has made it, before the loop hears of it; none where
        something is still on its way, or uvicorn must answer.
        """
        transport, cycle = self._transport, self._cycle
        if not self.may() or not cycle.keep_alive or cycle.disconnected or transport.get_write_buffer_size():
            return None
        try:
            own = self._own = _own_socket(transport)
        except OSError:  # the client is gone, or there are no more numbers
            return None

        def send(reply: Reply) -> Reply:
            headers, body = reply.headers + extra, reply.long_body
            if body is not None and _stays(headers):
                parts: list[Part] = [answer_head(reply.status, headers, reply.length), body]
                with suppress(Gone):  # the loop will see
                    reply.ahead = _Sending(own, iter([parts])).push()
            return reply

        return send

    def close(self) -> None:
        """The answer is over."""
        if self._own is not None:
            self._own.close()

    def answer(self, reply: Reply, headers: Headers, body: bytes | memoryview) -> bool:
        """Send a whole answer, or what is left of it, by one write; not where uvicorn must, which says that it closes
        the connection, and waits for a client that takes nothing.
        """
        cycle = self._cycle
        if not reply.ahead and (not cycle.keep_alive or cycle.flow.write_paused or not _stays(headers)):
            return False
        if not cycle.disconnected:
            cycle.waiting_for_100_continue = False
            head = answer_head(reply.status, headers, reply.length)
            if not reply.ahead:
                self._transport.writelines((head, body))
            elif reply.ahead < len(head) + len(body):
                self._transport.writelines((head[reply.ahead :], memoryview(body)[max(reply.ahead - len(head), 0) :]))
            cycle.response_started = cycle.response_complete = True
            cycle.message_event.set()
            if not cycle.keep_alive:  # the server has begun to stop since a part went ahead
                self._transport.close()
            cycle.on_response()
        return True

    def may(self) -> bool:
        """Whether this system sends files, and the answer goes out as it is. Its head was sent."""
        return sys.platform == "linux" and self._transport.get_extra_info("sslcontext") is None

    async def send(self, pieces: Iterator[Piece | Mixed], pool: Pool, taken: Callable[[int], None]) -> None:
        """`taken` hears of bytes each time the client took some. Gone where it has left, StoreError for a bad file,
        TimeoutError where it takes nothing for long.
        """
        own = _own_socket(self._transport)
        try:
            await self._flushed(own)
            sending = _Sending(own, self._framed(pieces))
            while not sending.over:
                count = await _finished(pool.begin(sending.push))
                if not self._cycle.chunked_encoding:
                    self._cycle.expected_content_length -= count
                self._demand_connected()
                taken(count)
                if sending.full:
                    await _writable(own)
        finally:
            own.close()

    async def _flushed(self, own: socket.socket) -> None:
        """Return when all was sent that the transport was given."""
        await asyncio.sleep(0)  # it writes at the end of a turn of the loop
        while self._transport.get_write_buffer_size():
            await _writable(own)
            self._demand_connected()

    def _demand_connected(self) -> None:
        if self._cycle.disconnected or self._transport.is_closing():
            raise Gone

    def _framed(self, pieces: Iterator[Piece | Mixed]) -> Iterator[list[Part]]:
        """The parts of each piece, as they stand in the answer."""
        promised, sized = self._cycle.expected_content_length, not self._cycle.chunked_encoding
        for piece in pieces:
            size = piece.size if isinstance(piece, Mixed) else len(piece)
            parts: list[Part] = [*piece.parts] if isinstance(piece, Mixed) else [piece]
            del piece
            promised -= size
            if sized and promised < 0:
                raise AssertionError("an answer is longer than it said")
            if size:  # an empty piece would be the end of it
                yield parts if sized else [_Frame(b"%x\r\n" % size), *parts, _Frame(b"\r\n")]


class _Sending:
    """An answer on its way out; for one thread at a time."""

    def __init__(self, own: socket.socket, pieces: Iterator[list[Part]]) -> None:
        self.over = False
        """All was sent."""
        self.full = False
        """The client must take some first."""
        self._own = own
        self._pieces = pieces
        self._left: list[Part] = []
        """Of the piece that is being sent, the last first."""
        self._ready: list[Piece] = []
        """Of these, what is given to the system next, in memory and in order."""
        self._room = memoryview(b"")
        """Where those of them are that were in files."""
        self._next: list[Part] | None = None
        self._poll = select.poll()
        self._poll.register(own, select.POLLOUT)

    def push(self) -> int:
        """Send for a while; bytes of the body that the connection took."""
        sent, until = 0, time.monotonic() + SLICE_S
        self.full = False
        while self._load():
            try:
                count = self._own.sendmsg(self._ready, (), _MORE if self._left else 0)
            except BlockingIOError:
                self._look_ahead()
                self.full = not self._poll.poll(WAIT_MS)
                if self.full:
                    return sent
                continue
            except OSError as error:
                raise Gone from error
            sent += self._given(count)
            if time.monotonic() > until:
                return sent
        self.over = True
        return sent

    def _load(self) -> bool:
        """There is something to send. StoreError for a bad file."""
        if not self._ready:
            if not self._left:
                self._look_ahead()
                self._left, self._next = [part for part in (self._next or [])[::-1] if _size(part)], None
            self._fetch()
        return bool(self._ready)

    def _fetch(self) -> None:
        """Make the next parts ready. Nobody needs what is in the room any more."""
        used = 0
        while self._left and len(self._ready) < TOGETHER and used < ROOM:
            part = self._left.pop()
            if isinstance(part, FilePart):
                self._room = self._room or memoryview(bytearray(ROOM))
                room = self._room[used : used + part.size]
                part.file.read_into(room, part.offset)
                used += len(room)
                if len(room) < part.size:
                    self._left.append(part.behind(len(room)))
                part = room
            self._ready.append(part)

    def _look_ahead(self) -> None:
        """The next piece is made, while the client takes this one."""
        if self._next is None:
            self._next = next(self._pieces, None)

    def _given(self, count: int) -> int:
        """The connection took so many bytes; how many of them are of the body."""
        sent = 0
        for number, part in enumerate(self._ready):
            taken = min(count, len(part))
            sent += 0 if isinstance(part, _Frame) else taken
            count -= taken
            if taken < len(part):
                rest = _Frame(part[taken:]) if isinstance(part, _Frame) else memoryview(part)[taken:]
                self._ready[: number + 1] = [rest]
                return sent
        self._ready = []
        return sent


def _size(part: Part) -> int:
    return part.size if isinstance(part, FilePart) else len(part)


def _stays(headers: Headers) -> bool:
    """An answer says nothing of its connection."""
    return not any(name == b"connection" for name, _ in headers)


def _own_socket(transport: Any) -> socket.socket:
    """The connection under a number of our own: the transport may close its at any moment."""
    own = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    own.setblocking(False)
    return own


async def _finished(work: asyncio.Future[int]) -> int:
    """Its result; not left while a thread is in it."""
    try:
        return await asyncio.shield(work)
    finally:
        if not work.done():
            await asyncio.wait([work])


async def _writable(own: socket.socket) -> None:
    """Return when the client took some, or is gone; TimeoutError where nothing happens for long."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(own, ready.set)
    try:
        async with asyncio.timeout(STALLED_S):
            await ready.wait()
    finally:
        loop.remove_writer(own)
