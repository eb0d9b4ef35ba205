"""Files of supervoxels over HTTP, and those of bodies that a segmentation knows."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import Served

from dvidpy.datatypes import bodies
from dvidpy.datatypes.base import TYPES, Data, DataType
from dvidpy.datatypes.labelled.settings import settings_of
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.tarsupervoxels.instance import TarSupervoxels
from dvidpy.versioning import commits

BODIES: dict[str, dict[int, list[int]]] = {}
"""Uuid of a version -> label -> its supervoxels."""


class Segmentation(Data):
    """Bodies by version, as the test says."""

    def supervoxels_of(self, label: int) -> np.ndarray:
        return np.array(BODIES[self.node.uuid].get(label, []), np.uint64)


@pytest.fixture
def _labelmap(monkeypatch: pytest.MonkeyPatch) -> None:
    load_types()
    monkeypatch.setitem(TYPES, "labelmap", DataType("labelmap", "tests", (), Segmentation, settings=settings_of))
    monkeypatch.setattr(f"{__name__}.BODIES", {})


@pytest.fixture
def meshes(served: Served) -> str:
    return served.instance(served.repo(), "meshes", "tarsupervoxels", Extension="dat")


def tar(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def untar(body: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in archive}


def load(served: Served, meshes: str, *files: tuple[str, bytes]) -> int:
    return served.http.post(f"{meshes}/load", content=tar(*files)).status_code


def exists(served: Served, meshes: str, *supervoxels: int) -> Any:
    return served.http.request("GET", f"{meshes}/exists", content=json.dumps(supervoxels)).json()


# ---------------------------------------------------------------------- single files
@pytest.mark.parametrize("size", [1, 1 << 20, (1 << 20) + 1, 3_500_000])
def test_a_file_comes_back(served: Served, meshes: str, size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    assert served.http.post(f"{meshes}/supervoxel/18446744073709551615", content=content).status_code == 200
    answer = served.http.get(f"{meshes}/supervoxel/18446744073709551615")
    assert answer.content == content
    assert answer.headers["content-length"] == str(size)
    assert served.http.post(f"{meshes}/supervoxel/18446744073709551615", content=b"x").status_code == 200
    assert served.http.get(f"{meshes}/supervoxel/18446744073709551615").content == b"x"
    assert list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")) == []


@pytest.mark.parametrize("label", ["0", "-1", "+5", "1.5", "x", "18446744073709551616", "9" * 5000, "1_0", "٣"])
def test_what_is_no_supervoxel(served: Served, meshes: str, label: str) -> None:
    for path in (f"supervoxel/{label}", f"tarfile/{label}", f"missing/{label}"):
        assert served.http.get(f"{meshes}/{path}").status_code == 400
    assert served.http.post(f"{meshes}/supervoxel/{label}", content=b"x").status_code == 400
    assert served.http.delete(f"{meshes}/supervoxel/{label}").status_code == 400


def test_files_of_another_extension_wait_for_it(served: Served, meshes: str) -> None:
    assert load(served, meshes, ("1.dat", b"dat")) == 200
    assert served.http.post(f"{meshes}/info", json={"extension": "obj"}).status_code == 200
    assert served.http.get(f"{meshes}/supervoxel/1").status_code == 404
    assert load(served, meshes, ("1.dat", b"dat")) == 400
    assert load(served, meshes, ("1.obj", b"obj")) == 200
    assert served.http.post(f"{meshes}/info", json={}).status_code == 200
    assert served.http.get(f"{meshes}/supervoxel/1").text == "obj"
    assert served.http.post(f"{meshes}/info", json={"Extension": "dat"}).status_code == 200
    assert served.http.get(f"{meshes}/supervoxel/1").text == "dat"


@pytest.mark.parametrize("extension", ["", "a b", "a/b", "\0", "x" * 201, 5, None, "\u200b"])
def test_extensions_that_are_refused(served: Served, meshes: str, extension: Any) -> None:
    given = {"typename": "tarsupervoxels", "dataname": "other", "Extension": extension}
    assert (
        served.http.post(f"{meshes.rsplit('/', 1)[0].replace('node', 'repo')}/instance", json=given).status_code == 400
    )
    assert served.http.post(f"{meshes}/info", json={"Extension": extension}).status_code == 400
    assert served.http.get(f"{meshes}/info").json()["Extended"] == {"Extension": "dat"}


def test_exists_is_guarded_by_a_hash(served: Served, meshes: str) -> None:
    assert load(served, meshes, ("1.dat", b""), ("5.dat", b"five")) == 200
    body = b"[5, 2, 1, 1]"
    for query, status in (("", 200), (hashlib.md5(body).hexdigest(), 200), ("0123", 400)):
        answer = served.http.request("GET", f"{meshes}/exists?hash={query}", content=body)
        assert answer.status_code == status
        assert status == 400 or answer.json() == [True, False, True, True]
    for wrong in ("", "{}", "[-1]", "[1.5]", '["1"]', "[18446744073709551616]", "[true]", "5", "[" * 5000):
        assert served.http.request("GET", f"{meshes}/exists", content=wrong).status_code == 400


# ---------------------------------------------------------------------- many files
def test_large_and_small_files_of_a_tar_file(served: Served, meshes: str) -> None:
    files = [(f"{number}.dat", bytes([number % 256]) * (number * 9000 + 1)) for number in range(1, 160)]
    assert load(served, meshes, *files) == 200
    for name, content in files:
        assert served.http.get(f"{meshes}/supervoxel/{name[:-4]}").content == content


def test_of_a_repeated_name_the_last_file_stays(served: Served, meshes: str) -> None:
    large = bytes(1_500_000)
    assert (
        load(served, meshes, ("1.dat", b"a"), ("2.dat", large), ("1.dat", large), ("2.dat", b"b"), ("1.dat", b"c"))
        == 200
    )
    assert [served.http.get(f"{meshes}/supervoxel/{n}").text for n in (1, 2)] == ["c", "b"]
    assert list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")) == []


NAMES = [
    "1.drc",
    "x.dat",
    "0.dat",
    "13",
    "./17.dat",
    "18.dat.gz",
    "a/19.dat",
    "+5.dat",
    "-5.dat",
    "1 .dat",
    "1. dat",
    "é.dat",
]


@pytest.mark.parametrize("name", [*NAMES, "18446744073709551616.dat", "9" * 60 + ".dat", "٣.dat"])
def test_what_came_before_a_bad_name_is_kept(served: Served, meshes: str, name: str) -> None:
    large = bytes(1_200_000)
    assert load(served, meshes, ("0015.dat", b"kept"), ("16.dat", large), (name, large), ("17.dat", b"")) == 400
    assert exists(served, meshes, 15, 16, 17) == [True, True, False]


def test_a_file_that_ends_early_leaves_nothing(served: Served, meshes: str) -> None:
    body = tar(("1.dat", b"one"), ("2.dat", bytes(3_000_000)))[:2_000_000]
    assert served.http.post(f"{meshes}/load", content=body).status_code == 400
    assert exists(served, meshes, 1, 2) == [True, False]
    assert list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")) == []


def test_where_too_many_edits_wait_nothing_is_left(
    served: Served, meshes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "WAITING", 0)
    assert load(served, meshes, ("1.dat", b"one"), ("2.dat", bytes(3_000_000))) == 503
    assert served.http.post(f"{meshes}/supervoxel/3", content=bytes(2_000_000)).status_code == 503
    monkeypatch.undo()
    assert exists(served, meshes, 1, 2, 3) == [False] * 3
    assert list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")) == []
    assert served.server.datastore.gates.writing() == 0


# ---------------------------------------------------------------------- versions and bodies
@pytest.fixture
def followed(_labelmap: None, served: Served) -> str:
    """An instance that follows a segmentation with bodies 1 (supervoxels 1, 4, 2) and 3."""
    root = served.repo()
    served.instance(root, "seg", "labelmap")
    meshes = served.instance(root, "meshes", "tarsupervoxels", Extension="dat")
    assert served.http.post(f"{meshes}/sync", json={"sync": "seg"}).status_code == 200
    BODIES[root] = {1: [1, 4, 2], 3: [3]}
    return meshes


def test_files_of_a_body(served: Served, followed: str) -> None:
    assert load(served, followed, ("1.dat", b"one"), ("2.dat", bytes(2_500_000)), ("3.dat", b"three")) == 200
    answer = served.http.get(f"{followed}/tarfile/1")
    assert answer.headers["content-type"] == "application/tar"
    assert untar(answer.content) == {"1.dat": b"one", "2.dat": bytes(2_500_000), "4.missing": b""}
    assert served.http.head(f"{followed}/tarfile/1").status_code == 400
    assert served.http.get(f"{followed}/missing/1").json() == [4]
    assert load(served, followed, ("4.dat", b"")) == 200
    assert served.http.head(f"{followed}/tarfile/1").status_code == 200
    assert served.http.get(f"{followed}/missing/1").json() == []
    assert "4.missing" in untar(served.http.get(f"{followed}/tarfile/1").content)  # an empty file
    assert untar(served.http.get(f"{followed}/tarfile/3").content) == {"3.dat": b"three"}
    for path in ("tarfile/2", "missing/2", "tarfile/77"):
        assert served.http.get(f"{followed}/{path}").status_code == 400


def test_without_a_segmentation_nobody_knows_bodies(served: Served, followed: str) -> None:
    assert served.http.post(f"{followed}/sync?replace=true", json={"sync": ""}).status_code == 200
    for path in ("tarfile/1", "missing/1"):
        answer = served.http.get(f"{followed}/{path}")
        assert (answer.status_code, "not synced" in answer.text) == (400, True)
    assert served.http.head(f"{followed}/tarfile/1").status_code == 400
    assert served.http.post(f"{followed}/sync", json={"sync": "meshes"}).status_code == 400


def test_all_versions_share_the_files_but_not_the_bodies(served: Served, followed: str) -> None:
    root = followed.split("/")[3]
    assert load(served, followed, ("1.dat", b"one"), ("2.dat", b"two")) == 200
    served.commit(root)
    assert load(served, followed, ("5.dat", b"locked")) == 400
    assert served.http.post(f"{followed}/supervoxel/5", content=b"locked").status_code == 400
    assert served.http.delete(f"{followed}/supervoxel/1").status_code == 400
    assert served.http.post(f"{followed}/info", json={"Extension": "obj"}).status_code == 400
    child = served.child(root)
    BODIES[child] = {1: [1, 2, 3, 4]}
    later = f"/api/node/{child}/meshes"
    assert served.http.post(f"{later}/supervoxel/4", content=b"four").status_code == 200
    for path, missing in ((followed, []), (later, [3])):
        assert exists(served, path, 1, 4, 5) == [True, True, False]
        assert served.http.get(f"{path}/missing/1").json() == missing
    assert served.http.get(f"{followed}/supervoxel/4").text == "four"
    assert sorted(untar(served.http.get(f"{later}/tarfile/1").content)) == ["1.dat", "2.dat", "3.missing", "4.dat"]


def test_a_tar_file_is_made_piece_by_piece(served: Served, followed: str) -> None:
    size = 8 << 20
    assert load(served, followed, *((f"{number}.dat", bytes(size)) for number in (1, 2, 3))) == 200
    repo = next(iter(served.server.datastore.catalogue.repos.values()))
    subject = TarSupervoxels(served.server.datastore, repo, repo.root, repo.instances["meshes"], None)
    BODIES[repo.root.uuid][9] = [1, 2, 3]
    tracemalloc.start()
    sent = sum(map(len, subject.tar(9)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent == 3 * (size + 512) + 1024
    assert peak < size


def test_the_double_is_what_the_protocol_asks_for() -> None:
    assert issubclass(Segmentation, bodies.Bodies)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.sets(st.integers(1, 80) | st.integers(1, 2**64 - 1), max_size=40), st.lists(st.integers(0, 90), max_size=40))
def test_which_files_exist(served: Served, stored: set[int], asked: list[int]) -> None:
    meshes = served.instance(served.repo(), "meshes", "tarsupervoxels")
    assert load(served, meshes, *((f"{supervoxel}.dat", b"x") for supervoxel in stored)) == 200
    asked = [*asked, *stored][::-1]
    assert exists(served, meshes, *asked) == [supervoxel in stored for supervoxel in asked]
