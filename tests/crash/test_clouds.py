"""A server that is killed while a cloud is made of a segmentation, voxels are edited, and points come in."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import requests
from conftest import demand_sound
from datatypes.labelmap.conftest import Labels
from labelmaps import SIDE, voxels
from numpy.typing import NDArray
from servers import ServerProcess

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.datatypes.pointcloud.working import BUILD
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.datastore import Datastore

SIZE = (4 * SIDE, 4 * SIDE, 8 * SIDE)
LONGEST_S = 0.2
MOST = 10
"""Times as many rounds, until one has interrupted a build."""
PAUSE_S = 0.02
"""Between posts, in which the server finds time for what it does in the background."""
Rows = NDArray[np.int64]
"""(N, 4) label, x, y, z, in order."""
Row = tuple[int, int, int, int]


@dataclass
class Client:
    """What it did, and what must therefore be there."""

    chance: random.Random
    node: str = ""
    volume: Labels = field(default_factory=lambda: np.zeros(SIZE, np.uint64))
    edited: Labels | None = None
    """The volume with the edit that was not answered."""
    points: dict[str, set[Row]] = field(default_factory=dict)
    """By block, as acknowledged."""
    posted: tuple[str, set[Row]] | None = None
    """What was not acknowledged."""
    answered: int = 0

    def begin(self, url: str) -> None:
        """A segmentation, the cloud that follows it, and one of its own."""
        root = requests.post(f"{url}/api/repos", json={}, timeout=60).json()["root"]
        self.node = f"/api/node/{root}"
        side = f"{SIDE},{SIDE},{SIDE}"
        for kind, name in (("labelmap", "seg"), ("pointcloud", "made"), ("pointcloud", "posted")):
            given = {"typename": kind, "dataname": name, "BlockSize": side, "MaxDownresLevel": "0"}
            assert requests.post(f"{url}/api/repo/{root}/instance", json=given, timeout=60).ok
        assert requests.post(f"{url}{self.node}/made/sync", json={"sync": "seg"}, timeout=60).ok
        rng = np.random.default_rng(self.chance.randrange(1 << 30))
        coarse = rng.integers(1, 60, [side // 8 for side in SIZE]).astype(np.uint64)
        self.volume = coarse.repeat(8, 0).repeat(8, 1).repeat(8, 2)
        depth, height, width = SIZE
        path = f"seg/raw/0_1_2/{width}_{height}_{depth}/0_0_0"
        assert requests.post(f"{url}{self.node}/{path}", data=self.volume.tobytes(), timeout=60).ok

    def write(self, url: str) -> None:
        """Points, and now and then voxels, until the server is gone."""
        with requests.Session() as session:
            try:
                while True:
                    self._post_points(session, url + self.node)
                    if self.answered % 4 == 0:
                        self._post_voxels(session, url + self.node)
                    time.sleep(PAUSE_S)
            except requests.RequestException:
                return

    def _post_points(self, session: requests.Session, node: str) -> None:
        block = f"b{self.chance.randrange(3)}"
        rng = np.random.default_rng(self.chance.randrange(1 << 30))
        rows = np.column_stack((rng.integers(1, 5, 40), rng.integers(-9, 9, (40, 3))))
        given = {str(label): rows[rows[:, 0] == label, 1:].tolist() for label in range(1, 5)}
        self.posted = block, {(a, b, c, d) for a, b, c, d in rows.tolist()}
        answer = session.post(f"{node}/posted/points", params={"block": block}, json=given, timeout=60)
        assert answer.status_code == 200, answer.text
        self.points.setdefault(block, set()).update(self.posted[1])
        self.posted, self.answered = None, self.answered + 1

    def _post_voxels(self, session: requests.Session, node: str) -> None:
        part = np.random.default_rng(self.chance.randrange(1 << 30)).integers(60, 65, (SIDE,) * 3, np.uint64)
        z, y, x = (SIDE * self.chance.randrange(size // SIDE) for size in SIZE)
        edited = self.volume.copy()
        edited[z : z + SIDE, y : y + SIDE, x : x + SIDE] = part
        self.edited = edited
        path = f"seg/raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/{x}_{y}_{z}"
        answer = session.post(f"{node}/{path}", params={"mutate": "true"}, data=part.tobytes(), timeout=60)
        assert answer.status_code == 200, answer.text
        self.volume, self.edited = edited, None

    def prove(self, datastore: Datastore) -> None:
        """Voxels and posted points are those that were answered, and what is in doubt as a whole or not at all."""
        place = datastore.catalogue.find(self.node.split("/")[3])
        found = voxels(LabelMap(datastore, *place, place.repo.instances["seg"], None), SIZE)
        if not np.array_equal(found, self.volume):
            assert self.edited is not None
            assert np.array_equal(found, self.edited)
            self.volume = self.edited
        made, posted = (Cloud(datastore, *place, place.repo.instances[name], None) for name in ("made", "posted"))
        z, y, x = np.nonzero(self.volume)
        assert np.array_equal(
            rows_of(made), in_order(np.column_stack((self.volume[z, y, x].astype(np.int64), x, y, z)))
        )
        self._prove_posted({block: {*map(tuple, rows_of(posted, block).tolist())} for block in posted.blocks()})
        self.edited = self.posted = None

    def _prove_posted(self, found: dict[str, set[tuple[int, ...]]]) -> None:
        if found != self.points:
            assert self.posted is not None
            block, rows = self.posted
            self.points.setdefault(block, set()).update(rows)
            assert found == self.points


def in_order(rows: Rows) -> Rows:
    return rows[np.lexsort(rows.T[::-1])]


def rows_of(cloud: Cloud, block: str | None = None) -> Rows:
    cloud = cloud.frozen()
    parts = cloud.parts(cloud.labels(supervoxels=True).tolist(), block)
    found = [np.column_stack((np.full(len(points), part.label), points)) for part, points in cloud.points(parts)]
    return in_order(np.concatenate([np.empty((0, 4), np.int64), *found]))


def _until_half_made(url: str) -> None:
    """A build has begun, here or before the server was killed, and is not at its end."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        said = requests.get(f"{url}/made/build", timeout=60).json()
        if not said["Running"]:
            assert requests.post(f"{url}/made/build?voxels=all", timeout=60).ok
        elif said["BlocksDone"]:
            return
        time.sleep(PAUSE_S)
    raise AssertionError("nothing is made")


def _crash_again_and_again(folder: Path, seed: int, rounds: int) -> None:
    load_types()
    server, client = ServerProcess(folder), Client(random.Random(seed))
    interrupted, done = 0, 0
    while done < rounds or (not interrupted and done < MOST * rounds):  # a quick machine may be at its end when killed
        done += 1
        server.start()
        if not client.node:
            client.begin(server.url)
        writer = threading.Thread(target=client.write, args=(server.url,))
        writer.start()
        _until_half_made(server.url + client.node)
        time.sleep(client.chance.uniform(0, LONGEST_S))
        server.kill()
        writer.join()
        with closing(Datastore(server.settings)) as datastore:
            interrupted += any(task.kind == BUILD for _, task in datastore.main.queue.pending())
            demand_sound(datastore)
            client.prove(datastore)
    assert interrupted
    assert client.answered >= done


@pytest.mark.timeout(600)
def test_clouds_outlive_kill_9(tmp_path: Path) -> None:
    _crash_again_and_again(tmp_path, 20261128, rounds=2)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_clouds_outlive_kill_9_for_longer(tmp_path: Path) -> None:
    _crash_again_and_again(tmp_path, 1, rounds=60)
