"""From files to the client by the system itself (`sendfile`): what an answer only passes on is not copied twice.

Measured in docs/decisions/021-long-values.md.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
import sys
from collections.abc import Callable
from typing import Any

from dvidpy.datatypes.exchange import Gone, Mixed, Piece, Pool
from dvidpy.errors import StoreError
from dvidpy.storage.file_parts import FilePart

WAIT_MS = 2
"""Milliseconds that a worker waits for the client, at most, before it does something else."""
_MORE = getattr(socket, "MSG_MORE", 0)


class Straight:
    """The way past one connection's transport, for one answer. `cycle` is uvicorn's of that answer."""

    def __init__(self, transport: Any, cycle: Any) -> None:
        self._transport, self._cycle = transport, cycle

    def may(self, piece: Mixed) -> bool:
        """Whether this system sends files so, and the answer goes out as it is. Its head was sent."""
        plain = not self._cycle.chunked_encoding and self._cycle.expected_content_length >= piece.size
        return plain and sys.platform == "linux" and self._transport.get_extra_info("sslcontext") is None

    async def send(self, piece: Mixed, pool: Pool, taken: Callable[[int], None]) -> None:
        """`taken` hears of bytes each time the client took some. Gone where it has left, StoreError for a bad file."""
        own = _own_socket(self._transport)
        try:
            await self._flushed(own)
            sending = _Sending(own, piece)
            while not sending.over():
                count = await _finished(pool.begin(sending.push))
                self._cycle.expected_content_length -= count
                self._demand_connected()
                taken(count)
                if not count:
                    await _writable(own)
        except OSError as error:
            raise Gone from error
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


class _Sending:
    """A piece on its way out; for one thread at a time."""

    def __init__(self, own: socket.socket, piece: Mixed) -> None:
        self._own = own
        self._left = piece.parts[::-1]
        self._poll = select.poll()
        self._poll.register(own, select.POLLOUT)

    def over(self) -> bool:
        """All was sent."""
        return not self._left

    def push(self) -> int:
        """Send until the client must take some first; number of bytes."""
        sent = 0
        while self._left:
            part = self._left.pop()
            try:
                count = self._give(part)
            except BlockingIOError:
                self._left.append(part)
                if not self._poll.poll(WAIT_MS):
                    return sent
                continue
            sent += count
            if count < _size(part):
                self._left.append(part.behind(count) if isinstance(part, FilePart) else part[count:])
        return sent

    def _give(self, part: Piece | FilePart) -> int:
        if not isinstance(part, FilePart):
            return self._own.send(part, _MORE if self._left else 0)
        try:
            count = os.sendfile(self._own.fileno(), part.file.fd, part.offset, part.size)
        except OSError as error:
            if error.errno != errno.EIO:
                raise  # it is about the connection
            raise StoreError(f"{part.file.path} cannot be read: {error}") from error
        if not count:
            raise part.file.short(part.offset + part.size)
        return count


def _size(part: Piece | FilePart) -> int:
    return part.size if isinstance(part, FilePart) else len(part)


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
    """Return when the client took some, or is gone."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(own, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(own)
