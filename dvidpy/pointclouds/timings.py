"""What took how long in a query, by the names that PoCADuck gives it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dvidpy.pointclouds.found import Found
from dvidpy.pointclouds.places import Place

SQL = "SELECT * FROM parts WHERE label = ?"
STEPS = {
    "cache_lookup_time": "Cache lookup",
    "index_lookup_time": "Index lookup",
    "data_read_time": "Data read",
    "processing_time": "Processing",
}
MEGABYTE = 1 << 20


class Timing:
    """Clock of one query."""

    def __init__(self, label: int, optimized: bool) -> None:
        self._start = time.perf_counter()
        self.values: dict[str, Any] = {
            "label": int(label),
            "total_time": 0.0,
            **dict.fromkeys(STEPS, 0.0),
            "files_queried": 0,
            "file_details": [],
            "query_efficiency": {},
            "sql_query": SQL,
            "using_optimized_data": optimized,
            "cache_hit": False,
            "points_returned": 0,
        }

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Adds what is done inside to a step."""
        start = time.perf_counter()
        yield
        self.values[step] += time.perf_counter() - start

    def _end(self) -> dict[str, Any]:
        self.values["total_time"] = time.perf_counter() - self._start
        return self.values

    def points(self, place: Place, found: Found | None, count: int) -> dict[str, Any]:
        """What `get_points` says; `found` where points were read."""
        values = self._end()
        values["points_returned"] = count
        if found is not None:
            files, counts = found.files(), found.counts_by_file()
            share = values["data_read_time"] / max(1, len(files))
            values["files_queried"] = len(files)
            values["file_details"] = [
                {
                    "file_path": place.shown(file),
                    "file_size_mb": place.size(file) / MEGABYTE,
                    "actual_points_in_file": points,
                    "read_time": share,
                }
                for file, points in zip(files, counts, strict=True)
            ]
            values["query_efficiency"] = _efficiency(counts)
        return values

    def count(self, files: int) -> dict[str, Any]:
        """What `get_point_count` says."""
        self.values["files_queried"] = files
        return self._chosen("total_time", "index_lookup_time", "files_queried", "sql_query", "using_optimized_data")

    def blocks(self, count: int) -> dict[str, Any]:
        """What `get_blocks_for_label` says."""
        self.values["blocks_found"] = count
        return self._chosen("total_time", "index_lookup_time", "using_optimized_data", "blocks_found", "sql_query")

    def _chosen(self, *names: str) -> dict[str, Any]:
        values = self._end()
        return {name: values[name] for name in names}


def _efficiency(counts: list[int]) -> dict[str, Any]:
    spread = {"min": min(counts, default=0), "max": max(counts, default=0), "avg": sum(counts) / max(1, len(counts))}
    return {
        "total_points": sum(counts),
        "files_accessed": len(counts),
        "points_per_file_range": spread,
        "points_per_file_counts": counts,
    }


def print_timing_info(timing_info: dict[str, Any]) -> None:
    """Print what a query with `timing=True` gave."""
    sys.stdout.write("\n".join(_lines(timing_info)) + "\n")


def _lines(info: dict[str, Any]) -> Iterator[str]:
    yield f"\nTimes of the query for label {info.get('label', 'Unknown')}"
    count, total = info.get("points_returned", 0), info.get("total_time", 0.0)
    rate = f", {count / total:,.0f} points a second" if total else ""
    yield f"  {count:,} points in {total * 1000:.2f} ms{rate}"
    yield f"  Cache hit: {_yes(info.get('cache_hit'))}; optimised data: {_yes(info.get('using_optimized_data'))}"
    yield from (f"  {name}: {info[step] * 1000:.2f} ms" for step, name in STEPS.items() if step in info)
    counts = info.get("query_efficiency", {}).get("points_per_file_range", {})
    yield f"  Files queried: {info.get('files_queried', 0)}"
    if counts:
        yield f"  Points per file: {counts['min']:,} to {counts['max']:,}, {counts['avg']:,.1f} on average"
    for detail in info.get("file_details", ()):
        points = detail["actual_points_in_file"]
        yield f"  {detail['file_path']}: {detail['file_size_mb']:.2f} MB, {points:,} points of the label"


def _yes(value: Any) -> str:
    return "yes" if value else "no"
