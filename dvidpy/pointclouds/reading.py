"""Reading points back from data files: only the groups of rows that hold what is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from dvidpy.pointclouds.columns import Points, points_of
from dvidpy.pointclouds.places import Place

Ranges = npt.NDArray[np.int64]
"""(n, 2): first row and number of rows, ascending."""
FOOTERS = 1024
"""Data files whose footers are kept in memory."""


class DataFiles:
    """Reads rows of the data files of a store. For several threads at once."""

    def __init__(self, place: Place, threads: int) -> None:
        self._place = place
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="points")
        self._footers: OrderedDict[str, pq.FileMetaData] = OrderedDict()

    def read(self, wanted: dict[str, Ranges]) -> list[Points]:
        """Points of rows of files, file by file."""
        if len(wanted) == 1:
            return [points for path, ranges in wanted.items() for points in self.groups(path, ranges)]
        parts = self._pool.map(lambda item: list(self.groups(*item)), wanted.items())
        return [points for part in parts for points in part]

    def groups(self, path: str, ranges: Ranges) -> Iterator[Points]:
        """Points of rows of a file, group of rows by group of rows."""
        with self._place.open(path) as file, pq.ParquetFile(file, metadata=self._footers.get(path)) as data:
            self._keep(path, data.metadata)
            ends = np.cumsum([data.metadata.row_group(number).num_rows for number in range(data.num_row_groups)])
            starts, untils = ranges[:, 0], ranges.sum(1)
            first, last = np.searchsorted(ends, starts, "right"), np.searchsorted(ends, untils, "left")
            for number in _each(first, last):
                begin = int(ends[number - 1]) if number else 0
                here = slice(np.searchsorted(untils, begin, "right"), np.searchsorted(starts, ends[number], "left"))
                points = points_of(data.read_row_group(number, ["data"], use_threads=False).column(0))
                yield _cut(points, starts[here] - begin, untils[here] - begin)

    def _keep(self, path: str, footer: pq.FileMetaData) -> None:
        self._footers[path] = footer
        if len(self._footers) > FOOTERS:
            self._footers.popitem(last=False)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def _each(first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> list[int]:
    """Numbers of the groups that ranges lie in, each once, in order."""
    counts = last - first + 1
    ends = np.cumsum(counts)
    numbers = np.repeat(first - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
    return [int(number) for number in np.unique(numbers)]


def _cut(points: Points, starts: npt.NDArray[np.int64], untils: npt.NDArray[np.int64]) -> Points:
    starts, untils = np.maximum(starts, 0), np.minimum(untils, len(points))
    if len(starts) == 1:
        return points[starts[0] : untils[0]]
    return np.concatenate([points[start:until] for start, until in zip(starts, untils, strict=True)])


def merged(ranges: Ranges) -> Ranges:
    """The same rows, in as few ranges as there are gaps."""
    ranges = ranges[np.argsort(ranges[:, 0])]
    new = np.ones(len(ranges), bool)
    new[1:] = ranges[1:, 0] != ranges[:-1].sum(1)
    heads = np.flatnonzero(new)
    return np.stack((ranges[heads, 0], np.add.reduceat(ranges[:, 1], heads)), 1)


def by_file(paths: list[str], ranges: Ranges) -> dict[str, Ranges]:
    """Ranges of each file, in order and merged."""
    found: dict[str, list[Any]] = {}
    for path, one in zip(paths, ranges, strict=True):
        found.setdefault(path, []).append(one)
    return {path: merged(np.array(rows, np.int64)) for path, rows in found.items()}
