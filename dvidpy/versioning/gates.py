"""Edits and commits keep out of each other's way: nothing is written into a version that is being committed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from dvidpy.errors import Busy

PATIENCE_S = 20.0
"""How long a commit waits for edits under way before it answers 503."""


class Gates:
    """Counts the edits under way in each version."""

    def __init__(self) -> None:
        self._writing: Counter[int] = Counter()
        self._closing: set[int] = set()
        self._changed = threading.Condition()

    def enter(self, version: int) -> None:
        """An edit of a version begins; Busy while the version is being committed."""
        with self._changed:
            if version in self._closing:
                raise Busy("this version is being committed")
            self._writing[version] += 1

    def leave(self, version: int) -> None:
        """An edit is over, whatever became of it."""
        with self._changed:
            self._writing[version] -= 1
            if not self._writing[version]:
                del self._writing[version]
                self._changed.notify_all()

    def writing(self) -> int:
        """Edits under way."""
        return self._writing.total()

    @contextmanager
    def closed(self, version: int, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """No edit of the version is under way inside; Busy if that does not come about in time."""
        until = time.monotonic() + patience_s
        with self._changed:
            if version in self._closing:
                raise Busy("this version is being committed")
            self._closing.add(version)
            try:
                while self._writing[version]:
                    if not self._changed.wait(until - time.monotonic()):
                        raise Busy(f"{self._writing[version]} edits of this version are still under way")
            except Busy:
                self._closing.discard(version)
                raise
        try:
            yield
        finally:
            with self._changed:
                self._closing.discard(version)
