"""What dvid_tools asks for, in the order of its own tests, of the neurons that these want."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from clients import neurons
from clients.neurons import BODIES, SIDE, START
from served import Served, on_memory, running

CALLER = {"u": "dvid_tools_CI", "app": "dvidtools"}
BODY = BODIES[0]


class Node:
    """The node of the neurons, asked as dvid_tools does: name of user and program in every query."""

    def __init__(self, served: Served) -> None:
        self.http = served.http
        self.root = neurons.make(served.http)

    def ask(self, path: str, method: str = "GET", json: Any = None, **query: Any) -> httpx.Response:
        """Also a GET with a body."""
        return self.http.request(method, f"/api/node/{self.root}/{path}", params={**CALLER, **query}, json=json)

    def get(self, path: str, json: Any = None, **query: Any) -> httpx.Response:
        answer = self.ask(path, json=json, **query)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """Tests read it alone."""
    with running(on_memory(admin_token="")) as served:
        yield Node(served)


def runs(body: bytes) -> list[tuple[int, ...]]:
    """x, y, z, length of a sparse volume, whose head has 12 bytes and their number."""
    assert np.frombuffer(body[8:12], "<i4")[0] == (len(body) - 12) // 16
    return [tuple(map(int, run)) for run in np.frombuffer(body[12:], "<i4").reshape(-1, 4)]


def test_meshes_and_skeletons(node: Node) -> None:
    for place, body in enumerate(BODIES):
        assert node.get(f"segmentation_meshes/key/{body}.ngmesh").content == neurons.mesh(place)
        assert node.get(f"segmentation_meshes_mutid/key/{body}").json() == 1
        assert node.get(f"segmentation_skeletons/key/{body}_swc").content == neurons.skeleton(place)
    for name, status in [(f"{BODY}.ngmesh", 200), ("123.ngmesh", 404)]:
        assert node.ask(f"segmentation_meshes/key/{name}", "HEAD").status_code == status


def test_annotations(node: Node) -> None:
    assert node.get(f"segmentation_annotations/key/{BODY}").json() == {"bodyid": BODY, "status": "Traced"}


def test_bodies_at_points_and_their_sizes(node: Node) -> None:
    points = [[16384, 15079, 10804], [START[0] + SIDE, START[1], START[2]], [0, 0, 0]]
    assert node.get("segmentation/labels", json=points).json() == [BODIES[0], BODIES[1], 0]
    assert node.get("segmentation/sizes", json=[*BODIES, 123]).json() == [SIDE**3] * 3 + [0]


def test_regions(node: Node) -> None:
    assert node.get("rois/keys").json() == [neurons.ROI]
    link = node.get(f"rois/key/{neurons.ROI}").json()["->"]["key"]
    assert node.get(f"roi_data/key/{link}").content == neurons.TETRAHEDRON
    assert node.get(f"{neurons.ROI}/roi").json() == neurons.SPANS


def test_sparse_volumes(node: Node) -> None:
    low, high = list(START), [at + SIDE - 1 for at in START]
    size = node.get(f"segmentation/sparsevol-size/{BODY}").json()
    assert (size["voxels"], size["numblocks"], size["minvoxel"], size["maxvoxel"]) == (SIDE**3, 1, low, high)
    coarse = node.get(f"segmentation/sparsevol-coarse/{BODY}").content
    assert runs(coarse) == [(*(at // SIDE for at in START), 1)]
    sixteenth = runs(node.get(f"segmentation/sparsevol/{BODY}", scale=4).content)
    x, y, z = (at // 16 for at in START)
    assert sorted(sixteenth) == sorted((x, y + dy, z + dz, 4) for dy in range(4) for dz in range(4))


@pytest.mark.parametrize(("body", "status"), [(BODY, 200), (123, 204)])
def test_whether_a_body_has_voxels(node: Node, body: int, status: int) -> None:
    assert node.ask(f"segmentation/sparsevol/{body}", "HEAD").status_code == status


def test_what_is_known_of_the_segmentation(node: Node) -> None:
    extended = node.get("segmentation/info").json()["Extended"]
    assert (extended["BlockSize"], extended["VoxelSize"], extended["MaxDownresLevel"]) == ([64] * 3, [8] * 3, 5)
    last = node.get(f"segmentation/lastmod/{BODY}").json()
    assert set(last) == {"mutation id", "last mod user", "last mod app", "last mod time"}


def test_synapses_and_their_numbers(node: Node) -> None:
    counts = [node.get(f"synapses_labelsz/count/{BODY}/{kind}", wait=True).json() for kind in ("PreSyn", "PostSyn")]
    assert [count["PreSyn" if place == 0 else "PostSyn"] for place, count in enumerate(counts)] == [1, 1]
    found = node.get(f"synapses/label/{BODY}", relationships="true").json()
    expected = [one for one in neurons.synapses() if START[0] <= one["Pos"][0] < START[0] + SIDE]
    assert sorted(found, key=lambda one: one["Pos"]) == sorted(expected, key=lambda one: one["Pos"])
    plain = node.get(f"synapses/label/{BODY}", relationships="false").json()
    assert sorted(one["Pos"] for one in plain) == sorted(one["Pos"] for one in expected)
    assert all("Rels" not in one for one in plain)


def test_connections_are_found_by_the_bodies_at_the_other_ends(node: Node) -> None:
    found = {}
    for body in BODIES:
        elements = node.get(f"synapses/label/{body}", relationships="true").json()
        ends = [relation["To"] for one in elements if one["Kind"] == "PreSyn" for relation in one["Rels"]]
        found[body] = node.get("segmentation/labels", json=ends).json()
    assert found == {BODIES[one]: [BODIES[other] for other in others] for one, others in neurons.TBARS.items()}


def test_projects_and_their_newest_version(node: Node) -> None:
    projects = node.http.get("/api/repos/info", params=CALLER).json()
    (root,) = (project["Root"] for project in projects.values())
    assert root == node.root
    assert node.http.get(f"/api/repo/{root}/branch-versions/master", params=CALLER).json() == [root]
