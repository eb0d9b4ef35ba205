"""Meshes, skeletons and properties of bodies beside their voxels."""

from __future__ import annotations

import io
import struct
import tarfile
from typing import Any

import numpy as np
import pytest
from label_instances import Segments, volume_with_bodies
from readers import cloud_volume, url_of
from served import Serve

from dvidpy.datatypes.views.precomputed.properties import properties_info
from dvidpy.datatypes.views.precomputed.skeletons import from_swc
from dvidpy.datatypes.views.shapes import workshop
from dvidpy.errors import BadRequest

POINTS = np.array([[0, 0, 0], [64, 0, 0], [0, 64, 0], [0, 0, 64]], "<f4")
FACES = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]], "<u4")
SWC = b"# made up\n1 1 10 20 30 2 -1\n2 0 11 20 30 1 1\n\n3 0 12 21 30 1 2\n"


def ngmesh(shift: float = 0) -> bytes:
    return struct.pack("<I", len(POINTS)) + (POINTS + np.float32(shift)).tobytes() + FACES.tobytes()


@pytest.fixture
def segments(serve: Serve) -> Segments:
    found = Segments(serve(), 64, VoxelSize="8,4,2")
    found.put(volume_with_bodies(1, (64, 64, 64)))
    return found


def keep(segments: Segments, name: str, values: dict[str, bytes]) -> str:
    path = segments.served.instance(segments.root, name)
    for key, value in values.items():
        assert segments.served.http.post(f"{path}/key/{key}", content=value).status_code == 200
    return path


def shown(segments: Segments, file: str = "info") -> Any:
    answer = segments.ask(f"precomputed/{file}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_without_companions_there_are_voxels_alone(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "find_spec", lambda name: None)  # nor are any meshes made
    keep(segments, "seg_annotations", {})  # a keyvalue has no fields of bodies
    assert shown(segments).keys() & {"mesh", "skeletons", "segment_properties"} == set()
    for file in ("mesh/info", "mesh/1:0", "skeletons/info", "skeletons/1", "segment_properties/info"):
        assert segments.status(f"precomputed/{file}") == 404


# ---------------------------------------------------------------------- meshes
def test_meshes_of_bodies(segments: Segments) -> None:
    keep(segments, "seg_meshes", {"1.ngmesh": ngmesh(), "2.ngmesh": b""})
    assert shown(segments)["mesh"] == "mesh"
    assert shown(segments, "mesh/info") == {"@type": "neuroglancer_legacy_mesh"}
    assert shown(segments, "mesh/1:0") == {"fragments": ["1.ngmesh"]}
    assert segments.get("precomputed/mesh/1.ngmesh") == ngmesh()
    for file, status in (("77:0", 404), ("3.ngmesh", 404), ("2.ngmesh", 404), ("x:0", 400), ("-1:0", 400)):
        assert segments.status(f"precomputed/mesh/{file}") == status
        assert segments.status(f"precomputed/mesh/{file}", method="HEAD") == status


def test_meshes_of_supervoxels(segments: Segments) -> None:
    http = segments.served.http
    path = segments.served.instance(segments.root, "seg_meshes", "tarsupervoxels", Extension="ngmesh")
    assert http.post(f"{path}/sync", json={"sync": "seg"}).status_code == 200
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for supervoxel in (1, 2, 4):
            head = tarfile.TarInfo(f"{supervoxel}.ngmesh")
            head.size = len(ngmesh(supervoxel))
            tar.addfile(head, io.BytesIO(ngmesh(supervoxel)))
    assert http.post(f"{path}/load", content=packed.getvalue()).status_code == 200
    first = segments.ask("precomputed/mesh/1:0")
    assert first.json() == {"fragments": ["1.ngmesh"]}
    segments.merge(1, 2, 3)
    again = segments.ask("precomputed/mesh/1:0")
    assert again.json() == {"fragments": ["1.ngmesh", "2.ngmesh"]}
    assert again.headers["etag"] != first.headers["etag"]
    assert segments.get("precomputed/mesh/2.ngmesh") == ngmesh(2)
    assert segments.status("precomputed/mesh/2:0") == 404
    assert segments.status("precomputed/mesh/here.txt") == 404
    segments.served.commit(segments.root)
    assert segments.ask("precomputed/mesh/1:0").headers["cache-control"] == "no-cache", "all versions share the files"


def test_cloud_volume_reads_meshes_and_skeletons(segments: Segments) -> None:
    keep(segments, "seg_meshes", {"1.ngmesh": ngmesh()})
    keep(segments, "seg_skeletons", {"1_swc": SWC})
    volume = cloud_volume(url_of(segments.served, segments.path))
    mesh = volume.mesh.get(1)[1] if isinstance(volume.mesh.get(1), dict) else volume.mesh.get(1)
    assert sorted(map(tuple, mesh.vertices.tolist())) == sorted(map(tuple, POINTS.tolist()))
    assert len(mesh.faces) == len(FACES)
    skeleton = volume.skeleton.get(1)
    assert skeleton.vertices.tolist() == [[80, 80, 60], [88, 80, 60], [96, 84, 60]]
    assert sorted(map(sorted, skeleton.edges.tolist())) == [[0, 1], [1, 2]]
    assert skeleton.radius.tolist() == [16, 8, 8]


# ---------------------------------------------------------------------- skeletons
def test_skeletons_are_of_their_version(segments: Segments) -> None:
    path = keep(segments, "skels", {"1_swc": SWC, "2_swc": b"1 2 three"})
    assert segments.ask("tags", b'{"skeletons": "skels"}', "POST").status_code == 200
    assert shown(segments)["skeletons"] == "skeletons"
    assert shown(segments, "skeletons/info")["@type"] == "neuroglancer_skeletons"
    first = segments.ask("precomputed/skeletons/1")
    assert first.content == from_swc(SWC, [8, 4, 2])
    for file, status in (("2", 400), ("3", 404), ("one", 400)):
        assert segments.status(f"precomputed/skeletons/{file}") == status
    segments.served.commit(segments.root)
    child = segments.served.child(segments.root)
    segments.served.http.post(f"{path.replace(segments.root, child)}/key/1_swc", content=b"1 0 0 0 0 1 -1")
    newer = segments.served.http.get(f"/api/node/{child}/seg/precomputed/skeletons/1").content
    assert newer == from_swc(b"1 0 0 0 0 1 -1", [8, 4, 2])
    assert segments.get("precomputed/skeletons/1") == first.content
    changed = segments.served.http.post(f"/api/node/{child}/seg/resolution", json=[1, 1, 1])
    assert changed.status_code == 200
    again = segments.ask("precomputed/skeletons/1")
    assert again.content == from_swc(SWC, [1, 1, 1])
    assert again.headers["etag"] != first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache", "the size of voxels is that of all versions"


@pytest.mark.parametrize("text", [b"1 1 2", b"1 0 0 0 0 1 -1\nx 0 0 0 0 1 1", b"1 0 nan 0 0 1 -1", b"1 0 inf 0 0 1 -1"])
def test_what_is_no_swc_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest, match="no SWC"):
        from_swc(text, [8, 8, 8])


