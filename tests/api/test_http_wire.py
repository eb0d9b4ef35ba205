"""The wire itself, through raw sockets: long and odd paths, heads that are known again, idle lines, cut streams."""

from __future__ import annotations

import secrets
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import TOKEN, Served, running
from servers import ServerProcess

from dvidpy.api import heads, wire
from dvidpy.api.heads import KnownHeads, split_target
from dvidpy.api.wire import LONGEST_HEAD, LONGEST_TARGET, WireProtocol
from dvidpy.config import ServerSettings, Settings, StoreSettings
from dvidpy.errors import BadRequest

CLOSE = b"Connection: close\r\n\r\n"


@pytest.fixture
def kv(served: Served) -> str:
    return served.instance(served.repo())


def get(path: bytes, headers: bytes = b"") -> bytes:
    return b"GET %b HTTP/1.1\r\n%b" % (path, headers)


def connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=10)


def answer(line: socket.socket, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of one answer."""
    line.sendall(request)
    got = b""
    while b"\r\n\r\n" not in got:
        got += line.recv(1 << 16)
    head, _, body = got.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < size:
        body += line.recv(1 << 16)
    assert len(body) == size
    return head, body


# ---------------------------------------------------------------------- paths
def test_a_target_of_a_mebibyte(served: Served, kv: str) -> None:
    served.http.post(f"{kv}/key/a", content=b"1")
    path = b"%b/key/a?" % kv.encode()
    room = LONGEST_TARGET - len(path)
    for size in (65_400, 65_535, 65_536, 70_000, room):
        assert served.raw(get(path + b"x" * size, CLOSE)).endswith(b"\r\n\r\n1"), size
    refused = served.raw(get(path + b"x" * (room + 1), CLOSE))
    assert refused.startswith(b"HTTP/1.1 414 ")
    assert served.http.get(f"{kv}/key/a").content == b"1"


def test_a_target_in_drops(served: Served, kv: str) -> None:
    served.http.post(f"{kv}/key/a", content=b"1")
    with connect(served) as line:
        request = get(b"%b/key/a?u=x" % kv.encode(), b"A: b\r\n\r\n")
        for at in range(len(request) - 1):
            line.sendall(request[at : at + 1])
        assert answer(line, request[-1:])[1] == b"1"
        assert answer(line, request)[1] == b"1"


def test_headers_beyond_the_limit_are_431(served: Served) -> None:
    many = b"".join(b"A%d: %b\r\n" % (n, b"x" * 8000) for n in range(LONGEST_HEAD // 8000 + 1))
    assert served.raw(get(b"/api/heartbeat", many + CLOSE)).startswith(b"HTTP/1.1 431 ")
    assert served.raw(get(b"/api/heartbeat", many[:100_000].rpartition(b"\r\n")[0] + b"\r\n" + CLOSE)).endswith(b"OK")


def test_raw_utf8_and_percent_signs_name_the_same_key(served: Served, kv: str) -> None:
    place = kv.encode()
    served.http.post(f"{kv}/key/%C3%A4%E2%82%AC", content=b"1")
    assert served.raw(get(place + "/key/ä€".encode(), CLOSE)).endswith(b"\r\n\r\n1")
    post = b"POST %b/key/%b HTTP/1.1\r\nContent-Length: 1\r\n%b2" % (place, "ö".encode(), CLOSE)
    assert served.raw(post).startswith(b"HTTP/1.1 200")
    assert served.http.get(f"{kv}/keys").json() == ["ä€", "ö"]


def test_bytes_that_are_no_text_are_keys_of_their_own(served: Served, kv: str) -> None:
    for name in ("%ff", "%fe", "a%80", "%C0%AF", "%ed%a0%80", "%ef%bf%bd"):
        assert served.http.post(f"{kv}/key/{name}", content=name.encode()).status_code == 200
    for name in ("%ff", "%fe", "a%80", "%C0%AF", "%ed%a0%80", "%ef%bf%bd"):
        assert served.http.get(f"{kv}/key/{name}").content == name.encode()
    assert served.raw(get(kv.encode() + b"/key/\xff", CLOSE)).endswith(b"\r\n\r\n%ff")
    assert len(served.http.get(f"{kv}/keys").json()) == 6
    assert served.http.get(f"{kv}/keyrange/%fe/%ff").json() == ["\ufffd", "\ufffd"]
    assert served.http.get(f"{kv}/keyrangevalues/%fe/%ff?json=true").status_code == 200
    assert served.http.get(f"{kv}/keyrangevalues/%fe/%ff?tar=true").status_code == 200
    assert served.http.get(f"{kv}/keyrangevalues/%fe/%ff").status_code == 200
    assert served.http.delete(f"{kv}/key/%ff").status_code == 200
    assert served.http.get(f"{kv}/key/%ff").status_code == 404
    assert served.http.get(f"{kv}/key/%fe").content == b"%fe"
    assert len(served.http.get(f"{kv}/mutations").json()) == 7


def test_no_route_redirects_for_a_slash(served: Served, kv: str) -> None:
    for path in ("/docs/", "/openapi.json/", "/healthz/", "/api/help/", f"{kv}/keys/", "/api/repos/"):
        assert served.http.get(path, follow_redirects=False).status_code in (200, 404), path


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a?b", b"/a", b"b"),
        (b"/a?b?c#d", b"/a", b"b?c"),
        (b"/a#d?b", b"/a", b""),
        (b"http://host:80/a?b", b"/a", b"b"),
        (b"http://host", b"/", b""),
        (b"http://host?b", b"/", b"b"),
        (b"/http://host/a", b"/http://host/a", b""),
        (b"*", b"*", b""),
        (b"", b"", b""),
    ],
)
def test_targets(target: bytes, path: bytes, query: bytes) -> None:
    assert split_target(target) == (path, query)


def test_a_proxy_s_target(served: Served) -> None:
    assert served.raw(get(b"http://127.0.0.1/api/heartbeat", CLOSE)).endswith(b"OK")


# ---------------------------------------------------------------------- heads that are known again
@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> KnownHeads:
    fresh = KnownHeads()
    monkeypatch.setattr(wire, "_known", fresh)
    return fresh


def test_the_second_request_with_the_same_headers_is_the_same(served: Served, kv: str, known: KnownHeads) -> None:
    served.http.post(f"{kv}/key/a", content=b"0123456789")
    block = b"Host: x\r\nRange: bytes=2-4\r\n\r\n"
    with connect(served) as line:
        first = answer(line, get(kv.encode() + b"/key/a", block))
        assert known.get(block) is not None
        for _ in range(3):
            assert answer(line, get(kv.encode() + b"/key/a", block)) == first
        assert first[1] == b"234"
        assert answer(line, get(kv.encode() + b"/key/a", b"Host: x\r\n\r\n"))[1] == b"0123456789"
        head = b"HEAD %b/key/a HTTP/1.1\r\nHost: x\r\n\r\n" % kv.encode()
        line.sendall(head)
        assert line.recv(1 << 12).startswith(b"HTTP/1.1 200")
        assert answer(line, get(kv.encode() + b"/key/b?u=x", b"Host: x\r\n\r\n"))[0].startswith(b"HTTP/1.1 404")
    last = b"".join(served.log_lines()[-1:])
    assert b'"user":"x"' in last


@pytest.mark.parametrize(
    "block",
    [
        b"Content-Length: 0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"Expect: 100-continue\r\n\r\n",
        b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"Connection: close\r\n\r\n",
        b"A: b\r\n\r\nGET /api/heartbeat HTTP/1.1\r\n\r\n",
        b"A: %b\r\n\r\n" % (b"x" * heads.LONGEST),
    ],
)
def test_what_is_no_harmless_block_of_headers_is_not_learned(served: Served, known: KnownHeads, block: bytes) -> None:
    for _ in range(2):
        served.raw(get(b"/api/heartbeat", block), seconds=0.2)
        assert known.get(block) is None


def test_known_heads_are_bounded() -> None:
    known = KnownHeads()
    for number in range(3 * heads.MANY):
        known.learn(b"A: %d\r\n\r\n" % number, [(b"a", b"%d" % number)])
    assert len(known._blocks) <= heads.MANY
    assert known.get(b"A: %d\r\n\r\n" % (3 * heads.MANY - 1)) is not None


def test_a_known_head_behind_half_a_body_is_part_of_the_body(served: Served, kv: str, known: KnownHeads) -> None:
    block = b"Host: x\r\n\r\n"
    inner = get(b"/api/heartbeat", block)
    with connect(served) as line:
        assert answer(line, inner)[1] == b"OK"
        assert known.get(block) is not None
        line.sendall(b"POST %b/key/a HTTP/1.1\r\nContent-Length: %d\r\n\r\n1" % (kv.encode(), len(inner) + 1))
        time.sleep(0.1)
        answer(line, inner)
        assert answer(line, get(kv.encode() + b"/key/a", block))[1] == b"1" + inner


# ---------------------------------------------------------------------- idle lines
def hung_up(line: socket.socket) -> bool:
    try:
        return line.recv(10) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("begin", [b"", b"GET /api/heart", b"GET /api/heartbeat HTTP/1.1\r\nA: b\r\n"])
def test_an_idle_line_is_hung_up_and_half_a_head_is_idle(
    served: Served, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    made: list[Any] = []
    original = WireProtocol.connection_made

    def impatient(self: WireProtocol, transport: Any) -> None:
        self.timeout_keep_alive = 1
        made.append(self)
        original(self, transport)

    monkeypatch.setattr(WireProtocol, "connection_made", impatient)
    with connect(served) as line:
        started = time.monotonic()
        assert answer(line, get(b"/api/heartbeat", b"\r\n"))[1] == b"OK"
        line.sendall(begin)
        assert hung_up(line)
        assert time.monotonic() - started >= 0.9
    served.wait_until(lambda: made[0].timeout_keep_alive_task is None)


def test_a_line_that_is_being_answered_is_not_idle(served: Served, kv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvidpy.datatypes.keyvalue.values import KeyValue

    original = WireProtocol.connection_made

    def impatient(self: WireProtocol, transport: Any) -> None:
        self.timeout_keep_alive = 1
        original(self, transport)

    def slow(self: KeyValue) -> list[str]:
        time.sleep(2.5)
        return ["late"]

    monkeypatch.setattr(WireProtocol, "connection_made", impatient)
    monkeypatch.setattr(KeyValue, "all_keys", slow)
    with connect(served) as line:
        assert answer(line, get(kv.encode() + b"/keys", b"\r\n"))[1] == b'["late"]'


def test_sigterm_ends_an_idle_server_within_a_second(tmp_path: Path) -> None:
    """On a machine with much else to do, one time in three."""
    assert any(_end_of_an_idle_server(tmp_path / name) < 1.5 for name in "abc")  # the interpreter's own end included


def _end_of_an_idle_server(folder: Path) -> float:
    """Seconds it takes, from SIGTERM on, with 20 connections."""
    folder.mkdir()
    server = ServerProcess(folder)
    server.start()
    port = int(server.url.rpartition(":")[2])
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for line in lines[:10]:
        assert answer(line, get(b"/api/heartbeat", b"\r\n"))[1] == b"OK"
    started = time.monotonic()
    assert server._process is not None
    server._process.send_signal(signal.SIGTERM)
    assert server._process.wait(20) in (0, -signal.SIGTERM)
    took = time.monotonic() - started
    for line in lines:
        line.close()
    return took


# ---------------------------------------------------------------------- bodies and streams
def test_413_comes_before_the_body(served: Served, kv: str) -> None:
    head = b"POST %b/keyvalues HTTP/1.1\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n"
    with connect(served) as line:
        got = answer(line, head % kv.encode())[0]
        assert got.startswith(b"HTTP/1.1 413")


def broken_stream(whole: int) -> Iterator[bytes]:
    for _ in range(whole):
        yield bytes(1 << 20)
    raise BadRequest("it went wrong")


def test_what_goes_wrong_before_the_first_piece_is_refused_in_words(
    served: Served, kv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvidpy.datatypes.exchange import OCTETS, Reply
    from dvidpy.datatypes.keyvalue import batch_routes

    pieces = 0
    monkeypatch.setattr(batch_routes, "answer", lambda form, items: Reply(broken_stream(pieces), OCTETS))
    refused = served.http.get(f"{kv}/keyrangevalues/a/z")
    assert (refused.status_code, "it went wrong" in refused.text) == (400, True)
    pieces = 2
    cut = served.raw(get(b"%b/keyrangevalues/a/z" % kv.encode(), b"\r\n"))
    assert cut.startswith(b"HTTP/1.1 200")
    assert len(cut) > 2 << 20
    assert not cut.endswith(b"0\r\n\r\n")  # cut off, never a well-formed short answer


def test_a_thousand_aborted_downloads_leave_nothing_open(tmp_path: Path) -> None:
    stores = {"main": StoreSettings(engine="leveldb", path=str(tmp_path / "store"))}
    with running(Settings(server=ServerSettings(workers=2, admin_token=TOKEN), stores=stores)) as served:
        kv = served.instance(served.repo()).encode()
        for number in range(8):
            served.http.post(f"{kv.decode()}/key/k{number}", content=secrets.token_bytes(900_000))
        server, store = served.server, served.server.datastore.main.store
        opened: list[int] = []
        snapshot = store.snapshot

        def counted() -> Any:
            opened.append(1)
            return snapshot()

        store.snapshot = counted  # type: ignore[method-assign]
        for _ in range(1000):
            line = connect(served)
            line.sendall(get(kv + b"/keyrangevalues/a/z?throttle=off", b"\r\n"))
            line.recv(100)
            line.close()
        served.wait_until(lambda: (server.metrics.active, server.pool.under_way) == (0, 0), 60)
        assert served.http.get(f"{kv.decode()}/keys").json() == [f"k{n}" for n in range(8)]
