"""`python -m benchmarks.neurons [URL]`: many annotations with many fields, and queries of them.

Without a URL a server is started for it. Prints seconds of loading, then milliseconds of each query: the first one (the
very first reads the version into memory, others make a column), the median of the next, and the most.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import requests

from benchmarks.__main__ import servers
from dvidpy.datatypes.keyvalues.messages import encode_keyvalues

BATCH = 2000
FIXED = 7
"""Fields that have a meaning; the others are made up."""
QUERIES: dict[str, tuple[str, Any]] = {
    "equal, 1 in 5,000": ("", {"type": "T0007"}),
    "equal, of 200,000 distinct": ("", {"instance": "T1100_1"}),
    "equal, two fields": ("", {"type": "T0007", "side": "L"}),
    "regex over 5,000 distinct": ("", {"type": "re/^T000[12]$"}),
    "regex over 200,000 distinct": ("", {"instance": "re/_10007$"}),
    "regex that 10 % meet, ids": ("?onlyid=true", {"instance": "re/7$"}),
    "exists, none": ("", {"nothing": "exists/1"}),
    "who wrote it": ("", {"type_user": "bench", "type": "T0001"}),
}


def neurons(count: int, fields: int) -> Iterator[dict[str, Any]]:
    """Annotations that are the same in every run."""
    dice = random.Random(1)
    for body in range(1, count + 1):
        kind = f"T{dice.randrange(5000):04d}"
        neuron = {"bodyid": body, "type": kind, "instance": f"{kind}_{body}", "size": dice.randrange(10**9)}
        neuron |= {"side": dice.choice("LR"), "status": dice.choice(["good", "bad", "open"])}
        neuron["soma"] = [dice.randrange(30_000) for _ in range(3)]
        for number in range(fields - FIXED):
            of_numbers = number % 3 == 0
            neuron[f"field_{number:02d}"] = dice.randrange(100) if of_numbers else f"value {dice.randrange(1000)}"
        yield neuron


def load(session: requests.Session, url: str, token: str, count: int, fields: int) -> str:
    """A repo with an instance that holds them -> its path."""
    options = {"admintoken": token} if token else {}
    root = session.post(f"{url}/api/repos", params=options, json={"alias": "neurons"}).json()["root"]
    instance = {"typename": "neuronjson", "dataname": "neurons"}
    session.post(f"{url}/api/repo/{root}/instance", json=instance).raise_for_status()
    path = f"{url}/api/node/{root}/neurons"
    waiting: list[tuple[str, bytes]] = []
    for neuron in neurons(count, fields):
        waiting.append((str(neuron["bodyid"]), json.dumps(neuron).encode()))
        if len(waiting) == BATCH or neuron["bodyid"] == count:
            session.post(f"{path}/keyvalues?u=bench", data=encode_keyvalues(waiting)).raise_for_status()
            waiting = []
    return path


def timed(ask: Callable[[], requests.Response]) -> tuple[float, requests.Response]:
    """(milliseconds, answer)."""
    started = time.perf_counter()
    answer = ask()
    answer.raise_for_status()
    return (time.perf_counter() - started) * 1000, answer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.neurons", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("urls", nargs="*", metavar="URL", help="a server; none: one is started")
    parser.add_argument("--token", default="", help="admin token, to make a repo")
    parser.add_argument("--count", type=int, default=200_000, help="annotations")
    parser.add_argument("--fields", type=int, default=60, help="fields of each")
    parser.add_argument("--rounds", type=int, default=15, help="times that each query is asked again")
    options = parser.parse_args()
    with servers(options.urls[:1]) as urls, requests.Session() as session:
        took, path = timed_load(session, urls[0], options)
        print(f"{options.count} annotations of {options.fields} fields, load {os.getloadavg()[0]:.1f}")
        print(f"{'loading':32} {took:9.1f} s")
        for name, (query, asked) in QUERIES.items():
            times = []
            for _ in range(options.rounds + 1):
                took, answer = timed(lambda at=f"{path}/query{query}", body=asked: session.post(at, json=body))  # type: ignore[misc]
                times.append(took)
            first, *others = times
            row = f"{name:32} first {first:9.1f}  median {median(others):8.2f}  most {max(others):8.2f} ms"
            print(row, f" {len(answer.json())} found")
        for rest in ("fields", "fieldtimes", "keys", "all?fields=type", "all", "key/1"):
            took, answer = timed(lambda at=f"{path}/{rest}": session.get(at))  # type: ignore[misc]
            print(f"{rest:32} {took:9.1f} ms  {len(answer.content)} bytes")


def timed_load(session: requests.Session, url: str, options: argparse.Namespace) -> tuple[float, str]:
    """(seconds, path of the instance)."""
    started = time.perf_counter()
    path = load(session, url, options.token, options.count, options.fields)
    return time.perf_counter() - started, path


if __name__ == "__main__":
    main()
