"""`python -m benchmarks.rates URL [URL]`: small requests a second over 1, 8 and 32 connections, by `wrk`.

Two servers are asked in turn, and the ratio of their rates is shown. `wrk` must be on PATH (a package of most systems).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from benchmarks.asking import Asking, keyvalues

CONNECTIONS = (1, 8, 32)
KEYS = 1000
SIDE = 64
_POSTING = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("POST", "%s/key/w" .. number %% 10000, nil, string.rep("x", 200))
end
"""
"""How wrk asks for a POST of 200 bytes to another key each time."""


class Asked(NamedTuple):
    """One kind of request to one server."""

    name: str
    path: str
    script: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rates", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("urls", nargs="+", metavar="URL", help="one or two servers")
    parser.add_argument("--token", default="", help="admin token, to make a repo")
    parser.add_argument("--seconds", type=float, default=3, help="time for each figure")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        parser.error("wrk is not on PATH; most systems have a package of that name")
    servers = [list(small_requests(Asking(url, options.token))) for url in options.urls]
    rows = list(measure(options.urls, servers, options.seconds))
    show(rows)
    if options.out:
        report = {"urls": options.urls, "load": os.getloadavg()[0], "cores": os.cpu_count(), "rows": rows}
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def small_requests(ask: Asking) -> Iterator[Asked]:
    """What proofreaders' tools ask all day, of data that is made here."""
    ask.instance("keyvalue", "kv")
    ask.instance("neuronjson", "neurons")
    ask.instance("labelmap", "seg", BlockSize="64,64,64", MaxDownresLevel="0")
    ask.post(ask.of("kv", "keyvalues"), keyvalues((f"k{at}", b"x" * 200) for at in range(KEYS)))
    ask.post(ask.of("neurons", "key/4321?u=benchmark"), b'{"bodyid": 4321, "type": "LC4", "status": "Traced"}')
    labels = np.repeat(np.arange(1, SIDE + 1, dtype="<u8"), SIDE * SIDE).tobytes()
    ask.post(ask.of("seg", f"raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0"), labels)
    yield Asked("GET of a value of 200 bytes", ask.of("kv", "key/k7"))
    yield Asked("POST of a value of 200 bytes", ask.of("kv", "key/w"), _POSTING % ask.of("kv", "")[:-1])
    yield Asked("neuronjson key", ask.of("neurons", "key/4321"))
    yield Asked("label at a point", ask.of("seg", "label/11_12_13"))
    yield Asked("server/info", "/api/server/info")


def measure(urls: list[str], servers: list[list[Asked]], seconds: float) -> Iterator[dict[str, Any]]:
    """One row for each kind of request and number of connections: requests a second of each server."""
    for same in zip(*servers, strict=True):
        for connections in CONNECTIONS:
            rates = [rate(url, asked, connections, seconds) for url, asked in zip(urls, same, strict=True)]
            yield {"request": same[0].name, "connections": connections, "per_s": rates}


def rate(url: str, asked: Asked, connections: int, seconds: float) -> int:
    """Requests a second; ends the program where an answer is a refusal."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s"]
    with TemporaryDirectory() as folder:
        if asked.script:
            script = Path(folder) / "post.lua"
            script.write_text(asked.script, encoding="utf-8")
            command += ["-s", str(script)]
        said = subprocess.run(
            [*command, url.rstrip("/") + asked.path], capture_output=True, text=True, check=True
        ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{url}: {asked.name}: {said}")
    found = re.search(r"Requests/sec:\s*([\d.]+)", said)
    if found is None:
        raise SystemExit(f"wrk said no rate: {said}")
    return round(float(found[1]))


def show(rows: list[dict[str, Any]]) -> None:
    """The table."""
    two = len(rows[0]["per_s"]) > 1
    print(f"{'request':32}{'connections':>12}{'a /s':>10}" + (f"{'b /s':>10}{'a / b':>8}" if two else ""))
    for row in rows:
        line = f"{row['request']:32}{row['connections']:12}" + "".join(f"{one:10,}" for one in row["per_s"])
        print(line + (f"{row['per_s'][0] / row['per_s'][1]:8.2f}" if two else ""))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
