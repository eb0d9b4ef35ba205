"""Clouds through edits and versions: points of what is split, merges of versions, work that fails over a commit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated import World, settings_of
from conftest import demand_sound
from datatypes.labelarray.test_labelarray import runs_of
from datatypes.pointcloud.built import SIZE, Built, Wanted, surface, voxels
from label_instances import volume_with_bodies
from numpy.typing import NDArray
from served import Served

from dvidpy.datatypes.pointcloud import building, following
from dvidpy.datatypes.pointcloud import voxels as made_of
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.versioning import queue
from dvidpy.versioning.datastore import Datastore

OUTSIDE = [1000, 1000, 1000]
Volume = NDArray[np.uint64]


def cut(built: Built, labels_zyx: Volume, label: int, inside: NDArray[np.bool_]) -> dict[str, int]:
    """Split what is inside off a supervoxel."""
    part = (labels_zyx == label) & inside
    assert 0 < part.sum() < (labels_zyx == label).sum()
    answer = built.served.http.post(f"{built.segments.path}/split-supervoxel/{label}", content=runs_of(part))
    assert answer.status_code == 200, answer.text
    said: dict[str, int] = answer.json()
    labels_zyx[labels_zyx == label] = said["RemainSupervoxel"]
    labels_zyx[part] = said["SplitSupervoxel"]
    return said


@pytest.mark.parametrize("made", [False, True])
def test_posted_points_follow_splits(served: Served, monkeypatch: pytest.MonkeyPatch, made: bool) -> None:
    monkeypatch.setattr(following, "BLOCKS", 2)
    built = Built(served, levels=0)
    labels_zyx = volume_with_bodies(6, SIZE)
    built.segments.put(labels_zyx)
    if made:
        built.build()
    posted = voxels(labels_zyx)
    label = max(posted, key=lambda one: len(posted[one]))
    for number in range(5):  # more blocks than a step has
        some = {str(one): points[number::5] for one, points in posted.items()}
        built.post("points", {**some, str(label): [*some[str(label)], OUTSIDE]}, block=f"mine{number}")
    side = np.indices(SIZE)
    first = cut(built, labels_zyx, label, side[2] < 24)
    cut(built, labels_zyx, first["SplitSupervoxel"], side[1] < 16)  # before the first is followed, perhaps
    built.settle()
    wanted = voxels(labels_zyx)
    wanted[first["RemainSupervoxel"]].append(OUTSIDE)
    found: Wanted = {}
    for number in range(5):
        for one, points in built.get(f"block/mine{number}").items():
            found.setdefault(int(one), []).extend(point for point in points if point != OUTSIDE or not number)
    assert {one: sorted(points) for one, points in found.items()} == wanted
    assert label not in built.get("labels", supervoxels="true")
    body = built.get(f"points/{label}", block="mine0")  # all of it is one body still
    assert len(body) == len(posted[label][::5]) + 1
    refused = served.http.post(f"{built.path}/points", params={"block": "mine"}, json={str(label): [[1, 2, 3]]})
    assert refused.status_code == 400
    assert "no supervoxel" in refused.text
    demand_sound(served.server.datastore)


def test_posted_points_follow_labels_that_are_no_supervoxels(served: Served) -> None:
    """Of a labelarray splits and merges write voxels, and so do points."""
    root = served.repo()
    seg = served.instance(root, "seg", "labelarray", BlockSize="16,16,16")
    path = served.instance(root, "pc", "pointcloud", PointType="float64", Dimensions="4")
    labels_zyx = volume_with_bodies(7, (16, 16, 32))
    depth, height, width = labels_zyx.shape
    post = served.http.post
    assert post(f"{seg}/raw/0_1_2/{width}_{height}_{depth}/0_0_0", content=labels_zyx.tobytes()).status_code == 200
    assert post(f"{path}/sync", json={"sync": "seg"}).status_code == 200
    some = {label: [[x + 0.75, y, z, 0.5] for x, y, z in points] for label, points in voxels(labels_zyx).items()}
    assert post(f"{path}/points?block=b", json={str(label): points for label, points in some.items()}).is_success
    one, two, three = sorted(some, key=lambda label: len(some[label]))[-3:]
    part = (labels_zyx == three) & (np.indices(labels_zyx.shape)[2] % 2 == 0)
    said = post(f"{seg}/split/{three}", content=runs_of(part)).json()
    labels_zyx[part] = said["label"]
    assert post(f"{seg}/merge", json=[one, two]).status_code == 200
    labels_zyx[labels_zyx == two] = one
    assert served.http.get(f"{path}/info?wait=true").status_code == 200
    found = served.http.get(f"{path}/block/b").json()
    wanted = {label: [[x + 0.75, y, z, 0.5] for x, y, z in points] for label, points in voxels(labels_zyx).items()}
    assert {int(label): sorted(points) for label, points in found.items()} == wanted


def test_points_are_those_of_supervoxels(served: Served) -> None:
    """A body's number may be no supervoxel's; points of labels that the segmentation lacks are nobody's but theirs."""
    built = Built(served, levels=0)
    built.segments.put(volume_with_bodies(8, (16, 16, 16)))
    built.post("merge", [1, 2], built.segments.path)
    cleaved = built.post("cleave/1", [2], built.segments.path).json()["CleavedLabel"]
    built.post("points", {"2": [[1, 1, 1]], "4444": [[2, 2, 2]]}, block="mine")
    assert built.clouds() == {4444: [[2, 2, 2]], cleaved: [[1, 1, 1]]}
    for what in ("points?block=mine", "block/mine"):
        refused = served.http.post(f"{built.path}/{what}", json={str(cleaved): [[1, 2, 3]]})
        assert refused.status_code == 400
        assert "no supervoxel" in refused.text
    assert built.clouds() == {4444: [[2, 2, 2]], cleaved: [[1, 1, 1]]}


