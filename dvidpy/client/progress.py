"""Bars for a person who looks on; nothing for anybody else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def bar(total: int, what: str, *, shown: bool | None = None) -> Any:
    """A tqdm bar. Without tqdm, or where nobody looks at the terminal (`shown` says otherwise), one that is silent."""
    shown = sys.stderr.isatty() if shown is None else shown
    try:
        from tqdm import tqdm
    except ImportError:
        return _Silent()
    return tqdm(total=total, desc=what, disable=not shown, file=sys.stderr, leave=False)


class _Silent:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, number: int = 1) -> None:
        """Nothing is shown."""


def each(work: Callable[[T], R], items: Iterable[T], workers: int, done: Callable[[R], object]) -> None:
    """Do `work` for all items, some at a time; the first error ends it. `done` is told each result, here."""
    todo: Iterator[T] = iter(items)
    with ThreadPoolExecutor(workers) as threads:
        under_way: set[Future[R]] = {threads.submit(work, item) for item in islice(todo, 2 * workers)}
        try:
            while under_way:
                finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for one in finished:
                    done(one.result())
                under_way |= {threads.submit(work, item) for item in islice(todo, len(finished))}
        finally:
            for one in under_way:
                one.cancel()
