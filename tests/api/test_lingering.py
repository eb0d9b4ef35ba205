from __future__ import annotations

from typing import Any

import pytest
from served import Served

from dvidpy.api import front, lingering
from dvidpy.api.lingering import LINGER_S, Lingering


class _Loop:
    """A loop that does what it is told, one turn at a time."""

    def __init__(self) -> None:
        self.soon: list[Any] = []

    def call_soon(self, call: Any, *args: Any) -> None:
        self.soon.append((call, args))

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for call, args in soon:
            call(*args)


@pytest.fixture
def loop() -> Any:
    return _Loop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("dvidpy.api.lingering.time.perf_counter", lambda: now[0])
    return now


def _nothing() -> None:
    """What nobody counts."""


def test_the_loop_stays_awake_for_a_moment_after_the_last_answer(loop: Any, clock: list[float]) -> None:
    turns: list[None] = []
    staying = Lingering(lambda: 0, lambda: turns.append(None), cores=2)
    staying.answered(loop)
    staying.answered(loop)
    assert len(loop.soon) == 1
    for _ in range(3):
        loop.turn()
        assert len(loop.soon) == 1
    clock[0] += 0.9 * LINGER_S
    staying.answered(loop)
    clock[0] += 0.9 * LINGER_S
    loop.turn()
    assert len(loop.soon) == 1
    clock[0] += LINGER_S
    loop.turn()
    assert loop.soon == []
    assert len(turns) == 5
    staying.answered(loop)
    assert len(loop.soon) == 1


def test_nobody_lingers_while_there_is_other_work(loop: Any) -> None:
    work = [1]
    staying = Lingering(lambda: work[0], _nothing, cores=2)
    staying.answered(loop)
    assert loop.soon == []
    work[0] = 0
    staying.answered(loop)
    work[0] = 1
    loop.turn()
    assert loop.soon == []


def test_nor_on_one_core(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "usable_cores", lambda: 1)
    Lingering(lambda: 0, _nothing).answered(loop)
    assert loop.soon == []


def test_some_core_is_usable() -> None:
    assert lingering.usable_cores() >= 1


@pytest.mark.parametrize(("soon_s", "lingers"), [(60.0, 1), (0.0, 0)])
def test_the_loop_lingers_behind_edits_that_took_no_time(
    served: Served, monkeypatch: pytest.MonkeyPatch, soon_s: float, lingers: int
) -> None:
    answered: list[None] = []
    monkeypatch.setattr(front, "SOON_S", soon_s)
    kv = served.instance(served.repo())
    served.http.get("/api/server/info")
    monkeypatch.setattr(Lingering, "answered", lambda self, loop: answered.append(None))
    assert served.http.post(f"{kv}/key/a", content=b"value").status_code == 200
    served.http.get("/api/server/info")  # a quick answer
    assert len(answered) == lingers + 1
