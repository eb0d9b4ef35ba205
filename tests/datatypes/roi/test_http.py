"""Regions over HTTP."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import Served

from dvidpy.api.straight import Straight
from dvidpy.datatypes.roi.instance import Roi
from dvidpy.geometry import Box
from dvidpy.versioning import commits

SIDES = (5, 7, 9)


@pytest.fixture
def roi(served: Served) -> str:
    return served.instance(served.repo(), "area", "roi", BlockSize="5,7,9")


def post(served: Served, roi: str, spans: Any) -> int:
    return served.http.post(f"{roi}/roi", content=json.dumps(spans)).status_code


def many(count: int) -> list[list[int]]:
    return [[number // 1000, number % 1000, number % 7, number % 7 + 3] for number in range(count)]


SPAN = st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.sampled_from([-4, 0, 4]), st.integers(0, 3))
POINT = st.tuples(*[st.integers(-25, 25)] * 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(SPAN, max_size=6, unique_by=lambda span: span[:3]), POINT, st.tuples(*[st.integers(1, 30)] * 3))
def test_a_mask_and_points_say_the_same(served: Served, spans: Any, offset: Any, size: Any) -> None:
    roi = served.instance(served.repo(), "area", "roi", BlockSize="5,7,9")
    assert post(served, roi, [(z, y, x, x + more) for z, y, x, more in spans]) == 200
    where = "/".join("_".join(map(str, point)) for point in (size, offset))
    mask = np.frombuffer(served.http.get(f"{roi}/mask/0_1_2/{where}").content, np.uint8)
    points = [
        (x, y, z)
        for z in range(offset[2], offset[2] + size[2])
        for y in range(offset[1], offset[1] + size[1])
        for x in range(offset[0], offset[0] + size[0])
    ]
    inside = served.http.post(f"{roi}/ptquery", json=points).json()
    assert mask.tolist() == inside
    blocks = {(z, y, xx) for z, y, x, more in spans for xx in range(x, x + more + 1)}
    assert inside == [(z // 9, y // 7, x // 5) in blocks for x, y, z in points]


def test_a_region_of_several_megabytes(served: Served, roi: str) -> None:
    spans = many(150_000)
    assert post(served, roi, spans[::-1]) == 200
    assert served.http.get(f"{roi}/roi").json() == spans
    shown = served.http.get(f"{roi}/info").json()["Extended"]
    assert shown == {"BlockSize": [5, 7, 9], "MinZ": 0, "MaxZ": 149}
    points = [[x * 5, y * 7, z * 9] for z, y, x, _ in spans[::50]] + [[0, 0, -1]]
    assert served.http.post(f"{roi}/ptquery", json=points).json() == [True] * (len(points) - 1) + [False]
    assert served.http.get(f"{roi}/mask/0_1_2/2_2_2/30_0_1340").content == b"\1\1\1\1\1\1\1\1"
    assert post(served, roi, [[3, 0, 0, 0]]) == 200
    assert list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")) == []  # its parts went with it


@pytest.mark.parametrize(
    "body",
    [
        "[[0,0,5,1]]",
        "[[0,0,0,5],[0,0,5,9]]",
        "[[0,0,0,99999999999]]",
        '[["0",0,0,1]]',
        "[[0,0,0]]",
        "",
        "[[0,0,0,0,0]]",
    ],
)
@pytest.mark.parametrize("blanks", [0, 5000])
def test_a_bad_region_leaves_the_old_one(served: Served, roi: str, body: str, blanks: int) -> None:
    assert post(served, roi, [[1, 2, 3, 4]]) == 200
    answer = served.http.post(f"{roi}/roi", content=body + " " * blanks)
    assert answer.status_code == 400
    assert "span" in answer.text
    assert served.http.get(f"{roi}/roi").json() == [[1, 2, 3, 4]]


def test_where_too_many_edits_wait_the_old_region_stays(
    served: Served, roi: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post(served, roi, [[1, 2, 3, 4]]) == 200
    monkeypatch.setattr(commits, "WAITING", 0)
    assert post(served, roi, many(150_000)) == 503
    assert served.http.delete(f"{roi}/roi").status_code == 503
    monkeypatch.undo()
    assert served.http.get(f"{roi}/roi").json() == [[1, 2, 3, 4]]
    assert list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("mask/0_1_2/1000000_1000000_1000000/0_0_0", 400),
        ("mask/0_1_2/0_1_1/0_0_0", 400),
        ("mask/0_1_2/2_2_2/2147483647_0_0", 400),
        ("mask/0_1_2/1_1_1/2147483647_2147483647_2147483647", 200),
        ("mask/0_1_2/1_1_1/-2147483648_-2147483648_-2147483648", 200),
        ("mask/vol/1_1_1/0_0_0", 200),
        ("partition?batchsize=-1", 400),
        ("partition?batchsize=99999999999", 400),
        ("partition?batchsize=65537", 400),
        ("partition?batchsize=65536", 200),
        ("partition?batchsize=65536&optimized=on", 200),
    ],
)
def test_sizes_at_their_limits(served: Served, roi: str, path: str, status: int) -> None:
    assert post(served, roi, [[-1, 0, 0, 0], [1, 2, 3, 4]]) == 200
    assert served.http.get(f"{roi}/{path}").status_code == status


@pytest.mark.parametrize("sides", ["0,1,1", "-1,1,1", "1,1", "a,b,c", "4294967296,1,1"])
def test_block_sizes_that_are_refused(served: Served, sides: str) -> None:
    given = {"typename": "roi", "dataname": "area", "BlockSize": sides}
    assert served.http.post(f"/api/repo/{served.repo()}/instance", json=given).status_code == 400


@pytest.mark.parametrize("spans", [[[0, 0, 0, 2]], [[0, 0, 0, 2], [0, 0, 6, 9], [40, 3, 1, 1]]])
def test_a_fitted_partition_of_a_region_with_holes(served: Served, roi: str, spans: Any) -> None:
    assert post(served, roi, spans) == 200
    found = served.http.get(f"{roi}/partition?batchsize=8&optimized=true").json()
    assert found["NumActiveBlocks"] == sum(xx - x + 1 for _, _, x, xx in spans)
    assert found["NumSubvolumes"] == len(found["Subvolumes"]) > 0
    first = found["Subvolumes"][0]
    assert (first["MinChunk"], first["MaxChunk"][0]) == ([0, 0, 0], 2)
    assert first["MaxPoint"][0] == 3 * SIDES[0] - 1


def test_a_region_of_another_version_masks_an_image(served: Served) -> None:
    root = served.repo()
    roi = served.instance(root, "area", "roi", BlockSize="8,8,8")
    image = served.instance(root, "gray", "uint8blk", BlockSize="8,8,8", Background="9")
    assert post(served, roi, [[0, 0, 0, 0]]) == 200
    assert served.http.post(f"{image}/raw/0_1_2/16_8_8/0_0_0", content=bytes([1]) * 1024).status_code == 200
    served.commit(root)
    child = served.child(root)
    assert post(served, f"/api/node/{child}/area", [[0, 0, 1, 1]]) == 200
    row = f"/api/node/{child}/gray/raw/0_1_2/16_1_1/0_0_0?roi=area"
    assert served.http.get(row).content == bytes([9]) * 8 + bytes([1]) * 8
    assert served.http.get(f"{row},{root[:9]}").content == bytes([1]) * 8 + bytes([9]) * 8
    for wrong in (f"{row},nowhere", f"{row},{root}:side", row.replace("roi=area", "roi=nothing")):
        assert served.http.get(wrong).status_code == 400


@pytest.mark.parametrize("straight", [True, False])
def test_slices_of_a_mask_that_repeat(served: Served, monkeypatch: pytest.MonkeyPatch, *, straight: bool) -> None:
    roi = served.instance(served.repo(), "area", "roi", BlockSize="32,32,32")
    spans = [[z, y, x, x + z % 2] for z in range(-1, 5) for y in range(9) for x in range(y % 2, 9, 3)]
    assert post(served, roi, spans) == 200
    if not straight:
        monkeypatch.setattr(Straight, "may", lambda *_: False)
    start, size = (-10, 3, 7), (150, 170, 200)
    x, y, z = ((np.arange(s, s + n) // 32).tolist() for s, n in zip(start[::-1], size[::-1], strict=True))
    inside = {(bz, by, bx) for bz, by, first, last in spans for bx in range(first, last + 1)}
    expected = [[[(c, b, a) in inside for a in x] for b in y] for c in z]
    mask = served.http.get(f"{roi}/mask/0_1_2/200_170_150/7_3_-10")
    assert mask.headers["content-length"] == str(200 * 170 * 150)
    assert mask.content == np.array(expected, np.uint8).tobytes()


def test_a_large_mask_is_made_piece_by_piece(served: Served, roi: str) -> None:
    assert post(served, roi, many(3000)) == 200
    repo = next(iter(served.server.datastore.catalogue.repos.values()))
    subject = Roi(served.server.datastore, repo, repo.root, repo.instances["area"], None)
    assert len(subject.region) == 3000
    tracemalloc.start()
    size = sum(map(len, subject.mask(Box((-3, -3, -3), (300, 700, 900)))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 300 * 700 * 900
    assert peak < 12 << 20


def test_all_of_a_region_survives_with_versioned_false(served: Served) -> None:
    root = served.repo()
    roi = served.instance(root, "area", "roi", versioned="false")
    served.commit(root)
    assert post(served, roi, [[0, 0, 0, 0]]) == 200
    assert served.http.get(f"/api/node/{served.child(root)}/area/roi").json() == [[0, 0, 0, 0]]
