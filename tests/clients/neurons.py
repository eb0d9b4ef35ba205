"""A repo with the bodies, instances and keys that dvid_tools' own tests ask for: three neurons, seen from all sides.

`python tests/clients/neurons.py http://127.0.0.1:8000` makes it on a running server and prints its node, which that
suite wants as DVID_TEST_NODE.
"""

from __future__ import annotations

import struct
import sys
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

BODIES = (722817260, 754534424, 754538881)
SIDE = 64
"""Each body is a whole block, the next one right of it along x."""
START = (16384, 15040, 10752)
"""x, y, z of the first voxel; in the first body lies 16384, 15079, 10804."""
NANOMETRES = 8
LEVELS = 5
TBARS = {0: (1, 2), 1: (2,), 2: (0,)}
"""Which bodies each one speaks to, by their place in BODIES: all have synapses of both kinds."""
ROI = "LH"
TETRAHEDRON = b"v 0 0 0\nv 8 0 0\nv 0 8 0\nv 0 0 8\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
"""The region's surface, as OBJ."""
SPANS = [[z, 470, 512, 517] for z in (336, 337)]
"""Its blocks of 32 voxels: z, y, x of the first and of the last. They lie in the three bodies."""

Element = dict[str, Any]


def make(http: httpx.Client) -> str:
    """Make it all; the uuid of its node."""
    root = str(_post(http, "/api/repos", json={"alias": "neurons"}).json()["root"])
    node = f"/api/node/{root}"
    _instances(http, root)
    box = f"{len(BODIES) * SIDE}_{SIDE}_{SIDE}/{'_'.join(map(str, START))}"
    _post(http, f"{node}/segmentation/raw/0_1_2/{box}", content=_voxels().tobytes())
    _post(http, f"{node}/synapses/elements", json=synapses())
    for place, body in enumerate(BODIES):
        _post(http, f"{node}/segmentation_annotations/key/{body}", json={"bodyid": body, "status": "Traced"})
        _post(http, f"{node}/segmentation_meshes/key/{body}.ngmesh", content=mesh(place))
        _post(http, f"{node}/segmentation_meshes_mutid/key/{body}", json=1)
        _post(http, f"{node}/segmentation_skeletons/key/{body}_swc", content=skeleton(place))
    _post(http, f"{node}/rois/key/{ROI}", json={"->": {"key": f"{ROI}.obj"}})
    _post(http, f"{node}/roi_data/key/{ROI}.obj", content=TETRAHEDRON)
    _post(http, f"{node}/{ROI}/roi", json=SPANS)
    return root


def centre(place: int) -> list[int]:
    """x, y, z in the middle of a body."""
    return [START[0] + place * SIDE + SIDE // 2, START[1] + SIDE // 2, START[2] + SIDE // 2]


def synapses() -> list[Element]:
    """A T-bar in each body, and where it speaks to others a density in these."""
    tbars = {place: _beside(place, 0) for place in TBARS}
    elements = []
    for place, partners in TBARS.items():
        densities = [_beside(partner, place + 1) for partner in partners]
        elements.append(_element("PreSyn", tbars[place], "PreSynTo", densities))
        elements += [_element("PostSyn", density, "PostSynTo", [tbars[place]]) for density in densities]
    return elements


def mesh(place: int) -> bytes:
    """A body's tetrahedron: number of vertices, their x, y, z in nanometres, three of them a face."""
    x, y, z = (at * NANOMETRES for at in centre(place))
    corners = np.array([(x, y, z), (x + 80, y, z), (x, y + 80, z), (x, y, z + 80)], "<f4")
    faces = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)], "<u4")
    return struct.pack("<I", len(corners)) + corners.tobytes() + faces.tobytes()


def skeleton(place: int) -> bytes:
    """A body's SWC of two nodes, in voxels, whose head names the mutation it was made of."""
    x, y, z = centre(place)
    return f'# {{"mutation id": {place + 1}}}\n1 0 {x} {y} {z} 4 -1\n2 0 {x} {y} {z + 9} 4 1\n'.encode()


def _instances(http: httpx.Client, root: str) -> None:
    blocks = {"BlockSize": f"{SIDE},{SIDE},{SIDE}", "VoxelSize": ",".join([str(NANOMETRES)] * 3)}
    _new(http, root, "labelmap", "segmentation", MaxDownresLevel=str(LEVELS), **blocks)
    _new(http, root, "neuronjson", "segmentation_annotations")
    for name in ("segmentation_meshes", "segmentation_meshes_mutid", "segmentation_skeletons", "rois", "roi_data"):
        _new(http, root, "keyvalue", name)
    _new(http, root, "roi", ROI)
    _new(http, root, "annotation", "synapses")
    _new(http, root, "labelsz", "synapses_labelsz")
    _post(http, f"/api/node/{root}/synapses/sync", json={"sync": "segmentation"})
    _post(http, f"/api/node/{root}/synapses_labelsz/sync", json={"sync": "synapses"})


def _new(http: httpx.Client, root: str, typename: str, name: str, **settings: str) -> None:
    _post(http, f"/api/repo/{root}/instance", json={"typename": typename, "dataname": name, **settings})


def _post(http: httpx.Client, path: str, **body: Any) -> httpx.Response:
    answer = http.post(path, params={"u": "tests", "app": "neurons"}, **body)
    assert answer.status_code == 200, f"{path}: {answer.text}"
    return answer


def _voxels() -> NDArray[np.uint64]:
    """(z, y, x) labels of all bodies."""
    return np.broadcast_to(np.repeat(np.array(BODIES, "<u8"), SIDE), (SIDE, SIDE, len(BODIES) * SIDE)).copy()


def _beside(place: int, steps: int) -> list[int]:
    x, y, z = centre(place)
    return [x, y + 4 * steps, z]


def _element(kind: str, at: list[int], relation: str, others: list[list[int]]) -> Element:
    relations = [{"Rel": relation, "To": other} for other in others]
    return {"Pos": at, "Kind": kind, "Tags": [], "Prop": {"conf": "0.9"}, "Rels": relations}


if __name__ == "__main__":
    with httpx.Client(base_url=sys.argv[1], timeout=60) as client:
        print(make(client))
