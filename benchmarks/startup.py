"""`python -m benchmarks.startup`: how soon a server answers that has many mappings and neurons in its store.

The store is filled behind the door with supervoxels that were put into bodies by edits, and by a server with neurons.
Then a server is started, several times. Prints seconds from the start of its process to the first answer at all, then
to the first annotation of a neuron, the first body of a mapped supervoxel and the first answer of a query, asked in
this order; with the size of the process after that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import requests

from benchmarks.__main__ import free_port
from benchmarks.asking import status_mb
from benchmarks.neurons import FIXED, load
from benchmarks.neurons import neurons as made_up
from dvidpy.cli.demo import start_server
from dvidpy.config import default_settings
from dvidpy.datatypes.base import TYPES
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import mapping_key
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.settings import Given
from dvidpy.versioning.datastore import Datastore

TOGETHER = 1000
"""Edits in one batch."""
PATIENCE_S = 600.0


def fill(folder: Path, count: int, edits: int) -> tuple[str, int, int]:
    """A store with that many mappings -> (root, a supervoxel, its body)."""
    load_types()
    supervoxels = np.random.default_rng(1).permutation(count).astype("<u8") + np.uint64(1)
    with closing(Datastore(default_settings(folder))) as datastore:
        data = _new_labelmap(datastore)
        view, first = data.plain_view, 0
        change = view.change()
        for edit, some in enumerate(np.array_split(supervoxels, edits)):
            body = np.uint64(count + 1 + edit)
            view.put(change, mapping_key(first + edit), np.append(some, np.full(some.size, body)).tobytes())
            if edit % TOGETHER == TOGETHER - 1 or edit == edits - 1:
                view.commit(change)
                change = view.change()
        return data.node.uuid, int(some[-1]), int(body)


def _new_labelmap(datastore: Datastore) -> LabelMap:
    repo = datastore.repos.create()
    instance = datastore.repos.add_instance(
        repo,
        "seg",
        lambda number, data: TYPES["labelmap"].make_instance(
            Given({}),
            name="seg",
            number=number,
            uuid=data,
            repo=repo.record.root,
            root_version=repo.root.version,
            store=datastore.main.name,
        ),
    )
    return LabelMap(datastore, datastore.catalogue.repo(repo.record.root), repo.root, instance, None)


def add_neurons(folder: Path, count: int, fields: int) -> str:
    """Path of an instance with that many, behind the address."""
    server = start_server(folder, port := free_port())
    try:
        with requests.Session() as session:
            path = load(session, url := f"http://127.0.0.1:{port}", "", count, fields)
        return path.removeprefix(url)
    finally:
        server.terminate()
        server.wait()


class Asked(NamedTuple):
    """A first request of its kind."""

    name: str
    path: str
    body: str
    expected: Callable[[Any], bool]
    """Whether its answer is right."""


def first_requests(seg: str, supervoxel: int, body: int, neurons: str) -> list[Asked]:
    """What is asked as soon as the server answers at all."""
    mapping = Asked("first mapped label", f"{seg}/mapping?nolookup=true", f"[{supervoxel}]", [body].__eq__)
    if not neurons:
        return [mapping]
    neuron = Asked("first neuron", f"{neurons}/key/1", "", lambda said: said["bodyid"] == 1)
    named = json.dumps({"instance": next(made_up(1, FIXED))["instance"]})
    query = Asked("first query", f"{neurons}/query?onlyid=true", named, [1].__eq__)
    return [neuron, mapping, query]


def start(folder: Path, wanted: list[Asked]) -> tuple[list[float], int]:
    """(seconds to the first answer and to those of some requests, MB in memory at the most) of a server's life."""
    port, began = free_port(), time.perf_counter()
    place = ["--host", "127.0.0.1", "--port", str(port), "--data", str(folder)]
    with (folder.parent / "server.log").open("ab") as log:
        server = subprocess.Popen([sys.executable, "-m", "dvidpy", "serve", *place], stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        while not _answers(url):
            if server.poll() is not None or time.perf_counter() - began > PATIENCE_S:
                raise SystemExit("the server does not start")
            time.sleep(0.01)
        seconds = [time.perf_counter() - began]
        for one in wanted:
            said = requests.get(f"{url}{one.path}", data=one.body, timeout=PATIENCE_S)
            seconds.append(time.perf_counter() - began)
            assert one.expected(said.json()), said.text
        return seconds, status_mb(server.pid).get("VmHWM", 0)
    finally:
        server.terminate()
        server.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--count", type=int, default=10_000_000, help="mapped supervoxels")
    parser.add_argument("--edits", type=int, default=100_000, help="edits that have mapped them")
    parser.add_argument("--neurons", type=int, default=200_000, help="annotations of neurons; 0: none")
    parser.add_argument("--fields", type=int, default=60, help="fields of each")
    parser.add_argument("--rounds", type=int, default=3, help="starts")
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        folder = Path(place) / "data"
        root, supervoxel, body = fill(folder, options.count, options.edits)
        neurons = add_neurons(folder, options.neurons, options.fields) if options.neurons else ""
        asked = first_requests(f"/api/node/{root}/seg", supervoxel, body, neurons)
        found = [start(folder, asked) for _ in range(options.rounds)]
    print(f"{options.count:,} mappings of {options.edits:,} edits, {options.neurons:,} neurons")
    print(f"{options.rounds} starts (median), load {os.getloadavg()[0]:.1f}")
    names = ["first answer", *(one.name for one in asked)]
    for at, name in enumerate(names):
        print(f"{name:24}{median(seconds[at] for seconds, _ in found):8.2f} s")
    print(f"{'memory at the most':24}{max(row[1] for row in found):8} MB")


if __name__ == "__main__":
    main()
