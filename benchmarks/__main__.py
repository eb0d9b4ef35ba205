"""`python -m benchmarks [URL [URL]]`: whole requests against one server, or two in turn.

Each operation is asked of both in turn, so that whatever else the machine does slows both. Without a URL a server is
started for it. Prints a table (median and 90th percentile in milliseconds, ratio a / b), and with --out a JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.operations import Operation, Target
from dvidpy.cli.demo import start_server

WARM_UP = 3
"""Requests that are not counted."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("urls", nargs="*", metavar="URL", help="one or two servers; none: one is started")
    parser.add_argument("--token", default="", help="admin token, to make a repo")
    parser.add_argument("--ops", default="*", help="pattern of the operations to measure")
    parser.add_argument("--seconds", type=float, default=1.5, help="time for an operation on a server")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    if len(options.urls) > 2:
        parser.error("two servers at most")
    with servers(options.urls) as urls:
        rows = measure([Target(url, options.token) for url in urls], options.ops, options.seconds)
    show(rows)
    if options.out:
        report = {"urls": urls, "load": os.getloadavg()[0], "cores": os.cpu_count(), "operations": rows}
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


@contextmanager
def servers(urls: list[str]) -> Iterator[list[str]]:
    """The servers named, or one of our own."""
    if urls:
        yield urls
        return
    port = free_port()
    with TemporaryDirectory() as folder:
        server = start_server(Path(folder), port)
        try:
            yield [f"http://127.0.0.1:{port}"]
        finally:
            server.terminate()
            server.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(targets: list[Target], pattern: str, seconds: float) -> list[dict[str, Any]]:
    """One row an operation: its name, and for each server median and 90th percentile in ms, and MB/s."""
    for target in targets:
        target.load()
    rows = []
    for operations in zip(*(target.operations() for target in targets), strict=True):
        if fnmatch(operations[0].name, pattern):
            times = _in_turn(operations, seconds * len(operations))
            rows.append({"name": operations[0].name, "servers": list(map(_summary, operations, times))})
    return rows


def _in_turn(operations: tuple[Operation, ...], seconds: float) -> list[list[float]]:
    """Seconds of each request, by server."""
    times: list[list[float]] = [[] for _ in operations]
    until = time.monotonic() + seconds
    number = 0
    while number < WARM_UP + 2 or time.monotonic() < until:
        for operation, taken in zip(operations, times, strict=True):
            started = time.perf_counter()
            operation.ask(number)
            elapsed = time.perf_counter() - started
            if number >= WARM_UP:
                taken.append(elapsed)
        number += 1
    return times


def _summary(operation: Operation, taken: list[float]) -> dict[str, float]:
    middle = median(taken)
    found = {"median_ms": round(1000 * middle, 3), "p90_ms": round(1000 * quantiles(taken, n=10)[-1], 3)}
    found["requests"] = len(taken)
    if operation.bytes:
        found["MB_per_s"] = round(operation.bytes / middle / 1e6)
    return found


def show(rows: list[dict[str, Any]]) -> None:
    """The table."""
    two = any(len(row["servers"]) > 1 for row in rows)
    print(
        f"{'operation':32}{'a ms':>9}{'p90':>9}{'MB/s':>7}"
        + (f"{'b ms':>9}{'p90':>9}{'MB/s':>7}{'a / b':>8}" if two else "")
    )
    for row in rows:
        line = f"{row['name']:32}"
        for server in row["servers"]:
            line += f"{server['median_ms']:9.2f}{server['p90_ms']:9.2f}{server.get('MB_per_s', ''):>7}"
        if two:
            line += f"{row['servers'][0]['median_ms'] / row['servers'][1]['median_ms']:8.2f}"
        print(line)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
