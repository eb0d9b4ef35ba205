"""Structured logs: JSON lines on standard error."""

from __future__ import annotations

import logging
import sys

import orjson
import structlog

from dvidpy.api.logs import LogStream


def configure_logging(*, verbose: bool = False, stream: LogStream | None = None) -> None:
    """Send everything, other libraries' messages too, through structlog; to a stream, or standard error."""
    level = logging.DEBUG if verbose else logging.INFO
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines(stream or sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=level, force=True)


class _Lines:
    """Makes loggers that write lines; structlog's own take real files only."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream

    def __call__(self, *_: object) -> _Lines:
        return self

    def msg(self, line: bytes) -> None:
        self._stream.write(line + b"\n")
        self._stream.flush()

    debug = info = warning = error = critical = msg


def _dumps(value: object, **_: object) -> bytes:
    return orjson.dumps(value, default=str)


class _Forward(logging.Handler):
    """Messages of the standard library's logging, into structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        method = {logging.DEBUG: log.debug, logging.INFO: log.info, logging.WARNING: log.warning}.get(
            record.levelno, log.error
        )
        method(record.getMessage(), logger=record.name, **({"exc_info": record.exc_info} if record.exc_info else {}))