# ---------------------------------------------------------------------- versions
@pytest.mark.parametrize("before", [False, True])
def test_a_merge_of_versions_has_the_cloud_of_its_voxels(served: Served, before: bool) -> None:
    """Both branches edit voxels, next to one another; the cloud is made before them, or by each for itself."""
    built = Built(served)
    labels_zyx = volume_with_bodies(9, (16, 16, 48))
    built.segments.put(labels_zyx)
    if before:
        built.build()
    root, path, changed = built.segments.root, built.path, labels_zyx.copy()
    served.commit(root)
    branches = [served.child(root), served.child(root, "branch", branch="other")]
    kept = {}
    for number, branch in enumerate(branches):
        x = slice(16 * number, 16 * number + 16)
        changed[:, :, x] = 91 + number
        built.segments.put(changed[:, :, x], (0, 0, 16 * number), branch)
        built.path = path.replace(root, branch)
        if before:
            built.settle()
        else:
            built.build()
        built.post("points", {"5": [[number, 0, 0]]}, block=f"mine{number}")
        served.commit(branch)
        kept[branch] = built.clouds(supervoxels="true")
    answer = served.http.post(
        f"/api/repo/{root}/merge", json={"mergeType": "conflict-free", "parents": branches, "note": "both"}
    )
    assert answer.status_code == 200, answer.text
    built.path = path.replace(root, answer.json()["child"])
    built.settle()
    wanted = voxels(changed, surface(changed))
    wanted[5] = sorted([*wanted.get(5, []), [0, 0, 0], [1, 0, 0]])
    assert built.clouds(supervoxels="true") == dict(sorted(wanted.items()))
    assert built.get("build")["Complete"]
    for branch in branches:
        built.path = path.replace(root, branch)
        assert built.clouds(supervoxels="true") == kept[branch]
    demand_sound(served.server.datastore)


# ---------------------------------------------------------------------- work that failed
def test_work_that_failed_before_a_commit_changes_nothing_after_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is tried again at the next start; by then its version may be committed, and stays as it is."""
    monkeypatch.setattr(queue, "RETRIES_S", ())
    monkeypatch.setattr(building, "TOGETHER", 1)
    points_of = made_of.points_of

    def failing(source: Any, order: Any, place: Any, kind: Any) -> Any:
        if place[2] == 2:
            raise OSError("the medium fails")
        return points_of(source, order, place, kind)

    monkeypatch.setattr(building, "points_of", failing)
    with closing(Datastore(settings_of(tmp_path, "main"))) as datastore:
        world = World(datastore)
        world.make("pointcloud", "pc", follows="lm")
        rng = np.random.default_rng(0)
        for number in range(4):
            world.paint((0, 0, number), rng.integers(0, 3, (16, 16, 16), np.uint64))
        world.settle()
        building.start(_cloud(world), 0, "all", 1)
        world.settle()
        said = building.progress(_cloud(world))
        assert not said["Running"]
        assert not said["Complete"]
        assert "the medium fails" in said["Failed"]
        world.grow()
        root = world.root
    monkeypatch.setattr(building, "points_of", points_of)
    with closing(Datastore(settings_of(tmp_path, "main"))) as datastore:
        place = datastore.catalogue.find(root)
        world = World.seen(datastore, root, place.node)
        world.settle()
        assert [*_cloud(world).blocks()] == ["0_0_0", "1_0_0"]
        said = building.progress(_cloud(world))
        assert "Failed" not in said
        assert not said["Complete"]
        (child,) = (node for node in place.repo.nodes.values() if node.parents)
        world = World.seen(datastore, root, child)
        building.start(_cloud(world), 0, "all", 1)
        world.settle()
        assert len([*_cloud(world).blocks()]) == 4
        assert building.progress(_cloud(world))["Complete"]
        assert [*_cloud(World.seen(datastore, root, place.node)).blocks()] == ["0_0_0", "1_0_0"]
        demand_sound(datastore)


def _cloud(world: World) -> Cloud:
    cloud = world.at("pc")
    assert isinstance(cloud, Cloud)
    return cloud
