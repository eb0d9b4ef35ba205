"""Where shapes are made: beside the workers of the server, one at a time, with bounds of time and memory."""

from __future__ import annotations

import asyncio
import atexit
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import msgspec

from dvidpy.datatypes.exchange import Reply
from dvidpy.datatypes.views.shapes.making import HEAD, SECONDS, Order
from dvidpy.errors import Busy, NotFound, TooLarge

PATIENCE_S = 180.0
"""Nothing takes longer, on a machine that is busy with other things; see also `making.SECONDS`."""
WAITING = 64
"""Requests that may wait; more are refused."""
NEEDED = {"mesh": "zmesh", "obj": "zmesh", "draco": "DracoPy", "skeleton": "kimimaro"}
"""Libraries by what is made."""


def can_make(what: str) -> bool:
    """Whether the library for it is installed."""
    return find_spec(NEEDED[what]) is not None


def demand_made(what: str) -> None:
    """NotFound where it cannot be made here."""
    if not can_make(what):
        raise NotFound(f"{NEEDED[what]} is not installed on this server, see dvidpy[meshes]: no shapes are made here")


class Workshop:
    """Two threads, so that what is at hand need not wait for what is being made; one process that makes."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="shapes")
        self._maker = Maker()
        self._waiting = 0

    async def answer(self, work: Callable[[], Reply]) -> Reply:
        """What `work` answers on a thread of its own; Busy when too many wait. For the event loop."""
        if self._waiting >= WAITING:
            raise Busy(f"{self._waiting} meshes and skeletons are waiting to be made")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def make(self, order: Order) -> dict[str, Any]:
        """What the process made; TooLarge where it takes too much time or memory."""
        return self._maker.make(order)


class Maker:
    """The process. It is started when there is something to make, and again when it had to be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.end)

    def make(self, order: Order) -> dict[str, Any]:
        """What it made of an order; TooLarge where it takes too much time or memory."""
        with self._lock:
            process = self._running()
            late = threading.Timer(PATIENCE_S, process.kill)
            late.start()
            try:
                reply = _exchange(process, order)
            finally:
                late.cancel()
            if reply is None:
                self.end()
        if reply is None or reply.get("error") == "memory":
            raise TooLarge(f"the {order.what} takes more than {SECONDS} s, or too much memory: ask a coarser scale")
        if "error" in reply:
            raise RuntimeError(f"{order.what}: {reply['error']}")
        return reply

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", "dvidpy.datatypes.views.shapes.making"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
        return self._process

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _exchange(process: subprocess.Popen[bytes], order: Order) -> dict[str, Any] | None:
    """Its reply; none where it ended before."""
    assert process.stdin is not None
    assert process.stdout is not None
    text = msgspec.msgpack.encode(order)
    try:
        process.stdin.write(HEAD.pack(len(text)) + text)
        process.stdin.flush()
    except BrokenPipeError:
        return None
    head = process.stdout.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    size = HEAD.unpack(head)[0]
    said = process.stdout.read(size)
    return msgspec.msgpack.decode(said) if len(said) == size else None


WORKSHOP = Workshop()
"""That of this program."""
