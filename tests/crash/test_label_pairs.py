"""A server that is killed while a labelblk and its labelvol are edited: both hold every edit that was answered."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import requests
from conftest import demand_sound
from datatypes.labelarray.test_labelarray import runs_of
from datatypes.labelmap.conftest import Labels
from labelmaps import SIDE, voxels
from servers import ServerProcess

from dvidpy.datatypes.labelgraph.graph import LabelGraph
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.datastore import Datastore

SIZE = (2 * SIDE, 2 * SIDE, 4 * SIDE)
LONGEST_S = 1.2
Change = Callable[[Labels], Labels]


@dataclass
class Client:
    """What it did to a pair, and what must therefore be there."""

    chance: random.Random
    node: str = ""
    volume: Labels = field(default_factory=lambda: np.zeros(SIZE, np.uint64))
    doubt: Change | None = None
    """What the edit does that was not answered."""
    answered: int = 0
    under_way: threading.Event = field(default_factory=threading.Event)
    """The server that runs has answered once: what it needs is loaded."""

    def write(self, url: str) -> None:
        """Go on until the server is gone."""
        with requests.Session() as session:
            try:
                while True:
                    self._step(session, url + self.node)
            except requests.RequestException:
                return

    def _step(self, session: requests.Session, node: str) -> None:
        labels = np.unique(self.volume[self.volume > 0]).tolist()
        kind = self.chance.randrange(5)
        if kind == 0 or len(labels) < 4:
            part = np.random.default_rng(self.chance.randrange(1 << 30)).integers(1, 30, (SIDE,) * 3, np.uint64)
            z, y, x = (SIDE * self.chance.randrange(size // SIDE) for size in SIZE)
            path = f"blk/raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/{x}_{y}_{z}"
            self._ask(session, f"{node}/{path}", part.tobytes(), _posted((z, y, x), part))
        elif kind < 3:
            target, *others = self.chance.sample(labels, 3)
            self._ask(session, f"{node}/vol/merge", orjson.dumps([target, *others]), _merged(target, others))
        else:
            label, plane = self.chance.choice(labels), self.chance.randrange(1, SIZE[2])
            inside = self.volume == label
            inside[:, :, plane:] = False
            new = int(max(labels)) + 1
            if inside.any():
                query = f"{node}/vol/split/{label}?splitlabel={new}"
                self._ask(session, query, runs_of(inside), _split(inside, new))

    def _ask(self, session: requests.Session, url: str, body: bytes, change: Change) -> None:
        self.doubt = change
        answer = session.post(url, data=body, timeout=60)
        assert answer.status_code == 200, answer.text
        self.volume, self.doubt = change(self.volume), None
        self.answered += 1
        self.under_way.set()

    def prove(self, datastore: Datastore) -> None:
        """Both have all that was answered, and what is in doubt both or none."""
        blk, vol = (_instance(datastore, self.node, name) for name in ("blk", "vol"))
        found = voxels(blk, SIZE)
        if not np.array_equal(found, self.volume):
            assert self.doubt is not None
            self.volume = self.doubt(self.volume)
            assert np.array_equal(found, self.volume)
        self.doubt = None
        assert np.array_equal(voxels(vol, SIZE), self.volume)
        labels, sizes = np.unique(self.volume[self.volume > 0], return_counts=True)
        assert list(vol.labels()) == labels.tolist()
        assert [vol.need_body(label).voxels for label in labels.tolist()] == sizes.tolist()


def _posted(start: tuple[int, int, int], part: Labels) -> Change:
    def change(volume: Labels) -> Labels:
        out = volume.copy()
        out[tuple(slice(at, at + SIDE) for at in start)] = part
        return out

    return change


def _merged(target: int, others: list[int]) -> Change:
    return lambda volume: np.where(np.isin(volume, np.array(others, np.uint64)), np.uint64(target), volume)


def _split(inside: Any, new: int) -> Change:
    return lambda volume: np.where(inside, np.uint64(new), volume)


def _instance(datastore: Datastore, node: str, name: str) -> LabelMap:
    place = datastore.catalogue.find(node.removeprefix("/api/node/"))
    return LabelMap(datastore, *place, place.repo.instances[name], None)


def _begin(server: ServerProcess) -> str:
    """A pair, and a graph that follows the labelvol."""
    root = requests.post(f"{server.url}/api/repos", json={}, timeout=60).json()["root"]
    for kind, name in (("labelblk", "blk"), ("labelvol", "vol"), ("labelgraph", "graph")):
        given = {"typename": kind, "dataname": name, "BlockSize": f"{SIDE},{SIDE},{SIDE}"}
        assert requests.post(f"{server.url}/api/repo/{root}/instance", json=given, timeout=60).ok
    node = f"/api/node/{root}"
    for name, other in (("blk", "vol"), ("vol", "blk"), ("graph", "vol")):
        assert requests.post(f"{server.url}{node}/{name}/sync", json={"sync": other}, timeout=60).ok
    graph = {"Vertices": [{"Id": one, "Weight": 1} for one in range(1, 30)], "Edges": []}
    assert requests.post(f"{server.url}{node}/graph/subgraph", json=graph, timeout=60).ok
    return node


def _crash_again_and_again(folder: Path, seed: int, rounds: int) -> None:
    load_types()
    server, client = ServerProcess(folder), Client(random.Random(seed))
    for _ in range(rounds):
        server.start()
        client.node = client.node or _begin(server)
        client.under_way.clear()
        writer = threading.Thread(target=client.write, args=(server.url,))
        writer.start()
        assert client.under_way.wait(60)
        time.sleep(client.chance.uniform(0, LONGEST_S))
        server.kill()
        writer.join()
        with closing(Datastore(server.settings)) as datastore:
            demand_sound(datastore)
            client.prove(datastore)
            place = datastore.catalogue.find(client.node.split("/")[3])
            graph = LabelGraph(datastore, *place, place.repo.instances["graph"], None)
            assert set(graph.still().vertices()) <= {*np.unique(client.volume).tolist(), *range(1, 30)}
    assert client.answered > 3 * rounds


@pytest.mark.timeout(600)
def test_pairs_outlive_kill_9(tmp_path: Path) -> None:
    _crash_again_and_again(tmp_path, 20240302, rounds=6)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(3))
def test_pairs_outlive_kill_9_for_longer(tmp_path: Path, seed: int) -> None:
    _crash_again_and_again(tmp_path, seed, rounds=100)
