from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvidpy.app import build_app
from dvidpy.config import Settings, StoreSettings

BLOCK = (4, 6, 8)
"""z, y, x"""
LOW, HIGH = -2, 3
"""Blocks along every axis."""
SHAPE = tuple((HIGH - LOW) * side for side in BLOCK)

indices = st.tuples(*[st.integers(LOW, HIGH - 1)] * 3)
boxes = st.tuples(indices, indices).map(
    lambda pair: (tuple(map(min, *pair)), tuple(abs(a - b) + 1 for a, b in zip(*pair, strict=True)))
)
reads = st.tuples(
    st.tuples(*[st.integers(LOW * side - 5, HIGH * side + 5) for side in BLOCK]),
    st.tuples(*[st.integers(1, 3 * side) for side in BLOCK]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("raw"), st.integers(0, 9), boxes),
        st.tuples(st.just("blocks"), st.integers(0, 9), boxes),
        st.tuples(st.just("commit"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("read"), st.integers(0, 9), reads),
    ),
    min_size=4,
    max_size=14,
)


@dataclass
class Version:
    """What a version should answer."""

    uuid: str
    voxels: np.ndarray = field(default_factory=lambda: np.zeros(SHAPE, np.uint16))
    low: list[int] | None = None
    high: list[int] | None = None


class Model:
    """A server beside plain arrays."""

    def __init__(self, volumes: Any) -> None:
        self.volumes = volumes
        volumes.new("uint16blk", BlockSize="8,6,4")
        self.open = [Version(volumes.root)]
        self.all = list(self.open)
        self.seed = 0

    def raw(self, number: int, box: Any) -> None:
        version = self.open[number % len(self.open)]
        start = [i * side for i, side in zip(box[0], BLOCK, strict=True)]
        size = [n * side for n, side in zip(box[1], BLOCK, strict=True)]
        voxels = self._new_voxels(tuple(size))
        self.volumes.post(f"/api/node/{version.uuid}/g", tuple(start[::-1]), voxels)
        version.voxels[self._place(start, size)] = voxels
        low, high = start[::-1], [a + n - 1 for a, n in zip(start, size, strict=True)][::-1]
        version.low = [min(p) for p in zip(low, version.low or low, strict=True)]
        version.high = [max(p) for p in zip(high, version.high or high, strict=True)]

    def blocks(self, number: int, box: Any) -> None:
        version = self.open[number % len(self.open)]
        (z, y, x), (_, _, span) = box
        voxels = self._new_voxels((span, *BLOCK))
        path = f"/api/node/{version.uuid}/g/blocks/{x}_{y}_{z}/{span}"
        assert self.volumes.status("POST", path, voxels.tobytes()) == 200
        for at, block in enumerate(voxels):
            start = [i * side for i, side in zip((z, y, x + at), BLOCK, strict=True)]
            version.voxels[self._place(start, BLOCK)] = block

    def commit(self, number: int, branch: bool) -> None:
        parent = self.open.pop(number % len(self.open))
        self.volumes.commit(parent.uuid)
        for name in ("", f"b{len(self.all)}")[: 2 if branch else 1]:
            uuid = self.volumes.child(parent.uuid, name)
            child = Version(uuid, parent.voxels.copy(), parent.low, parent.high)
            self.open.append(child)
            self.all.append(child)

    def read(self, number: int, asked: Any) -> None:
        version = self.all[number % len(self.all)]
        start, size = asked
        found = self.volumes.get(f"/api/node/{version.uuid}/g", start[::-1], size[::-1], np.uint16)
        padded = np.pad(version.voxels, 40)
        place = tuple(slice(a - LOW * b + 40, a - LOW * b + 40 + n) for a, b, n in zip(start, BLOCK, size, strict=True))
        assert (found == padded[place]).all()

    def check(self) -> None:
        for number, version in enumerate(self.all):
            self.read(number, ([LOW * side for side in BLOCK], SHAPE))
            extents = self.volumes.info(f"/api/node/{version.uuid}/g")["Extents"]
            assert extents == {"MinPoint": version.low, "MaxPoint": version.high}

    def _new_voxels(self, shape: tuple[int, ...]) -> np.ndarray:
        self.seed += 1
        return np.random.default_rng(self.seed).integers(1, 1 << 16, shape, np.uint16)

    @staticmethod
    def _place(start: Any, size: Any) -> tuple[slice, ...]:
        return tuple(slice(a - LOW * b, a - LOW * b + n) for a, b, n in zip(start, BLOCK, size, strict=True))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_versions_and_branches_answer_as_plain_arrays_do(volumes: Any, taken: list[Any]) -> None:
    root = str(volumes.client.post("/api/repos", json={}).json()["root"])
    model = Model(type(volumes)(volumes.client, root))
    for verb, number, what in taken:
        getattr(model, verb)(number, what)
    model.check()


