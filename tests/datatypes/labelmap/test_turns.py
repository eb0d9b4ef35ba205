"""Edits that touch different things go on beside each other; the others take turns."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from dvidpy.datatypes.labelled.turns import TRIES, Elsewhere, Names, NotNow, Turns, in_turn
from dvidpy.geometry import Zyx

SECONDS = 20


def _names(bodies: Iterable[int] = (), roots: Iterable[Zyx] = (), scale: int = 0) -> Names:
    return Names(frozenset(bodies), frozenset(roots), scale)


class Line:
    """Threads that ask for turns, and leave them when they are told."""

    def __init__(self) -> None:
        self.turns = Turns()
        self._leave: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}
        self.inside: list[str] = []
        self.left: list[str] = []
        self._changed = threading.Condition()

    def _tell(self, place: list[str], name: str) -> None:
        with self._changed:
            place.append(name)
            self._changed.notify_all()

    def enter(self, name: str, names: Names | None) -> None:
        leave = self._leave[name] = threading.Event()

        def edit() -> None:
            with self.turns.of(names):
                self._tell(self.inside, name)
                assert leave.wait(SECONDS)
                self._tell(self.left, name)

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

    def waits(self, name: str) -> bool:
        self._threads[name].join(0.05)
        return name not in self.inside

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
    line.enter("a", _names([1, 2]))
    line.enter("b", _names([3]))
    line.enter("c", _names([2, 4]))
    assert line.until(lambda: line.inside == ["a", "b"])
    line.leave("a")
    assert line.until(lambda: line.inside == ["a", "b", "c"])


def test_nobody_waits_for_an_earlier_one_that_touches_something_else(line: Line) -> None:
    line.enter("a", _names([1], [(0, 0, 1)], 3))
    line.enter("b", _names([2], [(0, 0, 2)], 3))
    line.leave("b")
    assert line.until(lambda: line.left == ["b"])
    assert line.until(lambda: line.inside == ["a", "b"])


def test_who_names_nothing_is_alone(line: Line) -> None:
    line.enter("a", _names([1]))
    line.enter("all", None)
    line.enter("b", _names([2]))
    assert line.until(lambda: line.inside == ["a"])
    line.leave("a")
    assert line.until(lambda: line.inside == ["a", "all"])
    assert line.waits("b")
    line.leave("all")
    assert line.until(lambda: line.inside == ["a", "all", "b"])


def test_who_came_first_is_not_passed_over(line: Line) -> None:
    """Not even where the bodies of a later one are free, and the earlier one waits for another's."""
    line.enter("a", _names([1]))
    line.enter("b", _names([1, 2]))
    line.enter("c", _names([2]))
    assert line.until(lambda: line.inside == ["a"])
    line.leave("a")
    assert line.until(lambda: line.inside == ["a", "b"])
    line.leave("b")
    assert line.until(lambda: line.inside == ["a", "b", "c"])


def test_who_has_everything_may_ask_again() -> None:
    turns = Turns()
    with turns.of() as turn, turns.of(_names([1])) as again, turns.of() as third:
        assert turn is again is third
        assert turns.has(_names([7], [(0, 0, 0)]))
    assert turns.is_free()
    with turns.of(_names([1])), pytest.raises(AssertionError, match="more"), turns.of(_names([2])):
        pass
    assert turns.is_free()


def test_who_does_not_wait_finds_the_line_empty() -> None:
    turns = Turns()
    with turns.of(wait=False):
        assert not turns.is_free()
    thread = threading.Thread(target=lambda: _demand_refused(turns))
    with turns.of(_names([1])):
        thread.start()
        thread.join(SECONDS)


def _demand_refused(turns: Turns) -> None:
    with pytest.raises(NotNow), turns.of(_names([2]), wait=False):
        pass


