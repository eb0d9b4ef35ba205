"""Asking for points: all points of a label, wherever workers wrote them."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Self, overload

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dvidpy.pointclouds import timings
from dvidpy.pointclouds.columns import (
    Box,
    Points,
    arrow_of,
    checked_box,
    checked_label,
    inside,
    sorted_unique,
    together,
)
from dvidpy.pointclouds.found import Found
from dvidpy.pointclouds.index import Index
from dvidpy.pointclouds.places import Place
from dvidpy.pointclouds.reading import DataFiles
from dvidpy.pointclouds.storage_config import StorageConfig
from dvidpy.pointclouds.timings import Timing
from dvidpy.pointclouds.unified import UNIFIED

OPTIMIZED = "optimized/optimized_index.db"


class Query:
    """Reads a store whose indexes are consolidated. Optimised files are used where they say what the store says now.

    Points come in order, by the first coordinate, then the second, …, each of them once, in the type they were written
    in. FileNotFoundError where there is no index. One query at a time; several processes may ask at once.
    """

    def __init__(
        self,
        storage_config: StorageConfig,
        index_path: str | None = None,
        threads: int | None = None,
        cache_size: int = 10,
    ) -> None:
        self.storage_config = storage_config
        self.threads = threads if threads is not None else os.cpu_count() or 1
        self.cache_size = cache_size
        self._place = Place(storage_config)
        self._unified, self._optimized = self._open(index_path)
        self.using_optimized_data = self._optimized is not None
        used = self._optimized or self._unified
        self.index_path = index_path or self._place.shown(OPTIMIZED if self.using_optimized_data else UNIFIED)
        self._used = used
        self.dtype = np.dtype(used.facts.dtype)
        self.dimensions = used.facts.dimensions
        self._files = DataFiles(self._place, self.threads)
        self._cache: OrderedDict[int, Points] = OrderedDict()

    def _open(self, index_path: str | None) -> tuple[Index, Index | None]:
        """(the index of what workers wrote, that of optimised files if they hold the same)."""
        place, threads = self._place, self.threads
        if index_path is not None:
            return Index(place, place.given(index_path), threads), None
        if not place.exists(OPTIMIZED):
            return Index(place, UNIFIED, threads), None
        optimized = Index(place, OPTIMIZED, threads)
        if not place.exists(UNIFIED):
            return optimized, optimized
        unified = Index(place, UNIFIED, threads)
        if unified.facts.generation == optimized.facts.generation:
            return unified, optimized
        optimized.close()
        return unified, None

    @property
    def db_connection(self) -> duckdb.DuckDBPyConnection:
        """The index in SQL: its view `point_cloud_index` has label, block_id, file_path and point_count."""
        return self._used.database

    # ------------------------------------------------------------------ what there is
    def get_labels(self) -> npt.NDArray[np.uint64]:
        """All labels, ascending."""
        return self._unified.labels()

    @overload
    def get_blocks_for_label(self, label: int, timing: Literal[False] = False) -> list[str]: ...
    @overload
    def get_blocks_for_label(self, label: int, timing: Literal[True]) -> tuple[list[str], dict[str, Any]]: ...
    def get_blocks_for_label(self, label: int, timing: bool = False) -> Any:
        """Names of the blocks that hold points of a label, in order; none where only optimised files are left."""
        clock = Timing(label, self.using_optimized_data)
        with clock.of("index_lookup_time"):
            found = self._unified.find(checked_label(label))
            blocks = [] if self._unified is self._optimized else found.block_names()
        return (blocks, clock.blocks(len(blocks))) if timing else blocks

    @overload
    def get_point_count(self, label: int, timing: Literal[False] = False) -> int: ...
    @overload
    def get_point_count(self, label: int, timing: Literal[True]) -> tuple[int, dict[str, Any]]: ...
    def get_point_count(self, label: int, timing: bool = False) -> Any:
        """Number of points that `get_points` gives. Points are read only where some might be there twice."""
        clock = Timing(label, self.using_optimized_data)
        with clock.of("index_lookup_time"):
            found = self._find(checked_label(label))
            count = found.count_if_distinct()
        if count is None:
            with clock.of("data_read_time"):
                count = len(self._points(found))
        return (count, clock.count(len(found.files()))) if timing else count

    # ------------------------------------------------------------------ points
    @overload
    def get_points(
        self,
        label: int,
        use_cache: bool = True,
        timing: Literal[False] = False,
        *,
        blocks: Iterable[str] | None = None,
        box: Any = None,
    ) -> Points: ...
    @overload
    def get_points(
        self,
        label: int,
        use_cache: bool = True,
        *,
        timing: Literal[True],
        blocks: Iterable[str] | None = None,
        box: Any = None,
    ) -> tuple[Points, dict[str, Any]]: ...
    def get_points(
        self,
        label: int,
        use_cache: bool = True,
        timing: bool = False,
        *,
        blocks: Iterable[str] | None = None,
        box: Any = None,
    ) -> Any:
        """All points (N, D) of a label; (0, D) where there are none.

        `blocks` leaves those written in other blocks away, `box` ((first, …), (end, …)) those outside. With `timing`
        also what took how long.
        """
        label = checked_label(label)
        clock = Timing(label, self.using_optimized_data)
        whole = blocks is None and box is None
        with clock.of("cache_lookup_time"):
            points = self._cache.get(label) if use_cache and whole else None
        clock.values["cache_hit"] = points is not None
        found = None
        if points is None:
            points, found = self._timed_points(label, clock, blocks, box)
            if use_cache and whole:
                self._remember(label, points)
        else:
            self._cache.move_to_end(label)
        points = points.copy() if use_cache and whole and self.cache_size > 0 else points
        return (points, clock.points(self._place, found, len(points))) if timing else points

    def _timed_points(self, label: int, clock: Timing, blocks: Iterable[str] | None, box: Any) -> tuple[Points, Found]:
        with clock.of("index_lookup_time"):
            asked = None if box is None else checked_box(box, self.dimensions)
            found = self._nearest(label, asked) if asked and blocks is None else self._find(label, blocks, asked)
        with clock.of("data_read_time"):
            parts = self._files.read(found.ranges())
        with clock.of("processing_time"):
            return self._joined(parts, asked), found

    def _find(self, label: int, blocks: Iterable[str] | None = None, box: Box | None = None) -> Found:
        if blocks is not None:
            if self._unified is self._optimized:
                raise ValueError("which points were written in which block is no longer known: the index of it is gone")
            found = self._unified.find(label).of_blocks(blocks)
        else:
            found = (self._optimized or self._unified).find(label)
            if not len(found.parts) and self._optimized is not None:  # of some labels only are there optimised files
                found = self._unified.find(label)
        return found if box is None else found.near(box)

    def _nearest(self, label: int, box: Box) -> Found:
        """Where the points of a label in a box are, with as few others as can be.

        Of a cloud that was optimised one part may be all of it, where those that were written are of one block each.
        """
        found = (self._find(label), self._unified.find(label))
        return min((one.near(box) for one in found), key=lambda one: int(one.rows()[:, 1].sum()))

    def _points(self, found: Found) -> Points:
        return self._joined(self._files.read(found.ranges()), None)

    def _joined(self, parts: list[Points], box: Box | None) -> Points:
        parts = [part if box is None else part[inside(part, box)] for part in parts]
        if not parts:
            return np.empty((0, self.dimensions), self.dtype)
        points = parts[0] if len(parts) == 1 else together(parts, self.dtype)
        return sorted_unique(points.astype(self.dtype, copy=False))

    def _remember(self, label: int, points: Points) -> None:
        if self.cache_size > 0:
            self._cache[label] = points
            while len(self._cache) > self.cache_size:
                self._cache.popitem(last=False)

    def to_arrow(self, label: int, *, blocks: Iterable[str] | None = None, box: Any = None) -> pa.Table:
        """The points that `get_points` gives, as columns c0, c1, …"""
        return arrow_of(self.get_points(label, use_cache=False, blocks=blocks, box=box))

    def iter_points(self, label: int, *, blocks: Iterable[str] | None = None, box: Any = None) -> Iterator[Points]:
        """The points of a label in pieces of at most 32,768, for clouds larger than memory.

        They come as they are stored: in no order, and a point that was written twice may come twice, unless the store
        is optimised.
        """
        asked = None if box is None else checked_box(box, self.dimensions)
        for path, ranges in self._find(checked_label(label), blocks, asked).ranges().items():
            for points in self._files.groups(path, ranges):
                kept = points if asked is None else points[inside(points, asked)]
                if len(kept):
                    yield kept.astype(self.dtype, copy=False)

    def close(self) -> None:
        """Close the indexes and forget what was kept."""
        self._cache.clear()
        self._files.close()
        self._unified.close()
        if self._optimized is not None:
            self._optimized.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    print_timing_info = staticmethod(timings.print_timing_info)