def test_swc_of_any_order_and_several_roots() -> None:
    found = from_swc(b"7 0 1 0 0 1 9\n9 0 2 0 0 1 -1\n20 0 3 0 0 1 8\n", [1, 1, 1])
    assert struct.unpack("<2I", found[:8]) == (3, 1)
    assert np.frombuffer(found, "<u4", 2, 8 + 36).tolist() == [0, 1]
    assert from_swc(b"# nothing\n", [1, 1, 1]) == bytes(8)


# ---------------------------------------------------------------------- properties
class Kept:
    def __init__(self, rows: dict[int, dict[str, Any]]) -> None:
        self.rows = rows

    def notes(self) -> Any:
        return iter(self.rows.items())


def properties_of(rows: dict[int, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    inline = properties_info(Kept(rows))["inline"]
    assert inline["ids"] == list(map(str, rows))
    assert len({one["id"] for one in inline["properties"]}) == len(inline["properties"])
    return {one["id"]: one for one in inline["properties"]}


def test_fields_become_properties() -> None:
    found = properties_of(
        {
            1: {"bodyid": 1, "type": "KC", "size": 5, "depth": 0.5, "soma": True, "tags": ["Big One", "#new"], "x": {}},
            (1 << 63) + 1: {
                "instance": "MBON_L",
                "type": "MBON",
                "size": -7,
                "depth": 2,
                "tags": ["NEW"],
                "big": 1 << 40,
            },
            3: {"size": 0, "depth": 1e9, "note": ""},
        }
    )
    assert found.keys() == {"label", "type", "instance", "size", "depth", "soma", "tags_", "big"}
    assert found["label"] == {"id": "label", "type": "label", "values": ["KC", "MBON_L", ""]}
    assert found["size"] == {"id": "size", "type": "number", "data_type": "int32", "values": [5, -7, 0]}
    assert found["depth"] == {"id": "depth", "type": "number", "data_type": "float32", "values": [0.5, 2, 1e9]}
    assert found["soma"]["values"] == ["true", "", ""]
    assert found["big"]["values"] == ["", str(1 << 40), ""]
    assert found["tags_"] == {
        "id": "tags_",
        "type": "tags",
        "tags": ["big_one", "new"],
        "values": [[0, 1], [1], []],
    }


def test_names_are_made_free_and_nothing_is_nothing() -> None:
    assert properties_of({}) == {}
    assert properties_of({1: {"label": "a", "name": "b", "w": 1e300}}).keys() == {"label", "label_", "name", "w"}
    assert properties_of({1: {"w": 1e300}})["w"]["values"] == ["1e+300"]


def test_properties_follow_the_table(segments: Segments) -> None:
    served = segments.served
    path = served.instance(segments.root, "seg_annotations", "neuronjson")
    post = {"u": "ann"}
    assert served.http.post(f"{path}/key/1", json={"bodyid": 1, "type": "KC"}, params=post).status_code == 200
    assert shown(segments)["segment_properties"] == "segment_properties"
    first = segments.ask("precomputed/segment_properties/info")
    assert first.json()["inline"] == {
        "ids": ["1"],
        "properties": [
            {"id": "label", "type": "label", "values": ["KC"]},
            {"id": "type", "type": "string", "values": ["KC"]},
        ],
    }
    assert served.http.get(f"{path}/precomputed/info").json() == first.json()
    assert served.http.get(f"{path}/precomputed/other").status_code == 404
    again = {"if-none-match": first.headers["etag"]}
    where = f"{segments.path}/precomputed/segment_properties/info"
    assert served.http.get(where, headers=again).status_code == 304
    assert served.http.post(f"{path}/key/2", json={"bodyid": 2, "type": "MBON"}, params=post).status_code == 200
    assert served.http.get(where, headers=again).json()["inline"]["ids"] == ["1", "2"]
