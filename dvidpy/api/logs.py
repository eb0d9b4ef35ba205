"""One structured line per request, and the trace of every bug of ours.

Lines come here gathered by `metrics`: a system call a line would cost more than a small answer.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from typing import Protocol

import orjson
import structlog

from dvidpy.api.metrics import Over
from dvidpy.datatypes.exchange import Call

SILENT = frozenset({"/api/load", "/api/heartbeat", "/api/user-latencies", "/healthz", "/readyz", "/metrics"})
"""Polled by machines: no log line, no block list."""


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

    def __init__(self, stream: LogStream | None = None) -> None:
        self._stream = stream or sys.stderr.buffer

    def write(self, requests: Iterable[Over]) -> None:
        """These requests are over."""
        self._stream.write(b"".join([_line(over) for over in requests if over[0].path not in SILENT]))
        self._stream.flush()


def trace(call: Call, error: BaseException) -> None:
    """Log that something went wrong that is no refusal."""
    text = "".join(traceback.format_exception(error))
    structlog.get_logger().error("internal error", id=call.id, method=call.method, path=call.readable_path, trace=text)


def _line(over: Over) -> bytes:
    call = over[0]
    entry = {
        "event": "request",
        "id": call.id,
        "method": call.method,
        "path": call.readable_path,
        "status": over[1],
        "ms": round((over[3] - over[2]) * 1000, 3),
        "in": over[4],
        "out": over[5],
    }
    if call.query_string:
        entry.update({name: call.query[key] for key, name in (("u", "user"), ("app", "app")) if key in call.query})
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
