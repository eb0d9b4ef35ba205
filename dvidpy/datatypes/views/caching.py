"""Answers that clients keep: ETag, Cache-Control, 304, single ranges of bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.exchange import Body, Call, Headers, Mixed, Reply, Whole
from dvidpy.datatypes.keyvalues.spans import header_span
from dvidpy.datatypes.labels.packing import pack
from dvidpy.errors import RangeNotSatisfiable

FOREVER = (b"cache-control", b"max-age=31536000, immutable")
ASK_AGAIN = (b"cache-control", b"no-cache")
"""It may be kept, but not used unasked."""
RANGES = (b"accept-ranges", b"bytes")


def kept_reply(
    call: Call,
    sources: Sequence[Data],
    make: Callable[[], Body],
    media_type: bytes,
    *,
    packed: bool = False,
    also: str = "",
    length: int | None = None,
) -> Reply:
    """An answer made of the values of some instances; `make` is not called where the client has it already.

    With `packed`, clients that take gzip get gzip. A range is one of the plain bytes. `also` names what else the answer
    depends on, such as a setting: it may change whatever is committed. `length` is that of a body made in pieces, which
    go out as they are unless they must be whole.
    """
    gzip = packed and b"range" not in call.headers and _takes_gzip(call)
    tag = b'"%b%b%b"' % (tag_of(sources), also.encode() and b"-%b" % _digest(also.encode()), b"-gzip" if gzip else b"")
    lasting = FOREVER if not also and _is_lasting(call, sources) else ASK_AGAIN
    headers: Headers = [(b"etag", tag), lasting, RANGES]
    if packed:
        headers.append((b"vary", b"accept-encoding"))
    if _has(call, tag):
        return Reply(status=304, headers=headers)
    body = make()
    if gzip:
        return Reply(pack(_whole(body), "gzip"), media_type, headers=[*headers, (b"content-encoding", b"gzip")])
    if not isinstance(body, Whole) and b"range" not in call.headers:
        return Reply(body, media_type, headers=headers, length=length)
    return _ranged(call, tag, Reply(_whole(body), media_type, headers=headers))


def small_reply(call: Call, body: bytes, media_type: bytes) -> Reply:
    """An answer that costs little to make: its tag is that of its bytes, and clients ask each time."""
    tag = b'"%b"' % _digest(body)
    headers: Headers = [(b"etag", tag), ASK_AGAIN, RANGES]
    if _has(call, tag):
        return Reply(status=304, headers=headers)
    return _ranged(call, tag, Reply(body, media_type, headers=headers))


def tag_of(sources: Sequence[Data]) -> bytes:
    """Another text after each edit of what these instances show; to be asked for before they are read."""
    return "+".join(
        f"{one.version_uuid}-{one.instance.number:x}-{one.datastore.edition(one.instance, one.view.ancestry.members)}"
        for one in sources
    ).encode()


def _whole(body: Body) -> bytes:
    return bytes(body) if isinstance(body, Whole) else b"".join(p.read() if isinstance(p, Mixed) else p for p in body)


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).hexdigest().encode()


def _is_lasting(call: Call, sources: Sequence[Data]) -> bool:
    """It stays as it is, and what was asked for, as it was written, stays what it names."""
    asked = call.path.split("/")[3]
    settings = sources[0].datastore.settings.server
    return not settings.fullwrite and all(one.is_settled and asked == one.node.uuid for one in sources)


def _has(call: Call, tag: bytes) -> bool:
    """The client names the tag among those it has."""
    given = call.headers.get(b"if-none-match", b"")
    return any(one.strip().removeprefix(b"W/") in (tag, b"*") for one in given.split(b","))


def _takes_gzip(call: Call) -> bool:
    """Accept-Encoding names gzip, and does not refuse it."""
    for one in call.headers.get(b"accept-encoding", b"").split(b","):
        name, _, weight = one.replace(b" ", b"").lower().partition(b";")
        if name == b"gzip":
            return weight not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


def _ranged(call: Call, tag: bytes, whole: Reply) -> Reply:
    """The part of an answer that a Range header asks for, or the whole one."""
    body = whole.body
    assert isinstance(body, bytes)
    header = call.headers.get(b"range", b"").decode("latin-1")
    if not header or call.headers.get(b"if-range", tag) != tag:
        return whole
    if not body:
        raise RangeNotSatisfiable("there are no bytes", 0)
    span = header_span(header, len(body))
    if span is None:
        return whole
    headers = [*whole.headers, (b"content-range", b"bytes %d-%d/%d" % (*span, len(body)))]
    return Reply(body[span.start : span.end + 1], status=206, headers=headers)
