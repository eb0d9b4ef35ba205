"""What a worker sends past the event loop, over a pair of sockets."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.api.straight import ROOM, Straight, _Sending
from dvidpy.datatypes.exchange import Gone, Mixed, Piece, Reply
from dvidpy.errors import StoreError
from dvidpy.storage.file_parts import FilePart, OpenFile

PIECES = st.lists(st.binary(max_size=300) | st.lists(st.binary(max_size=40), max_size=4))


def piece_of(parts: bytes | list[bytes]) -> Piece | Mixed:
    return memoryview(parts) if isinstance(parts, bytes) else Mixed([*parts], sum(map(len, parts)))


def framed(pieces: list[bytes | list[bytes]], promised: int | None) -> Iterator[list[Any]]:
    cycle = SimpleNamespace(expected_content_length=promised or 0, chunked_encoding=promised is None)
    return Straight(None, cycle)._framed(map(piece_of, pieces))


def whole_of(pieces: list[bytes | list[bytes]]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else b"".join(piece) for piece in pieces)


def sent_by(parts: Iterator[list[Any]], room: int) -> tuple[bytes, int]:
    """(what arrives at a slow client, bytes of the body that were counted)."""
    own, other = socket.socketpair()
    got = bytearray()

    def take() -> None:
        while piece := other.recv(997):
            got.extend(piece)

    with own, other:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        own.setblocking(False)
        client = threading.Thread(target=take)
        client.start()
        sending, count = _Sending(own, parts), 0
        try:
            while not sending.over:
                count += sending.push()
        finally:
            own.shutdown(socket.SHUT_WR)
            client.join()
    return bytes(got), count


@example([[bytes([number]) * number for number in range(200)], b"end"])
@given(PIECES)
def test_pieces_arrive_as_they_are(pieces: list[bytes | list[bytes]]) -> None:
    whole = whole_of(pieces)
    assert sent_by(framed(pieces, len(whole)), 4096) == (whole, len(whole))


@given(PIECES)
def test_of_an_unknown_length_each_stands_in_a_chunk(pieces: list[bytes | list[bytes]]) -> None:
    got, count = sent_by(framed(pieces, None), 4096)
    body = b""
    while got:
        size, _, got = got.partition(b"\r\n")
        assert int(size, 16) > 0
        body += got[: int(size, 16)]
        assert got[int(size, 16) :][:2] == b"\r\n"
        got = got[int(size, 16) + 2 :]
    assert body == whole_of(pieces)
    assert count == len(body)


def test_what_is_in_files_is_read_from_there(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(whole := bytes(range(256)) * (ROOM // 100))
    file = OpenFile(tmp_path / "f", os.O_RDONLY)
    parts: list[Any] = [FilePart(file, number, ROOM // 3 + number) for number in range(5)]
    parts = [part for pair in zip([b"head"] * 5, parts, strict=True) for part in pair] + [FilePart(file, 3, 2 * ROOM)]
    expected = b"".join(part.read() if isinstance(part, FilePart) else part for part in parts)
    assert expected.endswith(whole[3 : 3 + 2 * ROOM])
    assert sent_by(iter([parts, [b"end"]]), 4096) == (expected + b"end", len(expected) + 3)
    with pytest.raises(StoreError, match="ends before"):
        sent_by(iter([[b"head", FilePart(file, len(whole) - 1, 2)]]), 4096)


@pytest.mark.parametrize("promised", [None, 3 << 20])
def test_large_pieces_wait_for_a_slow_client(promised: int | None) -> None:
    pieces: list[bytes | list[bytes]] = [bytes(range(256)) * 4096] * 3
    got, count = sent_by(framed(pieces, promised), 4096)
    assert count == 3 << 20
    assert len(got) == count + (0 if promised else 3 * len("100000\r\n\r\n"))


def test_an_answer_is_never_longer_than_it_said() -> None:
    with pytest.raises(AssertionError, match="longer"):
        sent_by(framed([b"abc", b"de"], 4), 4096)


def test_who_is_gone_is_sent_nothing() -> None:
    own, other = socket.socketpair()
    other.close()
    own.setblocking(False)
    with own, pytest.raises(Gone):
        _Sending(own, framed([b"x" * 1000] * 3, 3000)).push()


class Line:
    """A transport, as far as an answer that went ahead needs it."""

    def __init__(self, own: socket.socket | None) -> None:
        self.own = own
        self.written: list[bytes] = []
        self.closed = False
        self.writelines = self.written.extend

    def get_extra_info(self, name: str) -> socket.socket | None:
        return self.own if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


def cycle_of(**other: Any) -> Any:
    event, flow = SimpleNamespace(set=lambda: None), SimpleNamespace(write_paused=False)
    given = {"keep_alive": True, "disconnected": False, "message_event": event, "flow": flow} | other
    return SimpleNamespace(on_response=lambda: None, **given)


def test_the_rest_of_an_answer_and_the_end_of_its_line_where_the_server_stops_meanwhile() -> None:
    own, other = socket.socketpair()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
    with own, other:
        line, cycle, reply = Line(own), cycle_of(), Reply(os.urandom(1 << 18))
        straight = Straight(line, cycle)
        send = straight.ahead([(b"x", b"y")])
        assert send is not None
        assert send(reply) is reply
        straight.close()
        cycle.keep_alive = False
        assert straight.answer(reply, [(b"x", b"y")], reply.body)  # type: ignore[arg-type]
        got = b"".join([other.recv(reply.ahead, socket.MSG_WAITALL), *line.written])
    assert 0 < reply.ahead < 1 << 18
    assert got == b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 262144\r\n\r\n" + bytes(reply.body)  # type: ignore[arg-type]
    assert line.closed


@pytest.mark.parametrize("other", [{"keep_alive": False}, {"disconnected": True}])
def test_where_nothing_goes_ahead(other: dict[str, bool]) -> None:
    own, far = socket.socketpair()
    with far:
        assert Straight(Line(own), cycle_of(**other)).ahead([]) is None
        own.close()
        assert Straight(Line(own), cycle_of()).ahead([]) is None
