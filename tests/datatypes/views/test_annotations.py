"""Elements as a precomputed annotation collection."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from label_instances import Segments
from readers import cloud_annotations, url_of
from served import Serve, Served

from dvidpy.datatypes.events import KINDS
from dvidpy.datatypes.views.precomputed import annotations as collection

Element = dict[str, Any]
ROW = np.dtype([("at", "<f4", 3), ("kind", "u1"), ("padding", "u1", 3)])


def element(x: int, y: int, z: int, kind: str = "PreSyn") -> Element:
    return {"Pos": [x, y, z], "Kind": kind, "Tags": ["t"], "Prop": {"p": "q"}, "Rels": []}


def post(served: Served, path: str, *elements: Element) -> None:
    answer = served.http.post(f"{path}/elements", json=elements)
    assert answer.status_code == 200, answer.text


def points_of(body: bytes) -> dict[int, tuple[tuple[int, ...], str]]:
    """Number -> (x y z, kind) of an encoded list."""
    count = struct.unpack("<Q", body[:8])[0]
    rows, numbers = np.frombuffer(body, ROW, count, 8), np.frombuffer(body, "<u8", count, 8 + count * ROW.itemsize)
    assert len(body) == 8 + count * (ROW.itemsize + 8)
    assert len(set(numbers.tolist())) == count
    return {
        number: (tuple(map(int, at)), KINDS[kind])
        for number, at, kind in zip(numbers.tolist(), rows["at"].tolist(), rows["kind"].tolist(), strict=True)
    }


def info_of(served: Served, path: str) -> dict[str, Any]:
    found: dict[str, Any] = served.http.get(f"{path}/precomputed/info").json()
    return found


def cells(served: Served, path: str, info: dict[str, Any]) -> list[dict[int, tuple[tuple[int, ...], str]]]:
    """Points of each level, cell by cell."""
    levels = []
    for level in info["spatial"]:
        found: dict[int, tuple[tuple[int, ...], str]] = {}
        for cell in np.ndindex(*level["grid_shape"]):
            body = served.http.get(f"{path}/precomputed/{level['key']}/{'_'.join(map(str, cell))}").content
            points = points_of(body)
            for at, _ in points.values():
                low = [a + i * side for a, i, side in zip(info["lower_bound"], cell, level["chunk_size"], strict=True)]
                assert all(a <= v < a + side for a, v, side in zip(low, at, level["chunk_size"], strict=True))
            assert not found.keys() & points.keys()
            found |= points
        levels.append(found)
    return levels


@pytest.fixture
def path(served: Served) -> str:
    return served.instance(served.repo(), "synapses", "annotation")


def test_elements_are_points(served: Served, path: str) -> None:
    there = [element(10, 20, 30), element(-5, 900, 64, "PostSyn"), element(300, 300, 300, "Note")]
    post(served, path, *there)
    info = info_of(served, path)
    assert info["@type"] == "neuroglancer_annotations_v1"
    assert info["dimensions"] == {axis: [pytest.approx(8e-9), "m"] for axis in "xyz"}
    assert info["relationships"] == []
    assert info["lower_bound"] == [-64, 0, 0]
    assert all(high >= low for high, low in zip(info["upper_bound"], [384, 960, 320], strict=True))
    (level,) = cells(served, path, info)
    assert sorted(level.values()) == sorted((tuple(one["Pos"]), one["Kind"]) for one in there)
    for number, (at, kind) in level.items():
        single = served.http.get(f"{path}/precomputed/by_id/{number}").content
        row = np.frombuffer(single, ROW)[0]
        assert (tuple(map(int, row["at"])), KINDS[row["kind"]]) == (at, kind)


def test_without_elements_there_is_an_empty_collection(served: Served, path: str) -> None:
    info = info_of(served, path)
    assert cells(served, path, info) == [{}]
    assert served.http.get(f"{path}/precomputed/by_id/0").status_code == 404


def test_every_point_belongs_to_one_level(served: Served, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "FEW", 2)
    places = np.unique(np.random.default_rng(1).integers(-200, 500, (1500, 3)), axis=0)
    post(served, path, *(element(x, y, z) for x, y, z in places.tolist()))
    info = info_of(served, path)
    levels = cells(served, path, info)
    assert len(levels) > 2
    for coarse, fine in zip(info["spatial"], info["spatial"][1:], strict=False):
        assert [2 * side for side in fine["chunk_size"]] == coarse["chunk_size"]
        assert [2 * count for count in coarse["grid_shape"]] == fine["grid_shape"]
    together: dict[int, Any] = {}
    for level in levels:
        assert not together.keys() & level.keys()
        together |= level
    assert sorted(at for at, _ in together.values()) == sorted(map(tuple, places.tolist()))
    assert 0 < len(levels[-2]) < len(levels[-1])


def test_the_body_is_a_relationship(serve: Serve) -> None:
    segments = Segments(serve(), 64, VoxelSize="4,4,40")
    served = segments.served
    volume = np.ones((64, 64, 64), np.uint64)
    volume[:, :, 32:] = 2
    volume[0] = 0
    segments.put(volume)
    path = served.instance(segments.root, "seg_annotations", "annotation")
    assert served.http.post(f"{path}/sync", json={"sync": "seg"}).status_code == 200
    post(served, path, element(1, 1, 1), element(40, 1, 1, "PostSyn"), element(5, 5, 0))
    info = info_of(served, path)
    assert info["relationships"] == [{"id": "body", "key": "body"}]
    assert info["dimensions"]["z"] == [pytest.approx(40e-9), "m"]
    assert [*points_of(served.http.get(f"{path}/precomputed/body/2").content).values()] == [((40, 1, 1), "PostSyn")]
    assert points_of(served.http.get(f"{path}/precomputed/body/77").content) == {}
    (level,) = cells(served, path, info)
    related = {}
    tags = {}
    for number, (at, _) in level.items():
        answer = served.http.get(f"{path}/precomputed/by_id/{number}")
        count = struct.unpack("<I", answer.content[16:20])[0]
        related[at] = struct.unpack(f"<{count}Q", answer.content[20:])
        tags[at] = number, answer.headers["etag"]
    assert related == {(1, 1, 1): (1,), (40, 1, 1): (2,), (5, 5, 0): ()}
    segments.merge(1, 2)
    number, tag = tags[40, 1, 1]
    again = served.http.get(f"{path}/precomputed/by_id/{number}", headers={"if-none-match": tag})
    assert (again.status_code, again.content[20:]) == (200, struct.pack("<Q", 1))


def test_the_list_of_a_body_follows_a_merge(serve: Serve) -> None:
    segments = Segments(serve(), 64)
    served = segments.served
    volume = np.ones((64, 64, 64), np.uint64)
    volume[:, :, 32:] = 2
    segments.put(volume)
    path = served.instance(segments.root, "synapses", "annotation")
    assert served.http.post(f"{path}/sync", json={"sync": "seg"}).status_code == 200
    post(served, path, element(1, 1, 1), element(40, 1, 1))
    first = served.http.get(f"{path}/precomputed/body/1")
    assert segments.status("merge", b"[1, 2]", "POST") == 200
    assert served.http.get(f"{path}/info", params={"wait": "true"}).status_code == 200
    again = served.http.get(f"{path}/precomputed/body/1", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 200
    assert sorted(at for at, _ in points_of(again.content).values()) == [(1, 1, 1), (40, 1, 1)]


def test_every_version_has_its_own(served: Served, path: str) -> None:
    post(served, path, element(1, 2, 3))
    root = path.split("/")[3]
    served.commit(root)
    below = path.replace(root, served.child(root))
    post(served, below, element(7, 8, 9))
    for where, expected in ((path, [(1, 2, 3)]), (below, [(1, 2, 3), (7, 8, 9)])):
        (level,) = cells(served, where, info_of(served, where))
        assert sorted(at for at, _ in level.values()) == expected
    key = info_of(served, path)["spatial"][0]["key"]
    assert "immutable" in served.http.get(f"{path}/precomputed/{key}/0_0_0").headers["cache-control"]
    assert served.http.get(f"{below}/precomputed/{key}/0_0_0").headers["cache-control"] == "no-cache"


def test_what_numbers_cannot_say_is_left_out(served: Served, path: str) -> None:
    low, high = collection.LOWEST, collection.HIGHEST
    ends = [(low, low, low), (high, high, high), (low, 0, high)]
    post(served, path, *(element(*at) for at in ends), element(high + 1, 0, 0), element(0, 0, low - 1))
    level = info_of(served, path)["spatial"][0]
    found: dict[int, Any] = {}
    for cell in np.ndindex(*level["grid_shape"]):
        found |= points_of(served.http.get(f"{path}/precomputed/{level['key']}/{'_'.join(map(str, cell))}").content)
    assert sorted(at for at, _ in found.values()) == sorted(ends)
    assert all(served.http.get(f"{path}/precomputed/by_id/{number}").status_code == 200 for number in found)


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("spatial/0_0_0/64-0-1/0_0_0", 200),
        ("spatial/0_0_0/64-0-1/2147483647_0_0", 200),
        ("spatial/2147483647_0_0/64-0-1/0_0_0", 200),
        ("spatial/0_0_0/64-0-1/-1_0_0", 400),
        ("spatial/0_0_0/0-0-1/0_0_0", 400),
        ("spatial/0_0_0/64-1-1/0_0_0", 400),
        ("spatial/0_0_0/64-0-9/0_0_0", 400),
        ("spatial/0_0_0/64/0_0_0", 400),
        ("spatial/0_0/64-0-1/0_0_0", 400),
        ("spatial/0_0_0/64-0-1", 404),
        ("body/-1", 400),
        ("body/18446744073709551616", 400),
        ("by_id/18446744073709551615", 404),
        ("by_id/x", 400),
        ("by_id", 404),
        ("provenance", 404),
    ],
)
def test_what_is_not_there_is_refused(served: Served, path: str, file: str, status: int) -> None:
    for method in ("GET", "HEAD"):
        assert served.http.request(method, f"{path}/precomputed/{file}").status_code == status


def test_cloud_volume_reads_them(serve: Serve) -> None:
    segments = Segments(serve(), 64)
    served = segments.served
    segments.put(np.full((64, 64, 64), 5, np.uint64))
    path = served.instance(segments.root, "synapses", "annotation")
    assert served.http.post(f"{path}/sync", json={"sync": "seg"}).status_code == 200
    there = [element(1, 2, 3), element(40, 50, 60, "PostSyn"), element(400, 50, 60)]
    post(served, path, *there)
    source = cloud_annotations(url_of(served, path))
    found = source.get_all()
    assert sorted(map(tuple, found.geometry.tolist())) == sorted(tuple(one["Pos"]) for one in there)
    names = found.properties_enum["kind"]
    assert sorted(names[kind] for kind in found.properties["kind"].tolist()) == ["PostSyn", "PreSyn", "PreSyn"]
    of_body = source.get_by_relationship("body", 5)
    assert sorted(map(tuple, of_body.geometry.tolist())) == [(1, 2, 3), (40, 50, 60)]
