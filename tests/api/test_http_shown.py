"""Info of repos is kept, and never older than what was answered before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from served import TOKEN, Served

from dvidpy.api import shown
from dvidpy.datatypes.labels import segmentation
from dvidpy.datatypes.registry import load_types

VOXELS = b"\1" * 32**3
RAW = "/raw/0_1_2/32_32_32/0_0_0"


def said(instance: dict[str, Any]) -> dict[str, Any]:
    """All that is said of an instance, part by part."""
    return {f"{part} {key}": value for part, values in instance.items() for key, value in values.items()}


def added(instance: dict[str, Any]) -> dict[str, Any]:
    """What the list of repos says instead, for viewers."""
    extended: dict[str, Any] = instance["Extended"]
    more: dict[str, Any] = {}
    if extended.get("MinPoint", ()) is None:
        last = [side - 1 for side in extended["BlockSize"]]
        more = {"MinPoint": [0, 0, 0], "MaxPoint": last, "MinIndex": [0, 0, 0], "MaxIndex": [0, 0, 0]}
    if extended.get("MaxDownresLevel") == 0:
        more["MaxDownresLevel"] = 1
    return {f"Extended {key}": value for key, value in more.items()}


class Seen:
    """A repo with instances whose info shows what is stored."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.root = served.repo()
        self.images = served.instance(self.root, "grays", "uint8blk")
        self.labels = served.instance(self.root, "bodies", "labelmap")
        served.instance(self.root, "points", "annotation")

    def post(self, path: str, **more: Any) -> None:
        answer = self.served.http.post(path, **more)
        assert answer.status_code == 200, answer.text

    def info(self, *path: str) -> Any:
        found = self.served.http.get(f"/api/repo/{self.root}/info").json()
        listed = self.served.http.get("/api/repos/info").json()[self.root]
        for name, instance in found["DataInstances"].items():
            assert said(listed["DataInstances"][name]) == said(instance) | added(instance)
        assert {**listed, "DataInstances": 0} == {**found, "DataInstances": 0}
        for step in path:
            found = found[step]
        return found


@pytest.fixture
def seen(served: Served) -> Seen:
    return Seen(served)


def _images(seen: Seen) -> None:
    seen.post(seen.images + RAW, content=VOXELS)


def _labels(seen: Seen) -> None:
    seen.post(f"{seen.labels}/nextlabel/5")


def _sync(seen: Seen) -> None:
    seen.post(f"/api/node/{seen.root}/points/sync", json={"sync": "bodies"})


def _resolution(seen: Seen) -> None:
    seen.post(f"{seen.images}/resolution", json=[4.0, 5.0, 6.0])


def _tags(seen: Seen) -> None:
    seen.post(f"{seen.images}/tags", json={"colour": "none"})


CHANGES: dict[str, tuple[Callable[[Seen], None], tuple[str, ...], Any]] = {
    "voxels": (_images, ("grays", "Extents", "MaxPoint"), [31, 31, 31]),
    "labels": (_labels, ("bodies", "Extended", "MaxRepoLabel"), 5),
    "sync": (_sync, ("points", "Base", "Syncs"), ["bodies"]),
    "resolution": (_resolution, ("grays", "Extended", "VoxelSize"), [4.0, 5.0, 6.0]),
    "tags": (_tags, ("grays", "Base", "Tags"), {"colour": "none"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_shows_at_once(seen: Seen, change: str) -> None:
    do, path, expected = CHANGES[change]
    before = seen.info("DataInstances", *path)
    assert before != expected
    do(seen)
    assert seen.info("DataInstances", *path) == expected


def test_a_new_version_shows_its_own(seen: Seen) -> None:
    seen.info()
    _images(seen)
    seen.served.commit(seen.root)
    child = seen.served.child(seen.root)
    path = ("DataInstances", "grays", "Extents", "MaxPoint")
    assert seen.info(*path) == [31, 31, 31]
    seen.post(f"/api/node/{child}/grays/raw/0_1_2/32_32_32/32_0_0", content=VOXELS)
    assert seen.info(*path) == [63, 31, 31]


def test_it_is_put_together_once(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    seen.info()  # the first look at labels may write
    first = seen.info()
    made = []
    monkeypatch.setattr(shown.ShownRepos, "_subject", lambda *_: made.append(1))
    assert seen.info() == first
    assert made == []


def test_only_so_many_are_kept(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    first = seen.info()
    monkeypatch.setattr(shown, "INSTANCES", 2)
    seen.post(f"{seen.images}/resolution", json=[4.0, 5.0, 6.0])
    assert seen.info("DataInstances", "bodies") == first["DataInstances"]["bodies"]
    assert len(seen.served.server.shown._kept) <= 2


def test_deleted_instances_are_gone(seen: Seen) -> None:
    assert "points" in seen.info("DataInstances")
    sure = {"imsure": "true", "admintoken": TOKEN}
    assert seen.served.http.delete(f"/api/repo/{seen.root}/points", params=sure).status_code == 200
    assert "points" not in seen.info("DataInstances")


# ---------------------------------------------------------------------- what viewers take from the list of repos
def test_the_list_of_repos_has_a_place_for_every_volume(served: Served) -> None:
    """Neuroglancer passes over instances without corners, and over labels without a coarser scale."""
    uuid = served.repo()
    for name in load_types():
        served.instance(uuid, f"of-{name}", name)
    listed = served.http.get("/api/repos/info").json()[uuid]["DataInstances"]
    shown = served.http.get(f"/api/repo/{uuid}/info").json()["DataInstances"]
    assert len(listed) == len(shown) == len(load_types())
    for name, one in listed.items():
        if one["Base"]["TypeName"] in ("uint8blk", "labelblk", "labelarray", "labelmap"):
            assert one["Extended"]["MinPoint"] == [0, 0, 0]
            assert one["Extended"]["MaxPoint"] == [side - 1 for side in one["Extended"]["BlockSize"]]
            assert shown[name]["Extended"]["MinPoint"] is None
    assert listed["of-labelmap"]["Extended"]["MaxDownresLevel"] == 1
    assert shown["of-labelmap"]["Extended"]["MaxDownresLevel"] == 0
    served.http.post(f"/api/node/{uuid}/of-labelmap/extents", json={"MinPoint": [5, 6, 7], "MaxPoint": [8, 9, 9]})
    listed = served.http.get("/api/repos/info").json()[uuid]["DataInstances"]
    assert listed["of-labelmap"]["Extended"]["MinPoint"] == [5, 6, 7]


def test_the_scale_that_is_only_listed_is_computed(served: Served) -> None:
    uuid = served.repo()
    path = served.instance(uuid, "labels", "labelmap")
    labels = np.repeat(np.repeat(np.repeat(np.arange(32**3, dtype=np.uint64).reshape(32, 32, 32), 2, 0), 2, 1), 2, 2)
    served.http.post(f"{path}/raw/0_1_2/64_64_64/0_0_0", content=labels.tobytes())
    coarse = f"{path}/raw/0_1_2/32_32_32/0_0_0"
    found = served.http.get(coarse, params={"scale": 1, "compression": "google"})
    assert found.status_code == 200
    assert found.content == segmentation.encode(np.ascontiguousarray(labels[::2, ::2, ::2]))
    assert not any(served.http.get(coarse, params={"scale": 1}).content)  # as recorded
