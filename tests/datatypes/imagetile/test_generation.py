"""Tiles made from a source in the background."""

from __future__ import annotations

import io
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from served import Served
from servers import ServerProcess

from dvidpy.datatypes.imagetile.generation import STEP_BYTES, Order, shrink
from dvidpy.datatypes.imagetile.instance import MAKE
from dvidpy.datatypes.imagetile.keys import parse_plane
from dvidpy.datatypes.imagetile.levels import default_levels, parse_levels
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.voxels.kinds import RGBA8, UINT8, Kind
from dvidpy.geometry import Box
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

LEVELS = {
    "0": {"Resolution": [8, 8, 8], "TileSize": [20, 16, 12]},
    "1": {"Resolution": [16, 16, 16], "TileSize": [20, 16, 12]},
    "2": {"Resolution": [48, 32, 16], "TileSize": [10, 10, 10]},
}
RANDOM = np.random.default_rng(11)


def decoded(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)))


def prepare(
    served: Served, offset: str = "-16_16_0", typename: str = "uint8blk", **given: str
) -> tuple[str, np.ndarray]:
    """(path of a tile instance, (z, y, x) voxels of its source)."""
    root = served.repo()
    source = served.instance(root, "source", typename, BlockSize="16,16,16")
    dtype: Any = {"uint8blk": np.uint8, "uint16blk": np.uint16, "rgba8blk": np.uint32}[typename]
    voxels = RANDOM.integers(0, np.iinfo(dtype).max, (32, 48, 64), dtype)
    answer = served.http.post(f"{source}/raw/0_1_2/64_48_32/{offset}", content=voxels.tobytes())
    assert answer.status_code == 200
    return served.instance(root, "t", "imagetile", Source="source", **given), voxels


def finish(served: Served, t: str) -> None:
    served.wait_until(lambda: "Generating" not in served.http.get(f"{t}/info").json()["Extended"], 60)


def levels_of(plane: np.ndarray, start: tuple[int, int], times: list[tuple[int, int]], kind: Kind) -> list[np.ndarray]:
    """A picture at each scale, black around it up to a multiple of all tiles; its corner is `start` voxels off zero."""
    whole = np.zeros((1920, 1920), plane.dtype)
    y, x = start[0] + 960, start[1] + 960
    whole[y : y + plane.shape[0], x : x + plane.shape[1]] = plane
    found = [whole]
    for down, across in times:
        found.append(shrink(kind, found[-1], down, across))
    return found


TIMES = {"xy": [(2, 2), (2, 3)], "xz": [(2, 2), (1, 3)], "yz": [(2, 2), (1, 2)]}
AXES = {"xy": (0, 1, 2), "xz": (1, 0, 2), "yz": (2, 0, 1)}


