"""After a quick answer the event loop stays awake for a moment: the next request of that client often comes right away.

Waking a core that went to sleep takes longer than a small answer does. Measured in docs/decisions/008-quick-answers.md.
"""

from __future__ import annotations

import os
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable

LINGER_S = 50e-6
"""Seconds of it: about what a client on the same machine takes to ask again."""


class Lingering:
    """One for an event loop. It costs nobody anything but what a core would have slept."""

    def __init__(self, busy: Callable[[], int], turned: Callable[[], None], cores: int | None = None) -> None:
        """While `busy` says that there is other work, or where there is one core only, nobody lingers. `turned` is
        called in each turn of the loop while it lingers.
        """
        self._busy, self._turned = busy, turned
        self._alone = (cores or usable_cores()) < 2
        self._until = 0.0
        self.awake = False
        """It lingers."""

    def answered(self, loop: AbstractEventLoop) -> None:
        """A quick answer was written."""
        if self._alone or self._busy():
            return
        self._until = time.perf_counter() + LINGER_S
        if not self.awake:
            self.awake = True
            loop.call_soon(self._stay, loop)

    def _stay(self, loop: AbstractEventLoop) -> None:
        """Called once in each turn of the loop, which sleeps in no turn that has something to call."""
        self.awake = time.perf_counter() < self._until and not self._busy()
        if self.awake:
            loop.call_soon(self._stay, loop)
        self._turned()


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
