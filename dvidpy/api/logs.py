"""One structured line per request, and the trace of every bug of ours.

Lines are gathered and written together, at the latest after LATE_S: a system call a line would cost more than a
small answer.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from itertools import starmap
from typing import Protocol

import orjson
import structlog

from dvidpy.datatypes.exchange import Call

LATE_S = 0.1
MANY = 100
"""Lines that are written at once, however early."""


class LogStream(Protocol):
    """What lines are written to: standard error, or a file."""

    def write(self, lines: bytes, /) -> object:
        """Add whole lines."""
        ...

    def flush(self) -> object:
        """Let readers see them."""
        ...


class RequestLog:
    """Writes JSON lines to a stream (standard error)."""

    def __init__(self, stream: LogStream | None = None, *, enabled: bool = True) -> None:
        self._stream = stream or sys.stderr.buffer
        self._enabled = enabled
        self._lines: list[tuple[Call, int, float, int, int]] = []

    def line(self, call: Call, status: int, seconds: float, received: int, sent: int) -> None:
        """A request is over."""
        if not self._enabled:
            return
        self._lines.append((call, status, seconds, received, sent))
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(LATE_S, self.flush)
        elif len(self._lines) >= MANY:
            self.flush()

    def trace(self, call: Call, error: BaseException) -> None:
        """Something went wrong that is no refusal."""
        self.flush()
        text = "".join(traceback.format_exception(error))
        structlog.get_logger().error(
            "internal error", id=call.id, method=call.method, path=call.readable_path, trace=text
        )

    def flush(self) -> None:
        """Write what is waiting."""
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write(b"".join(starmap(_line, lines)))
            self._stream.flush()


def _line(call: Call, status: int, seconds: float, received: int, sent: int) -> bytes:
    entry = {
        "event": "request",
        "id": call.id,
        "method": call.method,
        "path": call.readable_path,
        "status": status,
        "ms": round(seconds * 1000, 3),
        "in": received,
        "out": sent,
    }
    if call.query_string:
        entry.update({name: call.query[key] for key, name in (("u", "user"), ("app", "app")) if key in call.query})
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
