"""`python -m benchmarks.scaling [URL [URL]]`: how the time of small requests grows with what is stored.

Each dimension is grown step by step, each size in a repo of its own; the exponent k of time ~ size^k is fitted to the
medians. Reading one block or one key should not depend on what else is there (k = 0), nor on the depth of versions; a
merge costs what the smaller body has (k = 1). Of two servers each size is measured one after the other. Prints a table;
--out writes JSON, --plot a picture of the curves, those of a second server dashed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.__main__ import servers
from benchmarks.asking import Asking
from benchmarks.growth import GROWTHS, Ask, Growth, sizes_up_to

ROUNDS = 30
SECONDS = 3.0
"""A request is measured so many times, or for so long."""
FEWEST = 8
SERVERS = "ab"
"""How two servers are told apart."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("urls", nargs="*", metavar="URL", help="one or two servers; none: one is started")
    parser.add_argument("--token", default="", help="admin token, to make repos")
    parser.add_argument("--only", default="*", help="pattern of the dimensions to grow")
    parser.add_argument("--steps", type=int, default=3, help="sizes of each dimension, the smallest first")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--plot", type=Path, help="PNG file to write; needs matplotlib")
    options = parser.parse_args()
    if len(options.urls) > 2:
        parser.error("two servers at most")
    with servers(options.urls) as urls:
        chosen = [growth for growth in GROWTHS if fnmatch(growth.name, options.only)]
        rows = [row for growth in chosen for row in grow(growth, urls, options.token, options.steps)]
    report = {"when": datetime.now(UTC).isoformat(), "load": os.getloadavg()[0], "cores": os.cpu_count(), "rows": rows}
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot(rows, options.plot)


def grow(growth: Growth, urls: list[str], token: str, steps: int) -> list[dict[str, Any]]:
    """A row for each request of a dimension and each server: medians in ms by size, and the exponent."""
    medians: dict[tuple[str, str], dict[int, float]] = {}
    for size in sizes_up_to(growth, steps):
        for server, url in zip(SERVERS, urls, strict=False):
            for name, ask in growth.make(Asking(url, token), size).items():
                medians.setdefault((name, server), {})[size] = round(1000 * timed(ask, growth), 4)
    names = list(dict.fromkeys(name for name, _ in medians))
    rows = [
        {"dimension": growth.name, "request": name, "server": server, "ms": found, "exponent": fitted(found)}
        for name in names
        for server in SERVERS
        if (found := medians.get((name, server)))
    ]
    for row in rows:
        show(row)
    return rows


def timed(ask: Ask, growth: Growth) -> float:
    """Median of the seconds it takes, of few where it can be asked only so often."""
    often = FEWEST if "body" in growth.name else ROUNDS
    for _ in range(2):
        ask()
    taken: list[float] = []
    until = time.monotonic() + SECONDS
    while len(taken) < often and (len(taken) < FEWEST or time.monotonic() < until):
        started = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - started)
    return median(taken)


def fitted(found: dict[int, float]) -> float:
    """The exponent of growth."""
    if len(found) < 2:
        return 0.0
    sizes, times = np.log(list(found)), np.log(list(found.values()))
    return round(float(np.polyfit(sizes, times, 1)[0]), 3)


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    curve = "  ".join(f"{size:,}: {ms:.2f}" for size, ms in row["ms"].items())
    print(
        f"{row['dimension']:32} {row['request']:28} {row['server']} k {row['exponent']:6.2f}   ms {curve}", flush=True
    )


def plot(rows: list[dict[str, Any]], place: Path) -> None:
    """A picture of the curves, a panel for each dimension."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(row["dimension"] for row in rows))
    colours: dict[tuple[str, str], str] = {}
    figure, panels = plt.subplots(1, len(names), figsize=(3.6 * len(names), 3.2), squeeze=False)
    for panel, name in zip(panels[0], names, strict=True):
        for row in (row for row in rows if row["dimension"] == name):
            line = {"marker": "o", "label": row["request"]} if row["server"] == SERVERS[0] else {"linestyle": "--"}
            colour = colours.setdefault((name, row["request"]), f"C{len(colours) % 10}")
            panel.loglog(list(row["ms"]), list(row["ms"].values()), color=colour, **line)
        panel.set(xlabel=name, ylabel="ms", ylim=(0.05, None))
        panel.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(place, dpi=110)


if __name__ == "__main__":
    main()
