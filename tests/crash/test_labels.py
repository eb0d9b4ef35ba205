"""A server that is killed while bodies are edited: every edit that was answered is there, and none is half there."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import requests
from conftest import demand_sound
from labelmaps import SIDE, at, blocks_of, new_labelmap, post, runs_of, voxels
from servers import ServerProcess

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labels.sparsevol import rles
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.datastore import Datastore

SIZE = (SIDE, SIDE, 8 * SIDE)
FIRST, LONGEST_S = 3, 1.0
"""Edits answered before a kill (the first of a server loads its kernels, slowly on a busy machine); then seconds."""
Said = dict[str, Any]


@dataclass
class Client:
    """What it did to one labelmap, and what must therefore be there."""

    chance: random.Random
    url: str = ""
    volume: Any = None
    bodies: dict[int, set[int]] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    """Messages of the edits that were answered."""
    doubt: Said = field(default_factory=dict)
    """What the edit says that was not answered; its new labels are not known."""

    def write(self) -> None:
        """Go on until the server is gone."""
        with requests.Session() as session:
            try:
                while True:
                    self._step(session)
            except requests.RequestException:
                return

    def _step(self, session: requests.Session) -> None:
        body = self.chance.choice(sorted(self.bodies))
        supervoxels = sorted(self.bodies[body])
        kind = self.chance.randrange(4)
        if kind == 0 and len(self.bodies) > 8:
            others = self.chance.sample(sorted(set(self.bodies) - {body}), 2)
            self._ask(session, "merge", [body, *others], {"Target": body, "Labels": others})
        elif kind == 1 and len(supervoxels) > 1:
            some = supervoxels[: len(supervoxels) // 2]
            self._ask(session, f"cleave/{body}", some, {"OrigLabel": body, "CleavedSupervoxels": some})
        elif kind == 2:
            new = max(*self.bodies, *(label for found in self.bodies.values() for label in found)) + 1
            self._ask(session, "renumber", [new, body], {"NewLabel": new, "OrigLabel": body})
        else:
            self._split(session, body, supervoxels[0])

    def _split(self, session: requests.Session, body: int, supervoxel: int) -> None:
        mask = self.volume == supervoxel
        if mask.sum() < 2:
            return
        mask.ravel()[np.flatnonzero(mask)[mask.sum() // 2 :]] = False
        volume = rles([runs_of(mask)])
        self._ask(session, f"split-supervoxel/{supervoxel}", volume, {"Supervoxel": supervoxel, "Body": body})

    def _ask(self, session: requests.Session, path: str, body: Any, said: Said) -> None:
        self.doubt = said
        answer = session.post(f"{self.url}/{path}", data=body if isinstance(body, bytes) else orjson.dumps(body))
        assert answer.status_code == 200, answer.text
        self.apply(said | (answer.json() if answer.content else {}))

    def apply(self, said: Said) -> None:
        """What an edit changes."""
        self.doubt = {}
        self.said.append(said)
        if "Target" in said:
            self.bodies[said["Target"]].update(*(self.bodies.pop(label) for label in said["Labels"]))
        elif "CleavedLabel" in said:
            self.bodies[said["OrigLabel"]] -= set(said["CleavedSupervoxels"])
            self.bodies[said["CleavedLabel"]] = set(said["CleavedSupervoxels"])
        elif "NewLabel" in said:
            self.bodies[said["NewLabel"]] = self.bodies.pop(said["OrigLabel"])
        else:
            place = np.flatnonzero(self.volume == said["Supervoxel"])
            flat = self.volume.ravel()
            flat[place] = said["RemainSupervoxel"]
            flat[place[: len(place) // 2]] = said["SplitSupervoxel"]
            self.bodies[said["Body"]] -= {said["Supervoxel"]}
            self.bodies[said["Body"]] |= {said["RemainSupervoxel"], said["SplitSupervoxel"]}

    # ------------------------------------------------------------------ proving
    def prove(self, data: LabelMap) -> None:
        """All that was answered, in order; the one in doubt wholly or not at all."""
        log = data.datastore.main.log.read(data.instance.uuid, data.version_uuid)
        lines = [orjson.loads(line) for line in log]
        for said, line in zip(self.said, lines, strict=False):
            assert said.items() <= line.items()
        assert len(lines) - len(self.said) in ((0, 1) if self.doubt else (0,))
        if len(lines) > len(self.said):
            assert self.doubt.items() <= lines[-1].items()
            self.apply({key: value for key, value in lines[-1].items() if key not in _NOT_SAID})
        self.doubt = {}
        assert np.array_equal(voxels(data, SIZE), self.volume)
        assert list(data.labels()) == sorted(self.bodies)
        for body, supervoxels in self.bodies.items():
            assert set(data.supervoxels_of(body).tolist()) == supervoxels
            assert set(data.bodies().apply(np.array(sorted(supervoxels), np.uint64)).tolist()) == {body}


_NOT_SAID = ("Action", "UUID", "Timestamp", "Split", "SplitSize", "RemainSize", "CleavedSize")


def _begin(datastore: Datastore, client: Client) -> LabelMap:
    data = new_labelmap(datastore, levels=2)
    labels = np.arange(SIZE[2], dtype=np.uint64) // np.uint64(4) + np.uint64(1)
    client.volume = np.ascontiguousarray(np.broadcast_to(labels, SIZE))
    client.bodies = {label: {label} for label in np.unique(labels).tolist()}
    post(data, blocks_of(client.volume), downres=True)
    return data


def _crash_again_and_again(folder: Path, seed: int, rounds: int) -> None:
    load_types()
    server, client = ServerProcess(folder), Client(random.Random(seed))
    with closing(Datastore(server.settings)) as datastore:
        data = _begin(datastore, client)
    for _ in range(rounds):
        server.start()
        client.url = f"{server.url}/api/node/{data.node.uuid}/seg"
        writer = threading.Thread(target=client.write)
        answered = len(client.said)
        writer.start()
        while len(client.said) < answered + FIRST and writer.is_alive():
            time.sleep(0.01)
        time.sleep(client.chance.uniform(0, LONGEST_S))
        server.kill()
        writer.join()
        with closing(Datastore(server.settings)) as datastore:
            data.datastore = datastore
            client.prove(at(data, data.node))
            demand_sound(datastore)
    assert len(client.said) >= FIRST * rounds


@pytest.mark.timeout(600)
def test_edits_outlive_kill_9(tmp_path: Path) -> None:
    _crash_again_and_again(tmp_path, 20240229, rounds=10)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(3))
def test_edits_outlive_kill_9_for_longer(tmp_path: Path, seed: int) -> None:
    _crash_again_and_again(tmp_path, seed, rounds=100)
