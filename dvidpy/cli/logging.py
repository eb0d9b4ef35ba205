"""Structured logs: JSON lines on standard error."""

from __future__ import annotations

import logging
import sys

import orjson
import structlog


def configure_logging(*, verbose: bool = False) -> None:
    """Send everything, other libraries' messages too, through structlog."""
    level = logging.DEBUG if verbose else logging.INFO
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=level, force=True)


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
