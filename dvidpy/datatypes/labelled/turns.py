"""Whose turn it is to edit a segmentation. Edits that name what they touch go on beside others that touch none of it.

They stand in a line in the order they came, each with what it named, or with everything; one goes on when none before
it has anything of its own. So nobody waits for who came later, and there is no order of locks to keep. One at a time is
written, and has its id from then on: ids ascend with the edits, which followers of the segmentation rely on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import NamedTuple, TypeVar

from dvidpy.geometry import Zyx

T = TypeVar("T")
TRIES = 3
"""Times that an edit names what it touches, before it waits for everybody."""


class Names(NamedTuple):
    """What an edit touches."""

    bodies: frozenset[int] = frozenset()
    """With the labels of supervoxels that it cuts or makes, and of bodies to come."""
    roots: frozenset[Zyx] = frozenset()
    """z, y, x of the blocks of the coarsest scale above those that it writes: blocks under one parent are one vote."""
    scale: int = 0
    """That of the roots; who comes later may find another one to be the coarsest."""

    def meets(self, other: Names) -> bool:
        """Some of it is the other's, too."""
        if not self.bodies.isdisjoint(other.bodies):
            return True
        compared = self.scale == other.scale
        return bool(self.roots and other.roots) and not (compared and self.roots.isdisjoint(other.roots))

    def holds(self, other: Names) -> bool:
        """All of the other's is in it."""
        roots = not other.roots or (self.scale == other.scale and self.roots >= other.roots)
        return roots and self.bodies >= other.bodies

    def joined(self, other: Names) -> Names:
        """Both."""
        scale = other.scale if other.roots else self.scale
        return Names(self.bodies | other.bodies, self.roots | other.roots, scale)


class NotNow(Exception):
    """An edit cannot be made in the event loop: a worker thread makes it."""


class Elsewhere(Exception):
    """An edit touches more than it named, and others have that."""

    def __init__(self, names: Names) -> None:
        super().__init__(names)
        self.names = names


class Turn:
    """One edit that stands in the line."""

    def __init__(self, names: Names | None) -> None:
        self.names = names
        """None: everything."""

    def meets(self, other: Turn) -> bool:
        """Both may not go on at once."""
        return self.names is None or other.names is None or self.names.meets(other.names)


class Turns:
    """The line of one segmentation."""

    def __init__(self) -> None:
        self.writing = threading.Lock()
        """Held by the edit that is being written."""
        self._line: list[Turn] = []
        self._changed = threading.Condition()
        self._own = threading.local()
        """`turn`: that of a thread."""

    @contextmanager
    def of(self, names: Names | None = None, *, wait: bool = True) -> Iterator[Turn]:
        """Inside, nobody else edits what is named, or anything where nothing is.

        A thread that has everything may ask again. Without `wait`, NotNow where anybody stands in the line.
        """
        own = self._mine()
        if own is not None:
            assert own.names is None, "an edit that named what it touches asks for more"
            yield own
            return
        turn = Turn(names)
        with self._changed:
            if self._line and not wait:
                raise NotNow
            self._line.append(turn)
            if names is not None and names.roots:
                self._changed.notify_all()
            self._changed.wait_for(lambda: not any(map(turn.meets, self._before(turn))))
        self._own.turn = turn
        try:
            yield turn
        finally:
            self._own.turn = None
            with self._changed:
                self._line.remove(turn)
                self._changed.notify_all()

    def _mine(self) -> Turn | None:
        found: Turn | None = getattr(self._own, "turn", None)
        return found

    def _before(self, turn: Turn) -> Iterator[Turn]:
        return takewhile(lambda other: other is not turn, self._line)

    def has_everything(self) -> bool:
        """Whether this thread has the whole instance, in its turn."""
        own = self._mine()
        return own is not None and own.names is None

    def has(self, names: Names) -> bool:
        """Whether this thread has all of it, in its turn."""
        own = self._mine()
        return own is not None and (own.names is None or own.names.holds(names))

    def claim(self, names: Names) -> bool:
        """Name more in this thread's turn, if it has one; False where somebody else in the line has named some of it.

        What was read of it before may be old.
        """
        own = self._mine()
        with self._changed:
            # Who has everything cannot be before this turn, and waits for it.
            if any(one.names.meets(names) for one in self._line if one is not own and one.names is not None):
                return False
            if own is not None and own.names is not None:
                own.names = own.names.joined(names)
        return True

    def wait(self) -> None:
        """Return when nobody stood in the line, or somebody who writes blocks."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_free() or self.writes_blocks())

    def is_free(self) -> bool:
        """Nobody stands in the line."""
        return not self._line

    def writes_blocks(self) -> bool:
        """Somebody in the line named blocks that it writes."""
        return any(one.names is not None and bool(one.names.roots) for one in [*self._line])


def in_turn(make: Callable[[Names | None], T], names: Names) -> T:
    """What an edit returns that names what it touches, as far as that can be known before its turn.

    Where it finds in its turn that it touches more, which others have, it comes again and names that too; in the end it
    waits for everybody.
    """
    for _ in range(TRIES):
        try:
            return make(names)
        except Elsewhere as other:
            names = names.joined(other.names)
    return make(None)