@pytest.mark.parametrize("form", ["png", "lz4"])
def test_every_tile_of_every_scale(served: Served, form: str) -> None:
    t, voxels = prepare(served, Format=form)
    answer = served.http.post(f"{t}/generate", json=LEVELS)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["MinTileCoord"], said["MaxTileCoord"]) == ([-1, 1, 0], [2, 3, 2])
    assert said["Generating"]["Done"] == 0
    finish(served, t)
    assert served.http.get(f"{t}/metadata").json() == {name: said[name] for name in said if name != "Generating"}
    corner = (0, 16, -16)
    for dims, (through, down, across) in AXES.items():
        for number in range(0, voxels.shape[through], 7):
            plane = voxels.take(number, axis=through)
            scales = levels_of(plane, (corner[down], corner[across]), TIMES[dims], UINT8)
            for scale, whole in enumerate(scales):
                size = [LEVELS[str(scale)]["TileSize"][2 - axis] for axis in (down, across)]
                zero = [960 // int(np.prod([t[at] for t in TIMES[dims][:scale]])) for at in (0, 1)]
                for row in range(-2, 5):
                    for column in range(-2, 5):
                        at = [0, 0, 0]
                        at[through], at[down], at[across] = corner[through] + number, row, column
                        y, x = zero[0] + row * size[0], zero[1] + column * size[1]
                        expected = whole[y : y + size[0], x : x + size[1]]
                        answer = served.http.get(f"{t}/tile/{dims}/{scale}/{at[2]}_{at[1]}_{at[0]}")
                        assert np.array_equal(decoded(answer.content), expected), (dims, scale, at)


def test_raw_shows_the_source(served: Served) -> None:
    t, voxels = prepare(served)
    assert served.http.post(f"{t}/generate", json={"Levels": LEVELS}).status_code == 200
    finish(served, t)
    found = decoded(served.http.get(f"{t}/raw/xy/64_48/-16_16_9").content)
    assert np.array_equal(found, voxels[9])


@pytest.mark.parametrize("typename", ["uint16blk", "rgba8blk"])
@pytest.mark.parametrize("form", ["png", "lz4", "jpg"])
def test_other_voxels(served: Served, typename: str, form: str) -> None:
    t, voxels = prepare(served, "0_0_0", typename, Format=form)
    assert served.http.post(f"{t}/generate?planes=0,1&zrange=3,4", json=LEVELS).status_code == 200
    finish(served, t)
    found = decoded(served.http.get(f"{t}/raw/xy/20_16/0_0_3").content)
    expected = voxels[3, :16, :20]
    if form != "jpg":
        assert np.array_equal(found, RGBA8.values(expected) if typename == "rgba8blk" else expected)
    assert found.any()


def test_planes_and_ranges(served: Served) -> None:
    t, _ = prepare(served, "0_0_0")
    answer = served.http.post(f"{t}/generate?planes=xy;yz&zrange=5,6&xrange=60,1000&yrange=0,1", json=LEVELS)
    assert answer.status_code == 200
    finish(served, t)

    def there(place: str) -> bool:
        return served.http.get(f"{t}/tile/{place}?noblanks=true").status_code == 200

    assert [there(f"xy/0/0_0_{z}") for z in (4, 5, 6, 7)] == [False, True, True, False]
    assert [there(f"yz/0/{x}_0_0") for x in (59, 60, 63, 64)] == [False, True, True, False]
    assert not there("xz/0/0_0_0")
    assert there("xy/2/0_0_5")


def test_without_levels_one_tile_holds_all(served: Served) -> None:
    t, voxels = prepare(served, "0_0_0")
    assert served.http.post(f"{t}/generate?planes=xy&zrange=0,1").status_code == 200
    finish(served, t)
    assert list(served.http.get(f"{t}/metadata").json()["Levels"]) == ["0"]
    assert np.array_equal(decoded(served.http.get(f"{t}/tile/xy/0/0_0_1").content)[:48, :64], voxels[1])
    levels = default_levels(Box((0, 0, 0), (10, 513, 5000)), [8, 8, 40])
    assert [level.resolution for level in levels] == [[8 * k, 8 * k, 40 * k] for k in (1, 2, 4, 8, 16)]


def test_a_commit_waits_for_the_tiles(served: Served) -> None:
    t, voxels = prepare(served, "0_0_0")
    root = t.split("/")[3]
    assert served.http.post(f"{t}/generate?planes=xy&zrange=0,3", json=LEVELS).status_code == 200
    served.commit(root)
    assert np.array_equal(decoded(served.http.get(f"{t}/raw/xy/64_48/0_0_3").content), voxels[3])
    assert served.http.post(f"{t}/generate", json=LEVELS).status_code == 400
    child = served.child(root)
    zeros = bytes(64 * 48 * 32)
    assert served.http.post(f"/api/node/{child}/source/raw/0_1_2/64_48_32/0_0_0", content=zeros).status_code == 200
    later = f"/api/node/{child}/t"
    assert served.http.post(f"{later}/generate?planes=xy&zrange=3,3", json=LEVELS).status_code == 200
    finish(served, later)
    assert not decoded(served.http.get(f"{later}/raw/xy/64_48/0_0_3").content).any()
    assert np.array_equal(decoded(served.http.get(f"{later}/raw/xy/64_48/0_0_2").content), voxels[2])
    assert np.array_equal(decoded(served.http.get(f"{t}/raw/xy/64_48/0_0_3").content), voxels[3])


def test_one_at_a_time_with_progress(served: Served) -> None:
    t, _ = prepare(served)
    queue = served.server.datastore.main.queue
    queue.held = lambda: True
    assert served.http.post(f"{t}/generate", json=LEVELS).status_code == 200
    generating = served.http.get(f"{t}/info").json()["Extended"]["Generating"]
    assert 0 <= generating["Done"] < generating["Total"]
    assert served.http.post(f"{t}/generate", json=LEVELS).status_code == 503
    queue.held = lambda: False
    queue.notice()
    finish(served, t)
    assert served.http.post(f"{t}/generate?zrange=0,0&planes=xy", json=LEVELS).status_code == 200
    finish(served, t)


@pytest.mark.parametrize("gone", ["source", "t"])
def test_what_is_deleted_meanwhile(served: Served, gone: str) -> None:
    t, _ = prepare(served)
    root = t.split("/")[3]
    queue = served.server.datastore.main.queue
    queue.held = lambda: True
    assert served.http.post(f"{t}/generate", json=LEVELS).status_code == 200
    answer = served.http.delete(f"/api/repo/{root}/{gone}", params={"imsure": "true", "admintoken": "sesame"})
    assert answer.status_code == 200, answer.text
    queue.held = lambda: False
    queue.notice()
    served.wait_until(lambda: queue.length() == 0, 30)
    assert queue.failed == 0


@pytest.mark.parametrize(
    "query", ["planes=xy;xy", "planes=vol", "planes=xy;;yz", "xrange=5", "xrange=5,4", "yrange=a,b", "zrange=1,2,3"]
)
def test_orders_that_are_refused(served: Served, query: str) -> None:
    t, _ = prepare(served)
    assert served.http.post(f"{t}/generate?{query}", json=LEVELS).status_code == 400
    assert served.http.get(f"{t}/metadata").status_code == 400


@pytest.mark.parametrize("source", ["uint32blk", "uint64blk", "float32blk"])
def test_voxels_that_make_no_tiles(served: Served, source: str) -> None:
    root = served.repo()
    served.instance(root, "source", source)
    t = served.instance(root, "t", "imagetile", Source="source")
    assert served.http.post(f"{t}/generate", json=LEVELS).status_code == 400


def test_sizes_are_bounded(served: Served) -> None:
    t, _ = prepare(served)
    extents = {"MinPoint": [-(2**31), -(2**31), -(2**31)], "MaxPoint": [2**31 - 1] * 3}
    assert served.http.post(f"{t[:-2]}/source/extents", json=extents).status_code == 200
    tiny = {"0": {"Resolution": [8, 8, 8], "TileSize": [1, 1, 1]}}
    assert served.http.post(f"{t}/generate", json=tiny).status_code == 400
    huge = [{"Resolution": [8 * k] * 3, "TileSize": [8192] * 3} for k in (1, 2)]
    assert served.http.post(f"{t}/generate", json={"0": huge[0], "1": huge[1]}).status_code == 400
    wide = {"0": tiny["0"], "1": {"Resolution": [8000, 8000, 8], "TileSize": [1, 1, 1]}}
    assert served.http.post(f"{t}/generate", json=wide).status_code == 400
    empty = served.instance(t.split("/")[3], "empty")
    assert served.http.post(f"{empty.rsplit('/', 1)[0]}/t/generate", content=b"no json").status_code == 400


def test_a_source_without_voxels(served: Served) -> None:
    root = served.repo()
    served.instance(root, "source", "uint8blk")
    t = served.instance(root, "t", "imagetile", Source="source")
    assert served.http.post(f"{t}/generate").status_code == 400


# ---------------------------------------------------------------------- orders
def test_steps_cover_every_tile_once() -> None:
    planes = [(parse_plane(name), (-5, 29)) for name in ("xy", "xz", "yz")]
    order = Order(parse_levels(LEVELS), Box((3, -7, 11), (40, 30, 50)), planes, (16, 7, 3))
    for stage in order.stages():
        seen = [at for number in range(stage.steps.volume) for at in stage.tiles_of(stage.steps, number).points()]
        assert sorted(seen) == sorted(stage.tiles.points())
    assert order.step(order.total) is None
    assert STEP_BYTES > 1


def test_means_are_rounded() -> None:
    assert shrink(UINT8, np.array([[1, 2], [1, 2]], np.uint8), 2, 2).tolist() == [[2]]
    assert shrink(UINT8, np.array([[255, 255, 254, 254]], np.uint8), 1, 2).tolist() == [[255, 254]]
    colours = RGBA8.voxels(np.array([[[0, 10, 20, 255], [10, 20, 40, 255]]], np.uint8))
    assert RGBA8.values(shrink(RGBA8, colours, 1, 2)).tolist() == [[[5, 15, 30, 255]]]


# ---------------------------------------------------------------------- crashes
def test_tiles_are_made_to_their_end_after_kill_9(tmp_path: Path) -> None:
    load_types()
    server = ServerProcess(tmp_path)
    server.start()
    voxels = RANDOM.integers(0, 256, (64, 64, 64), np.uint8)
    with requests.Session() as http:
        root = http.post(f"{server.url}/api/repos", json={}).json()["root"]
        for given in ({"typename": "uint8blk", "dataname": "source"}, {"typename": "imagetile", "dataname": "t"}):
            made = http.post(f"{server.url}/api/repo/{root}/instance", json={**given, "Source": "source"})
            assert made.ok
        place = f"{server.url}/api/node/{root}"
        assert http.post(f"{place}/source/raw/0_1_2/64_64_64/0_0_0", data=voxels.tobytes()).ok
        assert http.post(f"{place}/t/generate", json=LEVELS).ok
        for _ in range(3):
            server.kill()
            server.start()
        for _ in range(600):
            if "Generating" not in http.get(f"{server.url}/api/node/{root}/t/info").json()["Extended"]:
                break
            time.sleep(0.1)
        for z in (0, 31, 63):
            answer = http.get(f"{server.url}/api/node/{root}/t/raw/xy/64_64/0_0_{z}")
            assert np.array_equal(decoded(answer.content), voxels[z])
    server.stop()
    with closing(Datastore(server.settings)) as datastore:
        assert not [task for _, task in datastore.main.queue.pending() if task.kind == MAKE]
        assert check_datastore(datastore).faults == []
