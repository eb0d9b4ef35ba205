"""Meshes and skeletons that are made of voxels on request."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy as np
import pytest
from label_instances import Segments
from readers import cloud_volume, reader, url_of
from served import Serve

from dvidpy.datatypes.views.precomputed.skeletons import from_swc
from dvidpy.datatypes.views.shapes import files, solids, workshop
from dvidpy.datatypes.views.shapes.making import HEAD, Order

MISSING = [name for name in ("zmesh", "kimimaro", "DracoPy") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)} of dvidpy[meshes]: make install")
BOX, ROD, OTHER, FAR = 1, 2, 3, (1 << 60) + 7


@pytest.fixture
def segments(serve: Serve) -> Segments:
    """A box, two rods one behind the other, and a label beyond 2^53, in voxels of 8 x 4 x 2 nm."""
    found = Segments(serve(), 32, levels=1, VoxelSize="8,4,2")
    volume = np.zeros((32, 64, 96), np.uint64)
    volume[8:24, 8:40, 40:48] = BOX
    volume[20:26, 50:56, 4:40] = ROD
    volume[20:26, 50:56, 40:90] = OTHER
    volume[0:4, 0:8, 0:8] = FAR
    found.put(volume, (32, -64, 0))
    found.settle()
    return found


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "KEPT", files.Kept())


def parse(mesh: bytes) -> tuple[Any, Any]:
    """(n, 3) points, (m, 3) triangles."""
    count = struct.unpack("<I", mesh[:4])[0]
    return np.frombuffer(mesh, "<f4", 3 * count, 4).reshape(-1, 3), np.frombuffer(mesh, "<u4", offset=4 + 12 * count)


def volume_of(points: Any, triangles: Any) -> float:
    """Of a closed surface; negative where it is inside out."""
    a, b, c = (points[triangles.reshape(-1, 3)[:, corner]].astype(float) for corner in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def closed(triangles: Any) -> bool:
    """Each edge belongs to two triangles, once in each direction."""
    edges = np.concatenate([triangles.reshape(-1, 3)[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    there = {*map(tuple, edges.tolist())}
    return len(there) == len(edges) and all((b, a) in there for a, b in there)


def test_a_mesh_lies_where_the_voxels_are(segments: Segments) -> None:
    points, triangles = parse(segments.get(f"mesh/{BOX}", scale=0))
    size = np.array([8, 4, 2])
    assert np.abs(points.min(axis=0) - [40, -56, 40] * size).max() <= 8
    assert np.abs(points.max(axis=0) - [48, -24, 56] * size).max() <= 8
    assert volume_of(points, triangles) == pytest.approx(8 * 32 * 16 * 64, rel=0.1)
    assert closed(triangles)


def test_coarser_scales_have_the_same_place(segments: Segments) -> None:
    points, _ = parse(segments.get(f"mesh/{BOX}", scale=1))
    size = np.array([8, 4, 2])
    assert np.abs(points.min(axis=0) - [40, -56, 40] * size).max() <= 16
    assert np.abs(points.max(axis=0) - [48, -24, 56] * size).max() <= 16


def test_all_formats_have_the_same_points(segments: Segments) -> None:
    points, triangles = parse(segments.get(f"mesh/{FAR}"))
    lines = segments.get(f"mesh/{FAR}", format="obj").decode().splitlines()
    text = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    assert np.allclose(text, points, atol=1e-2)
    faces = np.array([line.split()[1:] for line in lines if line.startswith("f ")], int)
    assert np.array_equal(faces.ravel() - 1, triangles)
    import DracoPy

    packed = DracoPy.decode(segments.get(f"mesh/{FAR}", format="draco"))
    assert len(packed.faces) == len(triangles) // 3
    assert np.allclose(packed.points.min(axis=0), points.min(axis=0), atol=0.1)


def test_a_skeleton_runs_along_the_middle(segments: Segments) -> None:
    body = segments.get(f"skeleton/{OTHER}")
    count, joined = struct.unpack("<2I", body[:8])
    points = np.frombuffer(body, "<f4", 3 * count, 8).reshape(-1, 3) / [8, 4, 2]
    assert joined == count - 1
    assert np.abs(points[:, 1] - (53 - 64)).max() <= 3
    assert np.abs(points[:, 2] - (23 + 32)).max() <= 3
    assert points[:, 0].min() < 44
    assert points[:, 0].max() > 86
    swc = segments.get(f"skeleton/{OTHER}", format="swc")
    again = from_swc(swc, [8, 4, 2])
    assert struct.unpack("<2I", again[:8]) == (count, joined)
    assert np.allclose(
        np.sort(np.frombuffer(again, "<f4", 3 * count, 8)),
        np.sort(points.ravel() * np.tile([8, 4, 2], count)),
        atol=0.1,
    )


def test_a_body_that_did_not_change_is_not_made_again(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    first = segments.ask(f"mesh/{BOX}")
    rod = segments.ask(f"mesh/{ROD}")
    made: list[str] = []
    real = workshop.WORKSHOP.make

    def make(order: Order) -> dict[str, Any]:
        made.append(order.what)
        return real(order)

    monkeypatch.setattr(workshop.WORKSHOP, "make", make)
    assert segments.ask(f"mesh/{BOX}", method="HEAD").headers["etag"] == first.headers["etag"]
    segments.merge(ROD, OTHER)
    again = segments.served.http.get(f"{segments.path}/mesh/{BOX}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (200, first.content)
    assert made == []
    merged = segments.ask(f"mesh/{ROD}")
    assert made == ["mesh"]
    assert merged.headers["etag"] != rod.headers["etag"]
    points, triangles = parse(merged.content)
    assert volume_of(points, triangles) == pytest.approx(86 * 36 * 64, rel=0.1)
    assert segments.status(f"mesh/{OTHER}") == 404


def test_voxels_of_other_size_make_another_mesh(segments: Segments) -> None:
    first = segments.ask(f"mesh/{BOX}")
    segments.ask("resolution", b"[16, 8, 4]", "POST")
    again = segments.served.http.get(f"{segments.path}/mesh/{BOX}", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 200
    assert np.allclose(parse(again.content)[0].max(axis=0), 2 * parse(first.content)[0].max(axis=0), atol=16)


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("mesh/77", 404),
        ("mesh/0", 404),
        ("mesh/x", 400),
        ("mesh/-1", 400),
        ("mesh/1?format=stl", 400),
        ("mesh/1?scale=2", 400),
        ("mesh/1?scale=-1", 400),
        ("mesh", 400),
        ("skeleton/77", 404),
        ("skeleton/1?format=obj", 400),
        ("skeleton/1?scale=two", 400),
        ("skeleton/info", 200),
    ],
)
def test_what_makes_no_sense_is_refused(segments: Segments, what: str, status: int) -> None:
    for method in ("GET", "HEAD"):
        assert segments.status(what, method=method) == status


# ---------------------------------------------------------------------- bounds
def test_a_body_that_is_too_large_is_taken_at_a_coarser_scale(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine, coarse = (segments.get(f"mesh/{BOX}", scale=scale) for scale in range(2))
    assert segments.get(f"mesh/{BOX}") == fine
    monkeypatch.setattr(solids, "COMFORT", 1000)
    assert segments.get(f"mesh/{BOX}") == fine, "it is kept"
    monkeypatch.setattr(files, "KEPT", files.Kept())
    assert segments.get(f"mesh/{BOX}") == coarse
    monkeypatch.setattr(solids, "MOST", 1000)
    refused = segments.ask(f"mesh/{BOX}", scale=0)
    assert refused.status_code == 413
    assert "4096 voxels" in refused.text
    assert "at scale 0" in refused.text
    monkeypatch.setattr(solids, "MOST", 10)
    monkeypatch.setattr(files, "KEPT", files.Kept())
    assert segments.status(f"mesh/{BOX}") == 413


def test_what_takes_too_long_is_ended(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "PATIENCE_S", 0.0)
    refused = segments.ask(f"mesh/{BOX}")
    assert refused.status_code == 413
    assert "coarser scale" in refused.text
    monkeypatch.setattr(workshop, "PATIENCE_S", 60.0)
    assert segments.status(f"mesh/{BOX}") == 200


def test_an_order_has_so_much_of_a_processor_and_no_more() -> None:
    order = msgspec.msgpack.encode(Order("mesh", (1, 1, 1), b"\0", (0, 0, 0), (1, 1, 1)))
    program = """