MEETING = {
    "a body": (_names([1, 2]), _names([2, 3]), True),
    "none of the bodies": (_names([1, 2]), _names([3]), False),
    "a root": (_names([1], [(0, 0, 1)], 2), _names([2], [(0, 0, 1), (0, 0, 2)], 2), True),
    "none of the roots": (_names([1], [(0, 0, 1)], 2), _names([2], [(0, 0, 2)], 2), False),
    "roots of different scales": (_names([1], [(0, 0, 1)], 2), _names([2], [(0, 0, 2)], 3), True),
    "blocks and none": (_names([1], [(0, 0, 1)], 2), _names([2], [], 3), False),
}


@pytest.mark.parametrize("what", MEETING)
def test_what_meets(what: str) -> None:
    one, other, expected = MEETING[what]
    assert one.meets(other) is other.meets(one) is expected
    assert one.joined(other).holds(other)
    assert one.holds(one)
    assert not one.holds(other)


# ---------------------------------------------------------------------- more than was named
def test_more_may_be_named_where_nobody_has_it(line: Line) -> None:
    line.enter("a", _names([1]))
    with line.turns.of(_names([2])):
        assert not line.turns.has(_names([3]))
        assert not line.turns.claim(_names([3, 1]))
        assert not line.turns.has(_names([3]))
        assert line.turns.claim(_names([3], [(0, 0, 0)]))
        assert line.turns.has(_names([2, 3], [(0, 0, 0)]))
        line.enter("b", _names([3]))
        assert line.waits("b")
    assert line.until(lambda: "b" in line.inside)


def test_what_others_wait_for_is_not_claimed_but_of_who_waits_for_everything(line: Line) -> None:
    with line.turns.of(_names([1])):
        line.enter("a", _names([1, 2]))
        line.enter("all", None)
        assert not line.turns.claim(_names([2]))
        assert line.turns.claim(_names([3]))


def test_without_a_turn_nothing_is_claimed(line: Line) -> None:
    line.enter("a", _names([1]))
    assert not line.turns.claim(_names([1]))
    assert line.turns.claim(_names([2]))
    assert not line.turns.has(_names([2]))


def test_an_edit_comes_again_with_what_it_did_not_name() -> None:
    named: list[Names | None] = []

    def edit(names: Names | None) -> str:
        named.append(names)
        if names is None or 3 in names.bodies:
            return "done"
        raise Elsewhere(_names([len(named) + 1]))

    assert in_turn(edit, _names([1])) == "done"
    assert named == [_names([1]), _names([1, 2]), _names([1, 2, 3])]


def test_in_the_end_it_waits_for_everybody() -> None:
    named: list[Names | None] = []

    def edit(names: Names | None) -> None:
        named.append(names)
        if names is not None:
            raise Elsewhere(_names([100]))

    in_turn(edit, _names())
    assert len(named) == TRIES + 1
    assert named[-1] is None


@pytest.mark.parametrize("seed", range(4))
def test_no_two_have_the_same_at_once(seed: int) -> None:
    """Whatever they name, and claim when they go on."""
    turns, holders = Turns(), dict[int, int]()
    wrong: list[tuple[int, int]] = []

    def hold(bodies: Iterable[int], own: int) -> None:
        wrong.extend((own, body) for body in bodies if holders.setdefault(body, own) != own)

    def work(own: int) -> None:
        chance = random.Random(100 * seed + own)
        for _ in range(200):
            bodies = frozenset(chance.choices(range(12), k=chance.randrange(4)))
            whole = not chance.randrange(10)
            more = frozenset(chance.choices(range(12), k=2))
            with turns.of(None if whole else Names(bodies)):
                mine = frozenset(range(12)) if whole else bodies
                hold(mine, own)
                time.sleep(0)  # others go on
                if not whole and turns.claim(Names(more)):
                    hold(more, own)
                    mine |= more
                for body in mine:
                    wrong.extend([(own, body)] if holders.pop(body, None) != own else [])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert wrong == []
    assert turns.is_free()
