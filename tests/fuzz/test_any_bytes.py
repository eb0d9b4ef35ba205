"""Any bytes as path, query, headers and body of every route: never a 500, and a sound store in the end."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import TOKEN, Served, running

from dvidpy.api.dispatch import StaticTable
from dvidpy.api.instances import table_of_type
from dvidpy.api.openapi import STATIC_ROOMS
from dvidpy.config import ServerSettings, Settings, StoreSettings
from dvidpy.datatypes.registry import load_types

FUZZ = settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
MORE = settings(FUZZ, max_examples=200)
LONG = settings(FUZZ, max_examples=400, derandomize=False)

NUMBERS = st.sampled_from([b"0", b"1", b"-1", b"64", b"4294967296", b"-9223372036854775809", b"1e9", b"9" * 400])
TRIPLES = st.lists(NUMBERS, min_size=1, max_size=4).map(b"_".join)
WORDS = st.sampled_from(
    [b"true", b"null", b"xy", b"0_1", b"0_1_2", b"png", b"raw", b"lz4", b"..", b"*", b"{key}", b":"]
)
PARTS = (
    st.binary(max_size=8) | NUMBERS | TRIPLES | WORDS | st.text(max_size=6).map(lambda t: t.encode("utf-8", "replace"))
)
KEYS = [
    b"u",
    b"app",
    b"throttle",
    b"json",
    b"tar",
    b"check",
    b"scale",
    b"roi",
    b"compression",
    b"byte_start",
    b"byte_end",
]
KEYS += [b"replace", b"size", b"offset", b"attenuation", b"interactive", b"userid", b"admintoken", b"mutate", b"blocks"]
QUERY = st.lists(st.tuples(st.sampled_from(KEYS) | st.binary(max_size=4), PARTS), max_size=3)
VALUES = st.binary(max_size=12).filter(lambda value: not re.search(rb"[\r\n\x00]", value))
NAMES = [b"Range", b"Content-Encoding", b"Accept-Encoding", b"Origin", b"Forwarded", b"X-Forwarded-For", b"Expect"]
NAMES += [b"Content-Type", b"Authorization", b"If-None-Match", b"Access-Control-Request-Method", b"Host"]
GIVEN = [b"gzip", b"bytes=0-0", b"bytes=-", b"http://[", b"for=127.0.0.1", b"100-continue", b"*"]
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), VALUES | st.sampled_from(GIVEN)), max_size=3)
JSON = st.sampled_from(
    [b"{}", b"[]", b"null", b'{"parents":["a"]}', b'["a",1]', b"[[1,2],[3]]", b'{"note":1}', b"[" * 2000]
)
BODY = (
    st.binary(max_size=60)
    | JSON
    | st.integers(0, 5000).map(bytes)
    | st.just(b"\x1f\x8b\x08\x00")
    | st.just(b"\x0a\xff" * 9)
)
TRY = st.tuples(st.lists(PARTS, min_size=6, max_size=6), QUERY, HEADERS, BODY)

Route = tuple[str, str]


def _routes() -> list[Route]:
    """(method, template) of all routes."""
    found = {(method, "/" + "/".join(shape)) for method, shape in StaticTable(STATIC_ROOMS)._table}
    for name, kind in load_types().items():
        for (_, method), endpoints in table_of_type(kind).items():
            found |= {(method, f"/api/node/*/={name}" + re.sub(r"{\w+}", "*", e.path)) for e in endpoints}
    return sorted(found)


@pytest.fixture(scope="module")
def target() -> Iterator[Served]:
    """One server for all requests."""
    server = ServerSettings(admin_token=TOKEN, workers=2, max_request_bytes=1 << 20, cors_domains=("example.org",))
    with running(Settings(server=server, stores={"main": StoreSettings(engine="memory")})) as served:
        root = served.repo()
        for name in load_types():
            served.instance(root, name, name)
        yield served
        assert served.http.get("/api/heartbeat").text == "OK"
        served.wait_until(lambda: served.server.metrics.active == 0)
        assert served.server.datastore.gates.writing() == 0
        assert served.server.pool.under_way == 0


def _place(served: Served, template: str, parts: list[bytes]) -> bytes:
    """The template with these parts; the version is one that is there."""
    root = next(iter(served.server.datastore.catalogue.repos))
    waiting = iter(parts)
    filled = []
    for at, part in enumerate(template.split("/")):
        if part == "*":
            given = next(waiting)
            filled.append(root if at == 3 else quote_from_bytes(given, safe=""))
        else:
            filled.append(part.lstrip("="))
    return "/".join(filled).encode()


def _ask(served: Served, method: str, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> int:
    """Status of the answer; 0 where the server hung up without one, which it may do to nonsense."""
    line = HTTPConnection("127.0.0.1", served.port, timeout=20)
    try:
        line.connect()
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        line.sock.sendall(b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (method.encode(), path, head, len(body)))
        line.sock.sendall(body)
        return _status(line.sock)
    finally:
        line.close()


def _status(line: socket.socket) -> int:
    answer = b""
    while True:
        head, ended, rest = answer.partition(b"\r\n\r\n")
        if ended and not head.startswith(b"HTTP/1.1 100"):
            return int(head.split(b" ", 2)[1])
        if ended:
            answer = rest
            continue
        try:
            piece = line.recv(1 << 16)
        except ConnectionResetError:
            return 0
        if not piece:
            return 0
        answer += piece


Try = tuple[list[bytes], list[tuple[bytes, bytes]], list[tuple[bytes, bytes]], bytes]
EVERY_ROUTE = pytest.mark.parametrize("route", _routes(), ids=" ".join)


def _try(target: Served, route: Route, tried: Try) -> None:
    parts, query, headers, body = tried
    place = _place(target, route[1], parts)
    asked = b"&".join(b"%b=%b" % tuple(quote_from_bytes(text).encode() for text in pair) for pair in query)
    status = _ask(target, route[0], place + (b"?" + asked if asked else b""), headers, body)
    assert 0 < status < 500 or status == 503, target.log.getvalue()[-2000:]


@EVERY_ROUTE
@FUZZ
@given(TRY)
def test_any_bytes_to_every_route(target: Served, route: Route, tried: Try) -> None:
    _try(target, route, tried)


@pytest.mark.long
@EVERY_ROUTE
@LONG
@given(TRY)
def test_many_bytes_to_every_route(target: Served, route: Route, tried: Try) -> None:
    _try(target, route, tried)


@MORE
@given(st.binary(max_size=300) | st.lists(PARTS, max_size=9).map(lambda parts: b"GET /api/" + b"/".join(parts)))
def test_any_bytes_on_the_line(target: Served, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", target.port), timeout=20) as line:
        line.sendall(sent + b" HTTP/1.1\r\nConnection: close\r\n\r\n")
        line.shutdown(socket.SHUT_WR)
        status = _status(line)
    assert status < 500
    assert target.http.get("/api/heartbeat").text == "OK"


@MORE
@given(st.lists(PARTS, max_size=7), st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]))
def test_any_path(target: Served, parts: list[bytes], method: str) -> None:
    path = "/api/" + "/".join(quote_from_bytes(part, safe="") for part in parts)
    assert _ask(target, method, path.encode(), [], b"") in (200, 400, 404)
