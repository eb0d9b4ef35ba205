"""Clouds of segmentations: which voxels, at which scale; what merges, cleaves, splits and posts make of them."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from annotated import World, memory_settings
from conftest import demand_sound
from datatypes.pointcloud.built import SIZE, Built, surface, voxels
from label_instances import Segments, volume_with_bodies
from served import Served

from dvidpy.datatypes.pointcloud import building
from dvidpy.datatypes.pointcloud import voxels as made_of
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.versioning.datastore import Datastore


def test_clouds_are_those_of_numpy(served: Served) -> None:
    built = Built(served)
    labels_zyx = volume_with_bodies(1, SIZE)
    built.segments.put(labels_zyx)
    built.build()
    assert built.clouds() == voxels(labels_zyx, surface(labels_zyx))
    said = built.get("build")
    assert said == {"Running": False, "BlocksAgain": 0, "Complete": True, "Scale": 0, "Voxels": "surface", "Every": 1}
    assert built.get("blocks/1")[0].count("_") == 2
    built.build()  # once more is the same
    assert built.clouds() == voxels(labels_zyx, surface(labels_zyx))
    refused = served.http.post(f"{built.path}/build", params={"voxels": "all"})
    assert refused.status_code == 400
    assert "otherwise" in refused.text


@pytest.mark.parametrize(("scale", "every"), [(0, 1), (1, 1), (0, 7)])
def test_all_voxels_at_any_scale(served: Served, scale: int, every: int) -> None:
    built = Built(served)
    labels_zyx = volume_with_bodies(2, SIZE)
    built.segments.put(labels_zyx)
    built.segments.settle()
    built.build(voxels="all", scale=scale, every=every)
    found = built.clouds()
    if scale:
        box = built.segments.at().extents().halved(scale)
        assert box.MaxPoint is not None
        size = "_".join(str(at + 1) for at in box.MaxPoint)
        raw = built.segments.get(f"raw/0_1_2/{size}/0_0_0", scale=scale)
        labels_zyx = np.frombuffer(raw, np.uint64).reshape([at + 1 for at in reversed(box.MaxPoint)])
    wanted = voxels(labels_zyx)
    assert found.keys() == wanted.keys()
    if every == 1:
        assert found == wanted
        return
    for block in built.get("blocks"):
        for label, points in built.get(f"block/{block}").items():
            start = np.array(block.split("_"), int) * 16
            inside = [p for p in wanted[int(label)] if (np.array(p) // 16 * 16 == start).all()]
            assert points == inside[::every]


def test_bodies_follow_merges_and_cleaves(served: Served) -> None:
    built = Built(served, levels=0)
    labels_zyx = volume_with_bodies(3, SIZE)
    built.segments.put(labels_zyx)
    built.build(voxels="all")
    stored = served.server.datastore.main.store
    rows = built.clouds(supervoxels="true")
    wanted = voxels(labels_zyx)
    before = sum(1 for _ in stored.scan_keys(b"\x10", b"\x11"))
    built.post("merge", [1, 2, 3], built.segments.path)
    built.settle()
    merged = {1: sorted(wanted[1] + wanted[2] + wanted[3])}
    assert built.clouds() == {k: v for k, v in wanted.items() if k not in (2, 3)} | merged
    cleaved = built.post("cleave/1", [2], built.segments.path).json()["CleavedLabel"]
    built.settle()
    found = built.clouds()
    assert found[cleaved] == wanted[2]
    assert found[1] == sorted(wanted[1] + wanted[3])
    assert built.clouds(supervoxels="true") == rows == wanted
    assert built.get("points/2") == []
    many = served.http.request("GET", f"{built.path}/counts", json=[1, cleaved, 2]).json()
    assert [one["Count"] for one in many] == [len(found[1]), len(wanted[2]), 0]
    assert sum(1 for _ in stored.scan_keys(b"\x10", b"\x11")) < before + 30  # of the segmentation alone


@pytest.mark.parametrize("scale", [0, 1])
def test_split_and_posted_voxels_are_made_again(served: Served, scale: int) -> None:
    built = Built(served)
    labels_zyx = volume_with_bodies(4, SIZE)
    built.segments.put(labels_zyx)
    built.segments.settle()
    built.build(scale=scale)
    changed = labels_zyx.copy()
    changed[16:32, 0:16, 16:32] = 77
    built.segments.put(changed[16:32, 0:16, 16:32], (16, 0, 16))
    built.settle()
    run = np.array([16, 0, 16, 8], "<i4").tobytes()
    body = b"\0\3\0\0" + bytes(4) + (1).to_bytes(4, "little") + run
    answer = served.http.post(f"{built.segments.path}/split-supervoxel/77", content=body)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    changed[changed == 77] = said["RemainSupervoxel"]
    changed[16, 0, 16:24] = said["SplitSupervoxel"]
    built.settle()
    if scale:
        raw = built.segments.get("raw/0_1_2/24_16_20/0_0_0", scale=1, supervoxels="true")
        changed = np.frombuffer(raw, np.uint64).reshape(20, 16, 24)
    wanted = voxels(changed, surface(changed))
    assert built.clouds(supervoxels="true") == wanted
    assert built.get("labels", supervoxels="true") == list(wanted)


def test_a_child_follows_its_own_voxels(served: Served) -> None:
    built = Built(served, levels=0)
    labels_zyx = volume_with_bodies(5, (16, 16, 32))
    built.segments.put(labels_zyx)
    built.build(voxels="all")
    before = built.clouds()
    served.commit(built.segments.root)
    child = served.child(built.segments.root)
    built.segments.put(np.full((16, 16, 16), 9, np.uint64), uuid=child)
    path, built.path = built.path, built.path.replace(built.segments.root, child)
    built.settle()
    changed = labels_zyx.copy()
    changed[:, :, :16] = 9
    assert built.clouds() == voxels(changed)
    built.path = path
    assert built.clouds() == before


def test_orders_that_make_no_sense_are_refused(served: Served) -> None:
    built = Built(served)
    for query in ({"scale": 5}, {"scale": -1}, {"voxels": "some"}, {"every": 0}, {"every": 10**30}, {"scale": "x"}):
        assert served.http.post(f"{built.path}/build", params=query).status_code == 400
    assert built.get("build") == {"Running": False, "BlocksAgain": 0}


def test_points_that_hold_no_voxels_are_refused(served: Served) -> None:
    segments = Segments(served)
    path = served.instance(segments.root, "pc", "pointcloud", Dimensions="2")
    assert served.http.post(f"{path}/build").status_code == 400
    assert served.http.post(f"{path}/sync", json={"sync": "seg"}).status_code == 200
    assert "three coordinates" in served.http.post(f"{path}/build").text


# ---------------------------------------------------------------------- interrupted
def test_a_build_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A step that fails is done again; what was done stands, and is not done again."""
    monkeypatch.setattr(building, "TOGETHER", 1)
    made: list[Any] = []
    failing = threading.Event()
    failing.set()
    points_of = made_of.points_of

    def counted(source: Any, order: Any, place: Any, kind: Any) -> Any:
        if len(made) == 2 and failing.is_set():
            failing.clear()
            raise OSError("the medium fails")
        made.append(place)
        return points_of(source, order, place, kind)

    monkeypatch.setattr(building, "points_of", counted)
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.make("pointcloud", "pc", follows="lm")
        rng = np.random.default_rng(0)
        for number in range(4):
            world.paint((0, 0, number), rng.integers(0, 3, (16, 16, 16), np.uint64))
        cloud = world.at("pc")
        assert isinstance(cloud, Cloud)
        world.settle()
        building.start(cloud, 0, "all", 1)
        world.settle()
        demand_sound(datastore)
        assert made == [(0, 0, number) for number in range(4)]
        assert not failing.is_set()
        assert [*cloud.blocks()] == ["0_0_0", "1_0_0", "2_0_0", "3_0_0"]
