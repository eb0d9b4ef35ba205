"""Every way a request can be refused, with the HTTP status it is answered with.

Handlers and the layers below raise these; `dvidpy.api` turns them into plain text. Anything else that is
raised is a bug of ours and becomes a 500 with a request id.
"""

from __future__ import annotations


class DvidError(Exception):
    """A refusal: `status` is the HTTP status, the message is what the client reads."""

    status = 400
    headers: tuple[tuple[bytes, bytes], ...] = ()


class BadRequest(DvidError):
    """The request itself makes no sense: 400."""


class UnknownVersion(BadRequest):
    """No version, or more than one, goes by that reference: 400, as the reference answers."""


class UnknownInstance(BadRequest):
    """The repo has no data instance of that name: 400, as the reference answers."""


class LockedVersion(BadRequest):
    """The version is committed and cannot be changed: 400, as the reference answers."""


class NotPrivileged(BadRequest):
    """The request needs the admin token: 400, as the reference answers."""


class NotFound(DvidError):
    """What was asked for is not there: 404."""

    status = 404


class UnknownRoute(NotFound):
    """A route that is not shown to this caller: 404, as where there is no such route."""


class TooSlow(DvidError):
    """The body stopped coming: 408; the connection is of no more use."""

    status = 408
    headers = ((b"connection", b"close"),)


class TooLarge(DvidError):
    """The request or the answer is beyond the configured limits: 413."""

    status = 413


class RangeNotSatisfiable(DvidError):
    """The byte range lies outside the value: 416 with `Content-Range: bytes */size`."""

    status = 416

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.headers = ((b"content-range", b"bytes */%d" % size),)


class Blocked(DvidError):
    """The block list names this caller: 429."""

    status = 429


class BadGateway(DvidError):
    """Another server that was asked for this answered with an error, or not at all: 502."""

    status = 502


class Busy(DvidError):
    """The server cannot take this now; asking again later helps: 503 with Retry-After."""

    status = 503
    headers = ((b"retry-after", b"1"),)


class StoreError(Exception):
    """A store cannot be opened or holds what this program did not write; not the fault of a request."""
