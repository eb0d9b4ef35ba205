from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from conftest import demand_sound
from servers import ServerProcess

from dvidpy.config import Settings
from dvidpy.datatypes.imageblk.instance import KIND_OF
from dvidpy.datatypes.imageblk.keys import block_key
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.settings import Given
from dvidpy.kernels.halving import halve_real_plain, halve_whole_plain
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Instance


def halved(volume: np.ndarray, background: int = 0) -> np.ndarray:
    """What the level above shows: the volume filled up to even sides."""
    even = np.pad(volume, [(0, side % 2) for side in volume.shape[:3]] + [(0, 0)] * (volume.ndim - 3))
    plain = halve_real_plain if volume.dtype.kind == "f" else halve_whole_plain
    return plain(even)


def settled(volumes: Any) -> None:
    """Nothing is pending any more."""
    datastore = volumes.client.app._server.datastore
    until = time.monotonic() + 30
    while any(queue.length() for queue in datastore.queues()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(queue.length() or queue.failed for queue in datastore.queues())


@pytest.mark.parametrize("typename", KIND_OF)
def test_levels_are_means_of_eight(volumes: Any, noise: Any, typename: str) -> None:
    kind = KIND_OF[typename]
    path = volumes.new(typename, BlockSize="16,8,4", Pyramid="2", VoxelSize="4,4,40")
    voxels = np.frombuffer(noise.bytes(32 * 32 * 32 * kind.itemsize), kind.dtype).reshape(32, 32, 32)
    if kind.dtype.kind == "f":
        voxels = noise.normal(0, 9, (32, 32, 32)).astype(kind.dtype)
    volumes.post(path, (-16, 0, 8), voxels)
    settled(volumes)
    values = kind.values(voxels).reshape(32, 32, 32, -1)
    for level, offset in ((1, (-8, 0, 4)), (2, (-4, 0, 2))):
        values = halved(values)
        size = (32 >> level,) * 3
        found = volumes.get(f"{path}_{level}", offset, size, kind.dtype)
        assert (kind.values(found).reshape(values.shape) == values).all()
        info = volumes.info(f"{path}_{level}")
        assert info["Extended"]["VoxelSize"] == [4 << level, 4 << level, 40 << level]
        assert info["Extents"]["MinPoint"] == [*offset]
        assert info["Extents"]["MaxPoint"] == [15 >> level, 31 >> level, 39 >> level]
        assert info["Extended"]["ScaleLevel"] == level
    assert volumes.info(path)["Extended"]["Pyramid"] == 2


def test_half_written_blocks_are_filled_with_background(volumes: Any) -> None:
    path = volumes.new(BlockSize="8,8,8", Pyramid="1", Background="9")
    body = np.full(512, 200, np.uint8).tobytes()
    assert volumes.client.post(f"{path}/blocks/1_0_0/1", content=body).status_code == 200
    settled(volumes)
    expected = np.full((8, 8, 8), 9, np.uint8)
    expected[:4, :4, 4:] = 200
    assert (volumes.get(f"{path}_1", (0, 0, 0), (8, 8, 8)) == expected).all()


def test_nothing_can_be_written_into_a_level(volumes: Any) -> None:
    path = volumes.new(BlockSize="8,8,8", Pyramid="1")
    for rest, body in (
        ("raw/0_1_2/8_8_8/0_0_0", bytes(512)),
        ("blocks/0_0_0/1", bytes(512)),
        ("extents", b'{"MinPoint": [0, 0, 0], "MaxPoint": [1, 1, 1]}'),
        ("resolution", b"[1, 2, 3]"),
    ):
        answer = volumes.client.post(f"{path}_1/{rest}", content=body)
        assert (answer.status_code, "is computed from 'g'" in answer.text) == (400, True)


def test_the_resolution_of_a_level_follows(volumes: Any) -> None:
    path = volumes.new(Pyramid="1")
    volumes.client.post(f"{path}/resolution", json=[1.5, 2, 3])
    assert volumes.info(f"{path}_1")["Extended"]["VoxelSize"] == [3, 4, 6]


@pytest.mark.parametrize("levels", ["-1", "17", "x", "1.5"])
def test_other_numbers_of_levels_are_refused(volumes: Any, levels: str) -> None:
    given = {"typename": "uint8blk", "dataname": "h", "Pyramid": levels}
    assert volumes.client.post(f"/api/repo/{volumes.root}/instance", json=given).status_code == 400


def test_a_name_that_is_taken_makes_none_of_the_family(volumes: Any) -> None:
    volumes.new(name="h_2")
    given = {"typename": "uint8blk", "dataname": "h", "Pyramid": "3"}
    answer = volumes.client.post(f"/api/repo/{volumes.root}/instance", json=given)
    assert (answer.status_code, "'h_2'" in answer.text) == (400, True)
    assert volumes.client.get(f"/api/node/{volumes.root}/h_1/info").status_code == 400
    assert volumes.client.get(f"/api/node/{volumes.root}/h/info").status_code == 400


def test_versions_branches_and_a_merge(volumes: Any, noise: Any) -> None:
    """Two branches write different blocks below the same one of the level: their merge shows both."""
    path = volumes.new(BlockSize="8,8,8", Pyramid="2")
    whole = noise.integers(0, 256, (32, 32, 32), np.uint8)
    volumes.post(path, (0, 0, 0), whole)
    volumes.commit(volumes.root)
    expected = {volumes.root: whole}
    sides = [volumes.child(volumes.root), volumes.child(volumes.root, "side")]
    for at, uuid in enumerate(sides):
        edited = noise.integers(0, 256, (8, 8, 8), np.uint8)
        volumes.post(f"/api/node/{uuid}/g", (8 * at, 0, 0), edited)
        expected[uuid] = whole.copy()
        expected[uuid][:8, :8, 8 * at : 8 * at + 8] = edited
        volumes.commit(uuid)
    body = {"mergeType": "conflict-free", "parents": sides}
    merged = volumes.client.post(f"/api/repo/{volumes.root}/merge", json=body).json()["child"]
    expected[merged] = expected[sides[0]].copy()
    expected[merged][:8, :8, 8:16] = expected[sides[1]][:8, :8, 8:16]
    settled(volumes)
    for uuid, volume in expected.items():
        once = halved(volume)
        assert (volumes.get(f"/api/node/{uuid}/g_1", (0, 0, 0), (16, 16, 16)) == once).all()
        assert (volumes.get(f"/api/node/{uuid}/g_2", (0, 0, 0), (8, 8, 8)) == halved(once)).all()


@pytest.mark.parametrize(("data", "gray"), [(["g"], 16), (["g", "g_1"], 16), (["g_1"], 0)])
def test_a_merge_that_settles_conflicts(volumes: Any, data: list[str], gray: int) -> None:
    """What both parents changed and nobody settles is as if it were never written."""
    path = volumes.new(BlockSize="8,8,8", Pyramid="1")
    volumes.post(path, (0, 0, 0), np.full((16, 16, 16), 8, np.uint8))
    volumes.commit(volumes.root)
    sides = [volumes.child(volumes.root), volumes.child(volumes.root, "side")]
    for value, uuid in zip((16, 80), sides, strict=True):
        volumes.post(f"/api/node/{uuid}/g", (0, 0, 0), np.full((8, 8, 8), value, np.uint8))
        volumes.commit(uuid)
    body = {"data": data, "parents": sides}
    merged = volumes.client.post(f"/api/repo/{volumes.root}/resolve", json=body).json()["child"]
    settled(volumes)
    expected = np.full((8, 8, 8), 8, np.uint8)
    expected[:4, :4, :4] = gray
    assert (volumes.get(f"/api/node/{merged}/g_1", (0, 0, 0), (8, 8, 8)) == expected).all()


def test_a_merge_that_settles_conflicts_has_the_extents_of_all_parents(volumes: Any) -> None:
    path = volumes.new(BlockSize="8,8,8")
    volumes.post(path, (0, 0, 0), np.full((8, 8, 8), 8, np.uint8))
    volumes.commit(volumes.root)
    sides = [volumes.child(volumes.root), volumes.child(volumes.root, "side")]
    for start, uuid in zip(((0, 0, 24), (16, -8, 0)), sides, strict=True):
        volumes.post(f"/api/node/{uuid}/g", start, np.full((8, 8, 8), 9, np.uint8))
        volumes.commit(uuid)
    body = {"data": ["g"], "parents": sides}
    merged = volumes.client.post(f"/api/repo/{volumes.root}/resolve", json=body).json()["child"]
    shown = volumes.client.get(f"/api/node/{merged}/g/info").json()["Extended"]
    assert (shown["MinPoint"], shown["MaxPoint"]) == ([0, -8, 0], [23, 7, 31])


def test_an_unversioned_pyramid(volumes: Any) -> None:
    path = volumes.new(BlockSize="8,8,8", Pyramid="1", versioned="false")
    volumes.post(path, (0, 0, 0), np.full((8, 8, 8), 8, np.uint8))
    settled(volumes)
    assert volumes.get(f"{path}_1", (0, 0, 0), (4, 4, 4)).tolist() == np.full((4, 4, 4), 8).tolist()


def test_levels_kept_as_jpeg(volumes: Any) -> None:
    path = volumes.new(Compression="jpeg", Pyramid="1")
    volumes.post(path, (0, 0, 0), np.full((64, 64, 64), 77, np.uint8))
    settled(volumes)
    found = volumes.get(f"{path}_1", (0, 0, 0), (32, 32, 32))
    assert np.abs(found.astype(int) - 77).max() <= 2


def test_check_sees_what_is_wrong_with_a_block(settings: Settings) -> None:
    """One whose level does not hold what lies below it, one of too few bytes."""
    kind = load_types()["uint8blk"]
    with closing(Datastore(settings)) as opened:
        repo = opened.repos.create("broken")
        record: dict[str, Any] = {"repo": repo.record.root, "root_version": repo.root.version, "store": "main"}
        given = Given({"BlockSize": "8,8,8", "Pyramid": "1"})

        def make(number: int, data: str) -> Instance:
            return kind.make_instance(given, name="g", number=number, uuid=data, **record)

        opened.repos.add_instance(repo, "g", make, kind.companions)
        instances = opened.catalogue.repos[repo.record.root].instances
        above = np.zeros((8, 8, 8), np.uint8)
        above[:4, :4, :4] = 7

        def faults(name: str, x: int, value: bytes) -> list[str]:
            view = opened.values(instances[name]).at(repo.root.version)
            change = view.change()
            view.put(change, block_key((0, 0, x)), value)
            view.commit(change)
            return check_datastore(opened).faults

        assert faults("g", 0, b"\x07" * 512) == ["g_1: block [0, 0, 0] at version 1 is not what lies below it"]
        assert faults("g_1", 0, above.tobytes()) == []
        (short, level) = faults("g", 2, bytes(511))
        assert short.endswith("a stored block has 511 bytes, not 512")
        assert level == "g_1: block [0, 0, 1] at version 1 is not what lies below it"


def test_pending_work_survives_a_kill(tmp_path: Path) -> None:
    """Edits are acknowledged, the server is killed at once; the next one brings all levels up to date."""
    server = ServerProcess(tmp_path)
    server.start()
    noise = np.random.default_rng(2)
    voxels = noise.integers(0, 256, (128, 128, 128), np.uint8)
    root = requests.post(f"{server.url}/api/repos", json={}, timeout=60).json()["root"]
    given = {"typename": "uint8blk", "dataname": "g", "Pyramid": "3", "BlockSize": "16,16,16"}
    assert requests.post(f"{server.url}/api/repo/{root}/instance", json=given, timeout=60).ok
    for z in range(0, 128, 32):
        place = f"{server.url}/api/node/{root}/g/raw/0_1_2/128_128_32/0_0_{z}"
        assert requests.post(place, data=voxels[z : z + 32].tobytes(), timeout=60).ok
    server.kill()
    server.start()
    assert requests.post(f"{server.url}/api/node/{root}/commit", json={"note": "all"}, timeout=60).ok
    for level in (1, 2, 3):
        voxels = halved(voxels)
        size = "_".join([str(128 >> level)] * 3)
        found = requests.get(f"{server.url}/api/node/{root}/g_{level}/raw/0_1_2/{size}/0_0_0", timeout=60)
        assert found.content == voxels.tobytes()
    server.stop()
    with closing(Datastore(server.settings)) as opened:
        demand_sound(opened)
