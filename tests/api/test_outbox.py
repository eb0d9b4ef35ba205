"""Quick answers of one turn of the loop go out together where there are many, and nothing overtakes them."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from served import Served

from dvidpy.api import outbox
from dvidpy.api.outbox import SEVERAL, Outbox

INFO = b"GET /api/server/info HTTP/1.1\r\nHost: x\r\n\r\n"


class _Loop:
    def __init__(self) -> None:
        self.soon: list[Any] = []

    def call_soon(self, call: Any) -> None:
        self.soon.append(call)


class _Transport:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, answer: bytes) -> None:
        self.sent.append(answer)


def _turn(box: Outbox, answers: int, *, told: bool) -> tuple[int, list[bytes], int]:
    """(answers sent within a turn of so many, all that were sent at its end, calls that the loop was asked for)."""
    loop: Any = _Loop()
    line: Any = _Transport()
    for number in range(answers):
        box.write(loop, line, b"%d" % number, told=told)
    within = len(line.sent)
    box.end_turn()
    return within, line.sent, len(loop.soon)


@pytest.mark.parametrize("told", [True, False])
def test_behind_a_turn_with_several_answers_those_of_the_next_go_out_together(told: bool) -> None:
    box = Outbox()
    asked = 0 if told else 1
    many, few = [b"%d" % number for number in range(SEVERAL)], [b"0"]
    assert _turn(box, SEVERAL - 1, told=told) == (SEVERAL - 1, many[:-1], asked)
    assert _turn(box, SEVERAL, told=told) == (SEVERAL, many, asked)
    assert _turn(box, SEVERAL, told=told) == (0, many, asked)
    assert _turn(box, 1, told=told) == (0, few, asked)
    assert _turn(box, 1, told=told) == (1, few, asked)


def test_a_turn_without_answers_changes_nothing() -> None:
    box = Outbox()
    _turn(box, SEVERAL, told=True)
    box.end_turn()
    assert _turn(box, 1, told=True)[0] == 0


@pytest.fixture
def line(served: Served, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A connection of a server that keeps answers from the second turn on."""
    monkeypatch.setattr(outbox, "SEVERAL", 1)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
        yield line


def _all(line: socket.socket) -> bytes:
    got = b""
    while more := line.recv(1 << 16):
        got += more
    return got


def _warm(line: socket.socket) -> None:
    for _ in range(4):
        line.sendall(INFO)
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_who_asks_and_closes_its_half_gets_the_answer(line: socket.socket) -> None:
    _warm(line)
    line.sendall(INFO)
    line.shutdown(socket.SHUT_WR)
    assert _all(line).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("then", "status"),
    [
        (b"GET /api/server/types HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
        (b"no request at all\r\n\r\n", b"400"),
    ],
)
def test_what_is_asked_behind_it_is_answered_behind_it(line: socket.socket, then: bytes, status: bytes) -> None:
    _warm(line)
    line.sendall(INFO)
    line.sendall(then)
    got = _all(line)
    assert [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]] == [b"200", status]
