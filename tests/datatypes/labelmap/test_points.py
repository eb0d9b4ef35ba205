from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from datatypes.labelmap.conftest import Segs, text_of
from label_examples import volume


def test_points_have_their_voxels_labels(segs: Segs) -> None:
    path, labels = segs.new(), volume(5, (48, 32, 32), 40)
    segs.post(path, (-16, -32, -16), labels)
    points = np.random.default_rng(3).integers(-40, 40, (700, 3))
    want = [
        int(labels[z + 16, y + 32, x + 16]) if -16 <= x < 16 and -32 <= y < 0 and -16 <= z < 32 else 0
        for x, y, z in points.tolist()
    ]
    assert json.loads(segs.call("GET", f"{path}/labels", content=json.dumps(points.tolist()).encode())) == want
    assert 0 < want.count(0) < 700
    for point, label in zip(points[:20].tolist(), want, strict=False):
        assert json.loads(segs.call("GET", f"{path}/label/{text_of(point)}")) == {"Label": label}


def test_points_of_a_coarser_scale(segs: Segs) -> None:
    path = segs.new(levels=1)
    segs.post(path, (0, 0, 0), volume(5, (32, 32, 32), 40))
    coarse = segs.get(path, (0, 0, 0), (16, 16, 16), "?scale=1")
    assert json.loads(segs.call("GET", f"{path}/labels?scale=1", content=b"[[3,4,5],[15,0,9]]")) == [
        int(coarse[5, 4, 3]),
        int(coarse[9, 0, 15]),
    ]
    assert json.loads(segs.call("GET", f"{path}/label/3_4_5?scale=7")) == {"Label": 0}


def test_a_voxel_asked_of_again_has_what_was_written_since(segs: Segs) -> None:
    path, labels = segs.new(), volume(5, (48, 48, 48), 40)
    segs.post(path, (0, 0, 0), labels)
    points = [(x, y, z) for z in (3, 20, 40) for y in (5, 21, 41) for x in (7, 23, 43)]  # blocks: more than are kept

    def ask() -> list[int]:
        return [json.loads(segs.call("GET", f"{path}/label/{text_of(point)}"))["Label"] for point in points]

    for change in (0, 1000, 2000):
        segs.post(path, (0, 0, 0), labels + np.uint64(change), "?mutate=true")
        want = [int(labels[z, y, x]) + change for x, y, z in points]
        assert ask() == ask() == want


@pytest.mark.parametrize("body", [b"", b"[[1,2]]", b"[[1,2,3,4]]", b"[[1,2,3]", b"[[1,2,2147483648]]", b"[[1e3,2,3]]"])
def test_what_is_no_list_of_points(segs: Segs, body: bytes) -> None:
    path = segs.new()
    assert segs.status("GET", f"{path}/labels", body) == 400


@pytest.mark.parametrize("body", [b"", b"[1.5]", b"[-1]", b"[18446744073709551616]", b'["1"]', b"{}", b"[[1]]"])
def test_what_is_no_list_of_labels(segs: Segs, body: bytes) -> None:
    path = segs.new()
    assert segs.status("GET", f"{path}/mapping", body) == 400


def test_a_hash_guards_the_body(segs: Segs) -> None:
    path, body = segs.new(), b"[[1,2,3]]"
    good = hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert segs.status("GET", f"{path}/labels?hash={good}", body) == 200
    assert segs.status("GET", f"{path}/labels?hash={good}", body + b" ") == 400
    assert segs.status("GET", f"{path}/mapping?hash={good}", b"[1]") == 400


def test_supervoxels_that_are_there_are_their_own_bodies(segs: Segs) -> None:
    path = segs.new()
    segs.post(path, (0, 0, 0), np.full((16, 16, 16), 2**63 + 1, np.uint64))
    asked = json.dumps([2**63 + 1, 7, 0]).encode()
    assert json.loads(segs.call("GET", f"{path}/mapping", content=asked)) == [2**63 + 1, 0, 0]
    assert json.loads(segs.call("GET", f"{path}/mapping?nolookup=true", content=asked)) == [2**63 + 1, 7, 0]
    assert segs.call("GET", f"{path}/mapping", content=b"[]") == b"[]"


def test_without_indices_no_supervoxel_is_known(segs: Segs) -> None:
    path = segs.new(IndexedLabels="false")
    assert segs.call("GET", f"{path}/mapping", content=b"[7]") == b"[0]"
    assert segs.call("GET", f"{path}/mapping?nolookup=true", content=b"[7]") == b"[7]"
