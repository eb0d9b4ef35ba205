"""Edits of different bodies go on beside each other; the others take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from dvidpy.datatypes.labelled.turns import Turn, Turns

SECONDS = 20


class Line:
    """Threads that ask for turns, and leave them when they are told."""

    def __init__(self) -> None:
        self.turns = Turns()
        self._leave: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}
        self.inside: list[str] = []
        self.written: list[str] = []
        self._changed = threading.Condition()
        self._ids = count(1)

    @contextmanager
    def _reserved(self) -> Iterator[int]:
        yield next(self._ids)

    def _tell(self, place: list[str], name: str) -> None:
        with self._changed:
            place.append(name)
            self._changed.notify_all()

    def enter(self, name: str, bodies: Collection[int] | None) -> None:
        leave = self._leave[name] = threading.Event()

        def edit() -> None:
            with self.turns.of(bodies) as turn, self.turns.numbered(turn, self._reserved()):
                self._tell(self.inside, name)
                assert leave.wait(SECONDS)
                self.turns.come_first(turn)
                self._tell(self.written, name)

        thread = self._threads[name] = threading.Thread(target=edit)
        before = len(self.turns._line)
        thread.start()
        while len(self.turns._line) == before:
            thread.join(0.001)

    def leave(self, name: str) -> None:
        self._leave[name].set()

    def until(self, seen: Callable[[], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(seen, SECONDS)

    def close(self) -> None:
        for name, thread in self._threads.items():
            self.leave(name)
            thread.join(SECONDS)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()
    assert made.turns.is_free()


def test_different_bodies_go_on_together(line: Line) -> None:
    line.enter("a", [1, 2])
    line.enter("b", [3])
    line.enter("c", [2, 4])
    assert line.until(lambda: line.inside == ["a", "b"])
    line.leave("a")
    assert line.until(lambda: line.inside == ["a", "b", "c"])


def test_they_are_written_in_the_order_of_their_ids(line: Line) -> None:
    line.enter("a", [1])
    assert line.until(lambda: line.inside == ["a"])
    line.enter("b", [2])
    assert line.until(lambda: line.inside == ["a", "b"])
    line.leave("b")
    line._threads["b"].join(0.05)
    assert line.written == []
    line.leave("a")
    assert line.until(lambda: line.written == ["a", "b"])


def test_who_names_no_bodies_is_alone(line: Line) -> None:
    line.enter("a", [1])
    line.enter("all", None)
    line.enter("b", [2])
    assert line.until(lambda: line.inside == ["a"])
    line.leave("a")
    assert line.until(lambda: line.inside == ["a", "all"])
    line._threads["b"].join(0.05)
    assert line.inside == ["a", "all"]
    line.leave("all")
    assert line.until(lambda: line.inside == ["a", "all", "b"])


def test_who_came_first_is_not_passed_over(line: Line) -> None:
    """Not even where the bodies of a later one are free, and the earlier one waits for another's."""
    line.enter("a", [1])
    line.enter("b", [1, 2])
    line.enter("c", [2])
    assert line.until(lambda: line.inside == ["a"])
    line.leave("a")
    assert line.until(lambda: line.inside == ["a", "b"])
    line.leave("b")
    assert line.until(lambda: line.inside == ["a", "b", "c"])


def test_who_has_all_may_ask_again() -> None:
    turns = Turns()
    with turns.of() as turn, turns.of([1]) as again, turns.of() as third:
        assert turn is again is third
    assert turns.is_free()
    with turns.of([1]), pytest.raises(AssertionError, match="others"), turns.of([2]):
        pass
    assert turns.is_free()


def test_what_meets() -> None:
    assert Turn(None).meets(Turn([1]))
    assert Turn([1]).meets(Turn(None))
    assert Turn([1, 2]).meets(Turn([2, 3]))
    assert not Turn([1, 2]).meets(Turn([3]))
