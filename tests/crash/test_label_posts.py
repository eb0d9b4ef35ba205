"""A server that is killed while label blocks come in: voxels, all scales and indices are of one post, or of none."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import requests
from conftest import demand_sound
from datatypes.labelmap.conftest import Labels, stream_of
from servers import ServerProcess

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.registry import load_types
from dvidpy.geometry import Box
from dvidpy.versioning.datastore import Datastore

LONGEST_S = 0.5
SIDE = 32
"""Voxels of a volume: eight blocks of 16."""


class Poster:
    """Posts one volume after the other at the same place, in both ways; the whole of each has labels of its own."""

    def __init__(self) -> None:
        self.posts = 0
        self.acknowledged = 0
        self.under_way = threading.Event()
        """The server that runs has answered once: what it needs is loaded."""

    def volume(self, number: int) -> Labels:
        """What a post writes; 0 is before the first."""
        if not number:
            return np.zeros((SIDE,) * 3, np.uint64)
        draw = np.random.default_rng(number)
        return draw.integers(100 * number + 1, 100 * number + 40, (SIDE,) * 3, np.uint64)

    def write(self, url: str) -> None:
        """Until the server is gone."""
        with requests.Session() as session:
            while True:
                self.posts += 1
                labels = self.volume(self.posts)
                try:
                    if self.posts % 2:
                        path, body = f"raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0", labels.tobytes()
                    else:
                        corners = np.ndindex(2, 2, 2)
                        cut = {(x, y, z): _block(labels, z, y, x) for z, y, x in corners}
                        path, body = "blocks?downres=true&mutate=true", stream_of(cut)
                    answer = session.post(f"{url}/{path}", data=body, timeout=60)
                except requests.RequestException:
                    return
                assert answer.status_code == 200, answer.text
                self.acknowledged = self.posts
                self.under_way.set()


def _block(labels: Labels, z: int, y: int, x: int) -> Labels:
    return labels[16 * z : 16 * z + 16, 16 * y : 16 * y + 16, 16 * x : 16 * x + 16]


def _stored(data: LabelMap) -> Labels:
    out = np.zeros((SIDE,) * 3, np.uint64)
    for (z, y, x), found in stored_blocks.walk(data, 0, Box((0, 0, 0), (2, 2, 2))):
        codec.paste(stored_blocks.load(data, found), (16 * z, 16 * y, 16 * x), out, (0, 0, 0))
    return out


def _demand_indices(data: LabelMap, labels: Labels) -> None:
    """Every body's index counts the voxels of every block that are there, and no others."""
    counted: Counter[tuple[int, ...]] = Counter()
    for z, y, x in np.ndindex(2, 2, 2):
        for label, voxels in zip(*np.unique(_block(labels, z, y, x), return_counts=True), strict=True):
            if label:
                counted[int(label), z, y, x] = int(voxels)
    indexed = Counter(
        {
            (label, *block): voxels
            for label in data.labels()
            for block, voxels in zip(
                data.need_index(label).blocks.tolist(), data.need_index(label).entries.voxels.tolist(), strict=True
            )
        }
    )
    assert indexed == counted


def _crash_again_and_again(folder: Path, seed: int, rounds: int) -> None:
    server, poster, chance = ServerProcess(folder), Poster(), random.Random(seed)
    server.start()
    root = requests.post(f"{server.url}/api/repos", json={}, timeout=60).json()["root"]
    given = {"typename": "labelmap", "dataname": "seg", "BlockSize": "16,16,16", "MaxDownresLevel": "2"}
    assert requests.post(f"{server.url}/api/repo/{root}/instance", json=given, timeout=60).ok
    for turn in range(rounds):
        if turn:
            server.start()
        poster.under_way.clear()
        writer = threading.Thread(target=poster.write, args=(f"{server.url}/api/node/{root}/seg",))
        writer.start()
        assert poster.under_way.wait(60)
        time.sleep(chance.uniform(0, LONGEST_S))
        server.kill()
        writer.join()
        load_types()
        with closing(Datastore(server.settings)) as datastore:
            demand_sound(datastore)
            place = datastore.catalogue.find(root)
            data = LabelMap(datastore, *place, place.repo.instances["seg"], None)
            found = _stored(data)
            _demand_indices(data, found)
        if not np.array_equal(found, poster.volume(poster.acknowledged)):
            assert poster.posts > poster.acknowledged
            assert np.array_equal(found, poster.volume(poster.posts))
    assert poster.acknowledged >= rounds


@pytest.mark.timeout(600)
def test_a_post_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    _crash_again_and_again(tmp_path, seed=7, rounds=8)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_posts_outlive_kill_9_for_longer(tmp_path: Path) -> None:
    _crash_again_and_again(tmp_path, seed=11, rounds=100)
