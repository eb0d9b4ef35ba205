"""Cross-origin requests, as corsDomains says: every answer carries the headers, preflights are answered at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from dvidpy.datatypes.exchange import Headers, Reply

_EXPOSED = (b"access-control-expose-headers", b"content-range, accept-ranges, etag, retry-after, x-request-id")
_CREDENTIALS = (b"access-control-allow-credentials", b"true")
"""To origins that are named, never to all: Neuroglancer asks for a token with the cookies of who guards the server."""


class Cors:
    """corsDomains: "*" for all, or origins ("https://x.org") and domains ("x.org", its subdomains with it)."""

    def __init__(self, domains: Sequence[str], *, timing: bool) -> None:
        self._domains = tuple(domain.strip().rstrip("/").lower() for domain in domains)
        self._all = "*" in self._domains
        self._timing: Headers = [(b"timing-allow-origin", b"*")] if timing else []
        self._for_all: Headers = [(b"access-control-allow-origin", b"*"), _EXPOSED, *self._timing]

    def headers(self, given: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Headers to add to an answer."""
        if self._all:
            return self._for_all
        if not self._domains:
            return self._timing
        origin = next((value for name, value in given if name == b"origin"), b"")
        if not self._allows(origin.decode("latin-1").lower()):
            return [(b"vary", b"origin"), *self._timing]
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin"), _CREDENTIALS, _EXPOSED, *self._timing]

    @staticmethod
    def is_preflight(given: Iterable[tuple[bytes, bytes]]) -> bool:
        """A true preflight names its origin and the method it will use."""
        names = {name for name, _ in given}
        return b"origin" in names and b"access-control-request-method" in names

    @staticmethod
    def preflight() -> Reply:
        """The answer to a preflight; who may ask stands in the headers that every answer gets."""
        return Reply(
            status=204,
            headers=[
                (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE"),
                (b"access-control-allow-headers", b"authorization, content-type, content-encoding, range"),
                (b"access-control-max-age", b"86400"),
            ],
        )

    def _allows(self, origin: str) -> bool:
        try:
            host = urlsplit(origin).hostname or ""
        except ValueError:  # "http://["
            return False
        return bool(origin) and any(domain in (origin, host) or host.endswith("." + domain) for domain in self._domains)