def test_a_merge_has_the_voxels_and_extents_of_its_parents(volumes: Any) -> None:
    volumes.new()
    volumes.commit(volumes.root)
    parents = [volumes.child(volumes.root, branch) for branch in ("", "side")]
    for number, uuid in enumerate(parents):
        volumes.post(f"/api/node/{uuid}/g", (64 * number, 0, 0), np.full((32, 32, 32), 1 + number, np.uint8))
        volumes.commit(uuid)
    body = {"mergeType": "conflict-free", "parents": parents, "note": ""}
    merged = volumes.client.post(f"/api/repo/{volumes.root}/merge", json=body).json()["child"]
    volumes.commit(merged)
    for uuid in (merged, volumes.child(merged, "later")):
        path = f"/api/node/{uuid}/g"
        assert volumes.get(path, (0, 0, 0), (96, 1, 1))[0, 0, ::32].tolist() == [1, 0, 2]
        assert volumes.info(path)["Extents"] == {"MinPoint": [0, 0, 0], "MaxPoint": [95, 31, 31]}
    volumes.post(path, (0, 0, 32), np.zeros((32, 32, 32), np.uint8))
    assert volumes.info(path)["Extents"] == {"MinPoint": [0, 0, 0], "MaxPoint": [95, 31, 63]}


def test_unversioned_instances_have_one_state(volumes: Any) -> None:
    path = volumes.new(versioned="false")
    volumes.post(path, (0, 0, 0), np.full((32, 32, 32), 1, np.uint8))
    volumes.commit(volumes.root)
    child = volumes.child(volumes.root)
    volumes.post(f"/api/node/{child}/g", (32, 0, 0), np.full((32, 32, 32), 2, np.uint8))
    assert volumes.get(path, (31, 0, 0), (2, 1, 1)).ravel().tolist() == [1, 2]
    assert volumes.info(path)["Extents"]["MaxPoint"] == [63, 31, 31]


def test_everything_is_there_after_a_restart(tmp_path: Any) -> None:
    from starlette.testclient import TestClient

    stored = Settings(stores={"main": StoreSettings(engine="leveldb", path=str(tmp_path / "leveldb"))})
    voxels = np.random.default_rng(5).integers(0, 255, (32, 32, 64), np.uint8).tobytes()
    infos = []
    root = ""
    for _ in range(2):
        application: Any = build_app(stored, log_requests=False)
        with TestClient(application, client=("127.0.0.1", 1)) as client:
            if not root:
                root = client.post("/api/repos", json={}).json()["root"]
                client.post(f"/api/repo/{root}/instance", json={"typename": "uint8blk", "dataname": "g"})
                assert client.post(f"/api/node/{root}/g/raw/0_1_2/64_32_32/-32_0_0", content=voxels).status_code == 200
                assert client.post(f"/api/node/{root}/g/resolution", content=b"[4, 4, 40]").status_code == 200
            assert client.get(f"/api/node/{root}/g/raw/0_1_2/64_32_32/-32_0_0").content == voxels
            infos.append(client.get(f"/api/node/{root}/g/info").json())
    assert infos[0] == infos[1]
    assert infos[0]["Extended"]["VoxelSize"] == [4, 4, 40]
