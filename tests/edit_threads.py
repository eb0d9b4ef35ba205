"""Threads that edit side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dvidpy.datatypes.labelled.instance import LabelMap


@contextmanager
def together(*work: Callable[[], object]) -> Iterator[None]:
    """Each in a thread of its own; what one raises is raised at the end."""
    wrong: list[BaseException] = []

    def run(one: Callable[[], object]) -> None:
        try:
            one()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if wrong:
        raise wrong[0]


class Gate:
    """Where edits stop when all is done in their turn but the writing: it stands where the lock of that stood."""

    def __init__(self, data: LabelMap, stop: Callable[[], object]) -> None:
        self._stop, self._lock = stop, data.state.turns.writing
        data.state.turns.writing = self  # type: ignore[assignment]

    def __enter__(self) -> None:
        self._stop()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
