"""Info of repos is kept, and never older than what was answered before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from served import TOKEN, Served

from dvidpy.api import shown

VOXELS = b"\1" * 32**3
RAW = "/raw/0_1_2/32_32_32/0_0_0"


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
        found = self.served.http.get("/api/repos/info").json()[self.root]
        assert found == self.served.http.get(f"/api/repo/{self.root}/info").json()
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
