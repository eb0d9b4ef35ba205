"""Heads of HTTP requests, targets and blocks of headers that were met before; and those of answers."""

from __future__ import annotations

import re
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from dvidpy.datatypes.exchange import Headers

LONGEST = 2048
"""Bytes of a block of headers that is remembered."""
MANY = 1000
"""Blocks remembered; then all are forgotten, as what comes every day is soon known again."""
_LONG_WAY = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""Headers of requests that may have a body, or want more than an answer."""

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


class KnownHeads:
    """Blocks of headers by their bytes, the empty line included."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, Headers] = {}
        self.get = self._blocks.get

    def learn(self, block: bytes, headers: Headers) -> None:
        """Remember what a block says, if it is one: headers, one empty line, nothing behind."""
        if len(block) > LONGEST or (block != b"\r\n" and block.find(b"\r\n\r\n") != len(block) - 4):
            return
        if len(self._blocks) >= MANY:
            self._blocks.clear()
        self._blocks[block] = headers


def without_body(headers: Headers) -> bool:
    """The request has no body and wants nothing but an answer."""
    return not any(name in _LONG_WAY for name, _ in headers)


def quoted(data: bytes) -> bytes:
    """Bytes of a request with those of its first line that are not ASCII percent-encoded: the parser refuses them."""
    line, end, rest = data.partition(b"\r\n")
    return data if line.isascii() else _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line) + end + rest


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Target of a request -> path and query, neither decoded. A proxy's `http://host/path` is `/path`."""
    if not target.startswith(b"/") and b"://" in target:
        host, slash, path = target.partition(b"://")[2].partition(b"/")
        target = slash + path if slash else b"/" + host[host.find(b"?") :] if b"?" in host else b"/"
    path, _, query = target.partition(b"#")[0].partition(b"?")
    return path, query


def answer_head(status: int, headers: Headers, length: int | None) -> bytes:
    """The head of an answer that goes out whole; without a length where that is not known, as for some HEADs."""
    said = b"" if length is None else b"content-length: %d\r\n" % length
    return b"%s%s\r\n" % (_beginning(status, *headers), said)


@lru_cache(MANY)
def _beginning(status: int, *headers: tuple[bytes, bytes]) -> bytes:
    """Status line and headers of an answer; most have the same."""
    if any(b"\r" in value or b"\n" in value for _, value in headers):
        raise ValueError(f"a header of more than a line: {headers}")
    return STATUS_LINE[status] + b"".join(b"%s: %s\r\n" % header for header in headers)