from itertools import count
from dvidpy.datatypes.views.shapes import making
making.SECONDS = 0
making.MAKERS["mesh"] = lambda order: sum(count())
making.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=HEAD.pack(len(order)) + order,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGXCPU, b"")


def test_too_many_that_wait_are_refused(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "WAITING", 0)
    refused = segments.ask(f"mesh/{BOX}")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"


def test_without_the_libraries_it_says_so(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "find_spec", lambda name: None)
    for what in (f"mesh/{BOX}", f"skeleton/{BOX}"):
        refused = segments.ask(what)
        assert refused.status_code == 404
        assert "dvidpy[meshes]" in refused.text
    assert "mesh" not in segments.ask("precomputed/info").json()
    assert segments.status("precomputed/mesh/info") == 404
    assert segments.status(f"precomputed/mesh/{BOX}:0") == 404


def test_files_that_nobody_asks_for_are_forgotten() -> None:
    kept = files.Kept(room=1000)
    for number in range(5):
        kept.keep((number,), b"%d" % number, {"file": bytes(300)})
    assert [kept.find((number,)) is not None for number in range(5)] == [False, False, False, True, True]


# ---------------------------------------------------------------------- as precomputed://
def test_a_fresh_segmentation_has_meshes(segments: Segments) -> None:
    assert segments.ask("precomputed/info").json()["mesh"] == "mesh"
    volume = cloud_volume(url_of(segments.served, segments.path))
    found = volume.mesh.get(BOX)
    mesh = found[BOX] if isinstance(found, dict) else found
    points, triangles = parse(segments.get(f"mesh/{BOX}"))
    assert np.allclose(mesh.vertices[np.lexsort(mesh.vertices.T)], points[np.lexsort(points.T)])
    assert mesh.faces.size == triangles.size


def test_meshes_that_are_kept_go_first(segments: Segments) -> None:
    path = segments.served.instance(segments.root, "seg_meshes")
    assert segments.served.http.post(f"{path}/key/{BOX}.ngmesh", content=b"triangles").status_code == 200
    assert segments.ask(f"precomputed/mesh/{BOX}:0").json() == {"fragments": [f"{BOX}.ngmesh"]}
    assert segments.ask(f"precomputed/mesh/{ROD}:0").json() == {"fragments": [f"{ROD}.made"]}
    assert segments.get(f"precomputed/mesh/{ROD}.made") == segments.get(f"mesh/{ROD}")
    assert segments.status("precomputed/mesh/77:0") == 404


def test_cloud_volume_reads_skeletons(segments: Segments) -> None:
    body = segments.get(f"skeleton/{ROD}")
    skeleton = reader("cloudvolume").Skeleton.from_precomputed(
        body, vertex_attributes=[{"id": "radius", "data_type": "float32", "num_components": 1}]
    )
    assert len(skeleton.vertices) == struct.unpack("<I", body[:4])[0]
