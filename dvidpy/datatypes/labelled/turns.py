"""Whose turn it is to edit a segmentation. Edits that name their bodies go on beside others that have none of them.

They stand in a line in the order they came, each with its bodies, or with all; one goes on when none before it has a
body of its own. So nobody waits for who came later, and there is no order of locks to keep. They are written in the
order of their mutation ids, which followers of the segmentation rely on.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import takewhile


class NotNow(Exception):
    """An edit cannot be made in the event loop: a worker thread makes it."""


class Turn:
    """One edit that stands in the line."""

    def __init__(self, bodies: Collection[int] | None) -> None:
        self.bodies = None if bodies is None else frozenset(bodies)
        """None: all of them."""
        self.mutation = 0
        """Its id, once it goes on and has one."""

    def meets(self, other: Turn) -> bool:
        """Both may not go on at once."""
        return self.bodies is None or other.bodies is None or not self.bodies.isdisjoint(other.bodies)


class Turns:
    """The line of one segmentation."""

    def __init__(self) -> None:
        self._line: list[Turn] = []
        self._changed = threading.Condition()
        self._own = threading.local()
        """`turn`: that of a thread."""

    @contextmanager
    def of(self, bodies: Collection[int] | None = None, *, wait: bool = True) -> Iterator[Turn]:
        """Inside, nobody else edits these bodies, or anything where none are named.

        A thread that has all of them may ask again. Without `wait`, NotNow where anybody stands in the line.
        """
        own: Turn | None = getattr(self._own, "turn", None)
        if own is not None:
            assert own.bodies is None, "an edit that named its bodies asks for others"
            yield own
            return
        turn = Turn(bodies)
        with self._changed:
            if self._line and not wait:
                raise NotNow
            self._line.append(turn)
            self._changed.wait_for(lambda: not any(map(turn.meets, self._before(turn))))
        self._own.turn = turn
        try:
            yield turn
        finally:
            self._own.turn = None
            with self._changed:
                self._line.remove(turn)
                self._changed.notify_all()

    def _before(self, turn: Turn) -> Iterator[Turn]:
        return takewhile(lambda other: other is not turn, self._line)

    @contextmanager
    def numbered(self, turn: Turn, reserved: AbstractContextManager[int]) -> Iterator[int]:
        """The id of an edit that goes on; a later one is larger."""
        with ExitStack() as until:
            with self._changed:
                turn.mutation = until.enter_context(reserved)
            yield turn.mutation

    def come_first(self, turn: Turn) -> None:
        """Return when no edit with a smaller id may still be written."""
        with self._changed:
            self._changed.wait_for(lambda: not any(0 < other.mutation < turn.mutation for other in self._line))

    def wait(self) -> None:
        """Return when nobody stood in the line."""
        with self._changed:
            self._changed.wait_for(self.is_free)

    def is_free(self) -> bool:
        """Nobody stands in the line."""
        return not self._line
