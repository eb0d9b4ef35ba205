"""Clients that are slow, leave, pipeline or send nonsense: they hold nothing, and nothing is misread."""

from __future__ import annotations

import gzip
import re
import secrets
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from served import TOKEN, Serve, Served, running

from dvidpy.api import replies, straight
from dvidpy.config import ServerSettings, Settings, StoreSettings
from dvidpy.datatypes import exchange

LARGE = 40_000_000
PARTS = (b"\x20", b"\x21")


def statuses(answer: bytes) -> list[int]:
    """Status of every answer in a row."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def reset(line: socket.socket) -> None:
    """Vanish."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=10)


def idle(served: Served) -> bool:
    """No request, thread, gate or throttled place is taken."""
    server = served.server
    busy = (server.metrics.active, server.pool.under_way, server.datastore.gates.writing(), server.throttled)
    return busy == (0, 0, 0, 0)


@pytest.fixture
def kv(served: Served) -> str:
    return served.instance(served.repo())


# ---------------------------------------------------------------------- leaving
@pytest.mark.parametrize("path", ["key/a", "keyvalues"])
def test_a_client_that_vanishes_in_an_upload_leaves_nothing(served: Served, kv: str, path: str) -> None:
    line = connect(served)
    line.sendall(b"POST %b/%b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (kv.encode(), path.encode(), LARGE))
    line.sendall(bytes(3_000_000))
    store = served.server.datastore.main.store
    if path == "key/a":
        served.wait_until(lambda: bool(list(store.scan_keys(*PARTS))))
    reset(line)
    served.wait_until(lambda: idle(served))
    assert list(store.scan_keys(*PARTS)) == []
    assert served.http.get(f"{kv}/keys").json() == []
    assert served.http.get(f"{kv}/mutations").json() == []


class Counted:
    """Counts the pieces of a stream that are made, and whether it was closed."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = threading.Event()

    def pieces(self) -> Any:
        try:
            for _ in range(10_000):
                self.made += 1
                yield bytes(1 << 20)
        finally:
            self.closed.set()


def stream_from(served: Served, kv: str, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """A client that asked for 10 GB and reads none of it."""
    from dvidpy.datatypes.exchange import pieces_reply
    from dvidpy.datatypes.keyvalues import forms

    monkeypatch.setattr(forms, "pieces_reply", lambda _, media_type: pieces_reply(counted.pieces(), media_type))
    line = connect(served)
    line.sendall(b"GET %b/keyrangevalues/a/z?throttle=true HTTP/1.1\r\n\r\n" % kv.encode())
    assert line.recv(20).startswith(b"HTTP/1.1 200")
    return line


def test_a_client_that_vanishes_in_an_answer_stops_its_making(
    served: Served, kv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted()
    line = stream_from(served, kv, counted, monkeypatch)
    assert served.server.throttled == 1  # until it is sent
    reset(line)
    served.wait_until(lambda: idle(served))
    assert counted.closed.is_set()
    assert counted.made < 1000
    assert b'"status":499' in served.log_lines()[-1]


def test_a_client_that_reads_nothing_takes_no_thread_and_is_given_up(
    served: Served, kv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (replies, straight):
        monkeypatch.setattr(module, "STALLED_S", 1.0)
    counted = Counted()
    line = stream_from(served, kv, counted, monkeypatch)
    served.wait_until(lambda: served.server.pool.under_way == 0)
    assert served.http.get(f"{kv}/keyrange/a/b").json() == []  # a worker is free while the client still stalls
    served.wait_until(lambda: idle(served))
    assert counted.closed.is_set()
    assert counted.made < 1000
    line.close()


def test_an_upload_that_stops_is_given_up(served: Served, kv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "STALLED_S", 0.3)
    for path in ("key/a", "keyvalues"):
        head = b"POST %b/%b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (kv.encode(), path.encode(), LARGE)
        answer = served.raw(head + bytes(2_000_000))
        assert statuses(answer) == [408]
        assert b"connection: close" in answer.lower()
    assert idle(served)
    assert list(served.server.datastore.main.store.scan_keys(*PARTS)) == []


# ---------------------------------------------------------------------- too much at once
def test_a_full_pool_is_503_and_small_answers_still_come(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(workers=1, max_waiting=1)
    kv = served.instance(served.repo())
    served.http.post(f"{kv}/key/a", content=b"1")
    go_on = threading.Event()
    from dvidpy.datatypes.keyvalue.values import KeyValue

    monkeypatch.setattr(KeyValue, "all_keys", lambda self: [str(go_on.wait(20))])
    found: list[int] = []

    def ask() -> None:
        line = served.plain()
        line.request("GET", f"{kv}/keys")
        found.append(line.getresponse().status)
        line.close()

    waiting = [threading.Thread(target=ask) for _ in range(2)]
    for thread in waiting:
        thread.start()
    served.wait_until(lambda: served.server.pool.under_way == 2)
    refused = served.http.get(f"{kv}/keys")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert served.http.get(f"{kv}/key/a").content == b"1"
    assert served.http.get("/api/heartbeat").text == "OK"
    go_on.set()
    for thread in waiting:
        thread.join(20)
    assert found == [200, 200]


@pytest.mark.parametrize("value", ["on", "true"])
def test_throttled_requests_beyond_the_limit_are_503(
    served: Served, kv: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted()
    line = stream_from(served, kv, counted, monkeypatch)
    refused = served.http.get(f"{kv}/mutations?throttle={value}")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    for other in ("off", "false", "1", "On", ""):
        assert served.http.get(f"{kv}/mutations?throttle={other}").status_code == 200
    reset(line)
    served.wait_until(lambda: idle(served))
    assert served.http.get(f"{kv}/mutations?throttle={value}").status_code == 200


def test_a_bomb_is_413(serve: Serve) -> None:
    served = serve(max_request_bytes=1_000_000)
    kv = served.instance(served.repo())
    bomb = gzip.compress(bytes(10_000_000))
    packed = {"Content-Encoding": "gzip"}
    for path in ("key/a", "keyvalues", "tags", "blobstore"):
        assert served.http.post(f"{kv}/{path}", content=bomb, headers=packed).status_code == 413, path
        nested = gzip.compress(bytes(999_999)) * 2
        assert served.http.post(f"{kv}/{path}", content=nested, headers=packed).status_code == 413, path
    for path in ("keyvalues", "tags", "blobstore"):
        assert served.http.post(f"{kv}/{path}", content=bytes(1_000_001)).status_code == 413, path
        assert served.http.post(f"{kv}/{path}", content=iter([bytes(600_000)] * 2)).status_code == 413, path
    assert served.http.get(f"{kv}/keys").json() == []
    assert list(served.server.datastore.main.store.scan_keys(*PARTS)) == []
    assert served.http.post(f"{kv}/key/a", content=bytes(1_200_000)).status_code == 200  # it streams through


# ---------------------------------------------------------------------- one connection, many requests
def test_requests_behind_one_that_was_refused_early_are_not_misread(serve: Serve) -> None:
    served = serve(max_request_bytes=1000)
    kv = served.instance(served.repo()).encode()
    inner = b"POST %b/key/smuggled HTTP/1.1\r\nContent-Length: 1\r\n\r\nx" % kv
    body = inner * 3000
    for path, status in [(b"/api/nowhere", 404), (kv + b"/keyvalues", 413), (kv + b"/nothing", 400)]:
        head = b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (path, len(body))
        after = b"GET %b/keys HTTP/1.1\r\n\r\nGET /api/heartbeat HTTP/1.1\r\nConnection: close\r\n\r\n" % kv
        answer = served.raw(head + body + after)
        assert statuses(answer) == [status, 200, 200]
        assert answer.endswith(b"OK")
        assert b"[]" in answer
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        head = b"POST %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" % path
        assert statuses(served.raw(head + chunks + after)) == [status, 200, 200]


def test_pipelined_requests_are_answered_in_order(served: Served, kv: str) -> None:
    place = kv.encode()
    requests = b"".join(
        b"POST %b/key/%d HTTP/1.1\r\nContent-Length: 2\r\n\r\n%02d" % (place, n, n)
        + b"GET %b/key/%d HTTP/1.1\r\n\r\nHEAD %b/key/%d HTTP/1.1\r\n\r\n" % (place, n, place, n)
        + b"GET %b/keyrange/%d/%d HTTP/1.1\r\n\r\nGET /api/nowhere HTTP/1.1\r\n\r\n" % (place, n, n)
        for n in range(40)
    )
    answer = served.raw(requests + b"GET /api/heartbeat HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert statuses(answer) == [200, 200, 200, 200, 404] * 40 + [200]
    assert re.findall(rb"\r\n\r\n(\d\d)HTTP", answer) == [b"%02d" % n for n in range(40)]


def test_what_follows_a_last_request_is_not_answered(served: Served) -> None:
    once = b"GET /api/heartbeat HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert statuses(served.raw(once * 3)) == [200]
    assert statuses(served.raw(b"GET /api/heartbeat HTTP/1.0\r\n\r\n" + once)) == [200]


def test_get_with_a_body(served: Served, kv: str) -> None:
    served.http.post(f"{kv}/key/a", content=b"1")
    for path, body in [
        ("keyvalues?json=true", b'["a"]'),
        ("key/a", b"what for"),
        ("info", b"x"),
        ("keys", b"x" * 99_999),
    ]:
        assert served.http.request("GET", f"{kv}/{path}", content=body).status_code == 200
        assert served.http.request("GET", f"{kv}/{path}", content=iter([body])).status_code == 200
    assert served.http.request("GET", "/api/heartbeat", content=b"x").text == "OK"


def test_expect_100_is_answered_when_the_body_is_wanted(served: Served, kv: str) -> None:
    head = b"POST %b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"
    assert statuses(served.raw(head % (kv.encode() + b"/key/a") + b"x")) == [100, 200]
    assert statuses(served.raw(head % b"/api/nowhere" + b"x")) == [404]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET /api/heartbeat HTTP/9.9\r\n\r\n",
        b"GET /api/\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"CONNECT somewhere:80 HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"GET * HTTP/1.1\r\n\r\n",
        b"GET ? HTTP/1.1\r\n\r\n",
        b"GET /api/heartbeat HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /api/heartbeat HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /api/repos HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /api/repos HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        b"POST /api/repos HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/heartbeat HTTP/1.1\r\nA" + b"a" * 200_000 + b": x\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /api/heartbeat HTTP/1.1\r\nOrigin: http://[\r\n\r\n",
        b"GET /api/heartbeat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=lambda given: given[:30].decode("latin-1").strip()[:24],
)
def test_broken_http_is_refused_and_the_server_goes_on(serve: Serve, request_bytes: bytes) -> None:
    served = serve(cors_domains=("example.org",))
    answer = served.raw(request_bytes, seconds=0.5)
    assert all(status < 500 for status in statuses(answer)), answer
    assert served.http.get("/api/heartbeat").text == "OK"
    assert b"internal error" not in served.log.getvalue()


def test_a_hundred_idle_connections_hold_nobody_up(served: Served, kv: str) -> None:
    head = b"POST %b/key/a HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345" % kv.encode()
    lines = [connect(served) for _ in range(100)]
    for line in lines:
        line.sendall(head)
    served.wait_until(lambda: served.server.metrics.active == 100)
    assert (served.server.pool.under_way, served.server.datastore.gates.writing()) == (0, 0)
    assert served.http.post(f"{kv}/key/b", content=b"1").status_code == 200
    for line in lines:
        reset(line)
    served.wait_until(lambda: idle(served))
    assert served.http.get(f"{kv}/keys").json() == ["b"]


def test_answers_from_disk_that_nobody_waits_for_let_go_of_their_snapshots(tmp_path: Path) -> None:
    stores = {"main": StoreSettings(engine="leveldb", path=str(tmp_path / "store"))}
    value = secrets.token_bytes(900_000)
    with running(Settings(server=ServerSettings(workers=2, admin_token=TOKEN), stores=stores)) as served:
        kv = served.instance(served.repo())
        for number in range(30):
            served.http.post(f"{kv}/key/k{number:02}", content=value)
        served.http.post(f"{kv}/key/large", content=value * 20)
        asked = b'["' + b'","'.join([b"k01", b"large"] * 20) + b'"]'
        requests = [
            b"GET %b/keyrangevalues/a/z HTTP/1.1\r\n\r\n" % kv.encode(),
            b"GET %b/key/large HTTP/1.1\r\n\r\n" % kv.encode(),
            b"GET %b/keyvalues?tar=true HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (kv.encode(), len(asked), asked),
        ]
        for number in range(15):
            line = connect(served)
            line.sendall(requests[number % 3])
            assert line.recv(1 << 12).startswith(b"HTTP/1.1 200")
            reset(line)
        served.wait_until(lambda: idle(served))
        whole = served.http.get(f"{kv}/key/large")
        assert whole.content == value * 20
    assert served.server.datastore.stacks == {}  # closed, with nothing in its way
