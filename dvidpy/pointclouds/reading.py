"""Reading points back from data files: only the groups of rows that hold what is asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dvidpy.pointclouds.columns import Points, points_of
from dvidpy.pointclouds.places import Place

Ranges = npt.NDArray[np.int64]
"""(n, 2): first row and number of rows, ascending."""
FOOTERS = 1024
"""Data files whose footers are kept in memory."""
OPEN = 64
"""Data files that are kept open."""


class _Open(NamedTuple):
    """A data file that is open."""

    parquet: pq.ParquetFile
    ends: npt.NDArray[np.int64]
    """Number of the row behind each of its groups."""


class DataFiles:
    """Reads rows of the data files of a store, and keeps some of them open. For several threads at once."""

    def __init__(self, place: Place, threads: int) -> None:
        self._place = place
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="points")
        self._footers: OrderedDict[str, pq.FileMetaData] = OrderedDict()
        self._idle: OrderedDict[str, _Open] = OrderedDict()
        """Open files that nobody reads now."""
        self._lock = threading.Lock()

    def read(self, wanted: dict[str, Ranges]) -> list[Points]:
        """Points of rows of files, file by file."""
        if len(wanted) == 1:
            return [points for path, ranges in wanted.items() for points in self.groups(path, ranges)]
        parts = self._pool.map(lambda item: list(self.groups(*item)), wanted.items())
        return [points for part in parts for points in part]

    def groups(self, path: str, ranges: Ranges) -> Iterator[Points]:
        """Points of rows of a file, group of rows by group of rows."""
        with self._taken(path) as (data, ends):
            starts, untils = ranges[:, 0], ranges.sum(1)
            first, last = np.searchsorted(ends, starts, "right"), np.searchsorted(ends, untils, "left")
            for number in _each(first, last):
                begin = int(ends[number - 1]) if number else 0
                here = slice(np.searchsorted(untils, begin, "right"), np.searchsorted(starts, ends[number], "left"))
                rows = data.read_row_group(number, ["data"], use_threads=False).column(0)
                yield _cut(rows, starts[here] - begin, untils[here] - begin)

    @contextmanager
    def _taken(self, path: str) -> Iterator[_Open]:
        """A data file, for one thread as long as it reads."""
        with self._lock:
            taken = self._idle.pop(path, None)
        taken = taken or self._opened(path)
        try:
            yield taken
        finally:
            with self._lock:
                spare = self._idle.pop(path, None)  # a thread that read it at the same time was done before
                self._idle[path] = taken
                spare = spare or (self._idle.popitem(last=False)[1] if len(self._idle) > OPEN else None)
            if spare is not None:
                spare.parquet.close(force=True)

    def _opened(self, path: str) -> _Open:
        data = pq.ParquetFile(self._place.open(path), metadata=self._footers.get(path))
        with self._lock:
            self._footers[path] = data.metadata
            if len(self._footers) > FOOTERS:
                self._footers.popitem(last=False)
        return _Open(
            data, np.cumsum([data.metadata.row_group(number).num_rows for number in range(data.num_row_groups)])
        )

    def close(self) -> None:
        """End the threads, and close what is open."""
        self._pool.shutdown()
        while self._idle:
            self._idle.popitem()[1].parquet.close(force=True)


def _each(first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> list[int]:
    """Numbers of the groups that ranges lie in, each once, in order."""
    counts = last - first + 1
    ends = np.cumsum(counts)
    numbers = np.repeat(first - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
    return [int(number) for number in np.unique(numbers)]


def _cut(rows: pa.ChunkedArray, starts: npt.NDArray[np.int64], untils: npt.NDArray[np.int64]) -> Points:
    """Points of stretches of the rows of a group, some of which may begin before it or end behind it."""
    starts, untils = np.maximum(starts, 0), np.minimum(untils, len(rows))
    if len(starts) == 1:
        return points_of(rows.slice(starts[0], untils[0] - starts[0]))
    points = points_of(rows)
    return np.concatenate([points[start:until] for start, until in zip(starts, untils, strict=True)])


def merged(ranges: Ranges) -> Ranges:
    """The same rows, in as few ranges as there are gaps."""
    ranges = ranges[np.argsort(ranges[:, 0])]
    new = np.ones(len(ranges), bool)
    new[1:] = ranges[1:, 0] != ranges[:-1].sum(1)
    heads = np.flatnonzero(new)
    return np.stack((ranges[heads, 0], np.add.reduceat(ranges[:, 1], heads)), 1)


def by_file(names: list[str], numbers: npt.NDArray[np.int32], ranges: Ranges) -> dict[str, Ranges]:
    """Ranges of each file, in order and merged, of ranges that each lie in the file of a number."""
    order = np.argsort(numbers, kind="stable")
    cuts = np.searchsorted(numbers[order], np.arange(1, len(names)))
    return {name: merged(some) for name, some in zip(names, np.split(ranges[order], cuts), strict=False)}
