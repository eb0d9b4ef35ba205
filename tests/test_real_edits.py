"""Ten thousand random edits of a real segmentation, in turn and four at a time: nothing is lost or doubled."""

from __future__ import annotations

import random
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import requests
from conftest import demand_sound
from servers import ServerProcess

from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.datastore import Datastore

EDITS, HANDS = 10_000, 4
SIDE, SLAB = 512, 64
KINDS = {"merge": 35, "cleave": 30, "split": 25, "renumber": 10}
"""Kind of edit -> how often, of a hundred."""
FEWEST = 500
"""Bodies below which none are merged."""
TIMEOUT_S = 120


def demand_function(keys: np.ndarray, values: np.ndarray) -> dict[int, int]:
    """Value of each key, which is the same wherever the key stands; slab by slab, for there are 134 million."""
    found: dict[int, int] = {}
    for some, theirs in zip(np.array_split(keys, SLAB), np.array_split(values, SLAB), strict=True):
        known, first, place = np.unique(some, return_index=True, return_inverse=True)
        assert np.array_equal(theirs[first][place], theirs)
        for key, value in zip(known.tolist(), theirs[first].tolist(), strict=True):
            assert found.setdefault(key, value) == value
    return found


class Hand:
    """Edits bodies at random. Several may share what they know, and are refused where another was quicker."""

    def __init__(self, url: str, bodies: dict[int, set[int]], seed: int) -> None:
        self.url, self.bodies, self.chance = url, bodies, random.Random(seed)
        self.session = requests.Session()
        self.said: Counter[tuple[str, int]] = Counter()
        """(kind, status) -> answers."""

    def edit(self, times: int) -> None:
        """Until so many edits were made."""
        with self.session:
            while self.made < times:
                kind = self.chance.choices([*KINDS], [*KINDS.values()])[0]
                getattr(self, f"_{kind}")(self._some(1)[0])

    @property
    def made(self) -> int:
        return sum(count for (_, status), count in self.said.items() if status == 200)

    def _some(self, count: int) -> list[int]:
        return self.chance.sample(list(self.bodies), count)

    def _merge(self, body: int) -> None:
        others = [label for label in self._some(self.chance.randrange(1, 4)) if label != body]
        if len(self.bodies) > FEWEST and others and self._ask("merge", "merge", [body, *others]) is not None:
            for label in others:
                self.bodies.setdefault(body, set()).update(self.bodies.pop(label, ()))

    def _cleave(self, body: int) -> None:
        known = sorted(self.bodies.get(body, ()))
        some = self.chance.sample(known, self.chance.randrange(1, len(known))) if len(known) > 1 else []
        said = self._ask("cleave", f"cleave/{body}", some) if some else None
        if said is not None:
            self.bodies[body] = self.bodies.get(body, set()) - set(some)
            self.bodies[said["CleavedLabel"]] = set(some)

    def _renumber(self, body: int) -> None:
        new = self.session.post(f"{self.url}/nextlabel/1", timeout=TIMEOUT_S).json()["start"]
        if self._ask("renumber", "renumber", [new, body]) is not None:
            self.bodies[new] = self.bodies.pop(body, set())

    def _split(self, body: int) -> None:
        supervoxel = self.chance.choice(sorted(self.bodies.get(body, ())) or [body])
        found = self.session.get(f"{self.url}/sparsevol/{supervoxel}?supervoxels=true", timeout=TIMEOUT_S)
        runs = found.content[12:]
        half = runs[: len(runs) // 32 * 16]
        if not found.ok or not half:
            return
        volume = struct.pack("<4B2I", 0, 3, 0, 0, 0, len(half) // 16) + half
        said = self._ask("split", f"split-supervoxel/{supervoxel}", volume)
        if said is not None:
            new = {said["SplitSupervoxel"], said["RemainSupervoxel"]}
            self.bodies[body] = self.bodies.get(body, set()) - {supervoxel} | new

    def _ask(self, kind: str, path: str, body: Any) -> dict[str, Any] | None:
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        answer = self.session.post(f"{self.url}/{path}", data=sent, timeout=TIMEOUT_S)
        self.said[kind, answer.status_code] += 1
        assert answer.status_code in (200, 400), answer.text
        return (orjson.loads(answer.content) if answer.content else {}) if answer.ok else None


class Real:
    """The segmentation in a server of its own."""

    def __init__(self, server: ServerProcess, volume: np.ndarray) -> None:
        self.server, self.volume = server, volume
        root = requests.post(f"{server.url}/api/repos", json={}, timeout=TIMEOUT_S).json()["root"]
        given = {"typename": "labelmap", "dataname": "seg", "MaxDownresLevel": "3"}
        assert requests.post(f"{server.url}/api/repo/{root}/instance", json=given, timeout=TIMEOUT_S).ok
        self.url = f"{server.url}/api/node/{root}/seg"
        for z in range(0, SIDE, SLAB):
            path, body = f"{self.url}/raw/0_1_2/{SIDE}_{SIDE}_{SLAB}/0_0_{z}", volume[z : z + SLAB].tobytes()
            assert requests.post(path, data=body, timeout=TIMEOUT_S).ok
        self.bodies = {label: {label} for label in np.unique(volume[volume > 0]).tolist()}

    def read(self, query: str) -> np.ndarray:
        slabs = []
        for z in range(0, SIDE, SLAB):
            path = f"{self.url}/raw/0_1_2/{SIDE}_{SIDE}_{SLAB}/0_0_{z}{query}"
            slabs.append(np.frombuffer(requests.get(path, timeout=TIMEOUT_S).content, np.uint64))
        return np.concatenate(slabs)

    def prove(self, *, known: bool) -> None:
        """No voxel became background or the reverse, supervoxels only grew finer; with `known` bodies are as told."""
        supervoxels, bodies = self.read("?supervoxels=true"), self.read("")
        before = self.volume.reshape(-1)
        assert np.array_equal(supervoxels > 0, before > 0)
        demand_function(supervoxels, before)
        found: dict[int, set[int]] = {}
        for supervoxel, body in demand_function(supervoxels, bodies).items():
            if body:
                found.setdefault(body, set()).add(supervoxel)
        listed = requests.get(f"{self.url}/listlabels", timeout=TIMEOUT_S).content
        assert np.frombuffer(listed, np.uint64).tolist() == sorted(found)
        assert not known or found == self.bodies


@pytest.fixture
def real(tmp_path: Path, shared: Path) -> Iterator[Real]:
    file = shared / "data" / "connectomics512.npz"
    if not file.exists():
        pytest.skip(f"needs {file.name}")
    with np.load(file) as found:
        volume = found["labels"].astype(np.uint64)
    server = ServerProcess(tmp_path)
    server.start()
    try:
        yield Real(server, volume)
    finally:
        server.stop()
    load_types()
    with closing(Datastore(server.settings)) as datastore:
        demand_sound(datastore)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_edits_one_after_the_other(real: Real) -> None:
    hand = Hand(real.url, real.bodies, seed=1)
    hand.edit(EDITS)
    print(sorted(hand.said.items()))
    assert {status for _, status in hand.said} == {200}
    real.prove(known=True)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_edits_four_at_a_time(real: Real) -> None:
    hands = [Hand(real.url, real.bodies, seed) for seed in range(HANDS)]
    threads = [threading.Thread(target=hand.edit, args=(EDITS // HANDS,)) for hand in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = sum((hand.said for hand in hands), Counter[tuple[str, int]]())
    print(sorted(said.items()))
    assert sum(hand.made for hand in hands) == EDITS > 0.9 * sum(said.values())
    real.prove(known=False)
