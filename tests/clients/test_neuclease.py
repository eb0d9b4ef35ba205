"""What neuclease does, as its own tests set it up: five supervoxels in a row become a body of a committed version."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from served import Served, on_memory, running

from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.messages import MappingOp, encode_mappings

CALLER = {"u": "jane", "app": "neuclease"}
SUPERVOXELS = [1, 2, 3, 4, 5]
VOXELS = 9
"""Of each supervoxel."""


class Segmentation:
    """A labelmap in a committed version of a server that allows to write there."""

    def __init__(self, served: Served) -> None:
        self.http = served.http
        self.root = str(self.send("/api/repos", json={"alias": "neuclease-test", "description": ""}).json()["root"])
        self.new(self.root)
        voxels = np.zeros((64, 64, 64), np.uint64)
        voxels[0, :3, :15] = np.repeat(SUPERVOXELS, 3)
        packed = gzip.compress(codec.from_volume(voxels).encode(), 6)
        stream = struct.pack("<4i", 0, 0, 0, len(packed)) + packed
        self.send(self.at("blocks"), content=stream, scale="0", downres="true")
        self.send(f"/api/node/{self.root}/commit", json={"note": "supervoxels", "log": ["supervoxels"]})
        self.send(self.at("merge"), json=SUPERVOXELS)

    def new(self, uuid: str, name: str = "segmentation") -> None:
        """An instance with the settings that neuclease gives, all text."""
        settings = {"BlockSize": "64,64,64", "IndexedLabels": "true", "CountLabels": "true", "MaxDownresLevel": "2"}
        self.send(f"/api/repo/{uuid}/instance", json={"typename": "labelmap", "dataname": name, **settings})

    def at(self, what: str, uuid: str = "") -> str:
        return f"/api/node/{uuid or self.root}/segmentation/{what}"

    def send(self, path: str, method: str = "POST", **request: Any) -> httpx.Response:
        """What is no part of the request goes into its query."""
        body = {name: request.pop(name) for name in ("json", "content") if name in request}
        answer = self.http.request(method, path, params=CALLER | request, **body)
        assert answer.status_code == 200, answer.text
        return answer

    def get(self, what: str, uuid: str = "", **request: Any) -> httpx.Response:
        return self.send(self.at(what, uuid), "GET", **request)

    def branch(self, name: str) -> str:
        answer = self.send(f"/api/node/{self.root}/branch", json={"branch": name, "note": ""})
        return str(answer.json()["child"])


@pytest.fixture(scope="module")
def open_server() -> Iterator[Served]:
    with running(on_memory(admin_token="", fullwrite=True)) as one:
        yield one


@pytest.fixture
def segmentation(open_server: Served) -> Segmentation:
    return Segmentation(open_server)


def pairs(body: bytes) -> list[list[int]]:
    """Supervoxel and body of binary mappings."""
    return sorted(np.frombuffer(body, "<u8").reshape(-1, 2).tolist())


def test_mappings_leave_out_those_to_oneself(segmentation: Segmentation) -> None:
    """They come in binary, as the version of the server says that it can."""
    version = segmentation.send("/api/server/info", "GET").json()["DVID Version"]
    assert version.startswith("v")
    assert tuple(int(part) for part in re.split(r"[.-]", version[1:])[:4]) >= (0, 8, 24, 15)
    expected = [[supervoxel, 1] for supervoxel in (2, 3, 4, 5)]
    assert pairs(segmentation.get("mappings", format="binary").content) == expected
    text = segmentation.get("mappings").text
    assert sorted([*map(int, line.split())] for line in text.splitlines()) == expected


def test_mappings_are_posted(segmentation: Segmentation) -> None:
    """To another body and back, as a committed version is asked for."""
    for body, supervoxels, expected in [(2, [2, 3, 4], [(3, 2), (4, 2), (5, 1)]), (1, [2, 3, 4], None)]:
        operation = MappingOp(1, body, np.array(supervoxels, np.uint64))
        segmentation.send(segmentation.at("mappings"), content=encode_mappings([operation]))
        found = pairs(segmentation.get("mappings", format="binary").content)
        assert found == [[*pair] for pair in expected or [(2, 1), (3, 1), (4, 1), (5, 1)]]


def test_labels_of_voxels_and_supervoxels_of_bodies(segmentation: Segmentation) -> None:
    points = [[x, 0, 0] for x in range(5)]
    assert segmentation.get("labels", json=points, supervoxels="false").json() == [1] * 5
    assert segmentation.get("labels", json=points, supervoxels="true").json() == [1, 1, 1, 2, 2]
    assert segmentation.get("label/3_1_0", supervoxels="true").json() == {"Label": 2}
    assert segmentation.get("label/3_1_0").json() == {"Label": 1}
    assert segmentation.get("supervoxels/1").json() == SUPERVOXELS
    assert segmentation.get("sizes", json=SUPERVOXELS, supervoxels="true").json() == [VOXELS] * 5
    assert segmentation.get("sizes", json=SUPERVOXELS, supervoxels="false").json() == [VOXELS * 5, 0, 0, 0, 0]
    assert segmentation.get("mapping", json=[*SUPERVOXELS, 99]).json() == [1] * 5 + [0]


def test_the_largest_label_and_the_next_one(segmentation: Segmentation) -> None:
    """Where there is none, neuclease looks for these words, and then in the versions before."""
    child = segmentation.branch("numbers")
    assert segmentation.get("maxlabel", child).json() == {"maxlabel": 5}
    assert segmentation.get("nextlabel", child).json() == {"nextlabel": 6}
    assert segmentation.send(segmentation.at("nextlabel/5", child)).json() == {"start": 6, "end": 10}
    assert segmentation.get("maxlabel", child).json() == {"maxlabel": 10}
    segmentation.send(segmentation.at("maxlabel/21", child))
    assert segmentation.get("nextlabel", child).json() == {"nextlabel": 22}
    segmentation.new(child, "empty")
    answer = segmentation.http.get(f"/api/node/{child}/empty/maxlabel", params=CALLER)
    assert (answer.status_code, "No maximum label" in answer.text) == (400, True)


def test_bodies_are_cleaved_and_the_mutations_told(segmentation: Segmentation) -> None:
    child = segmentation.branch("cleaves")
    cleaved = segmentation.send(segmentation.at("cleave/1", child), json=[4, 5]).json()["CleavedLabel"]
    assert segmentation.get("mapping", child, json=SUPERVOXELS).json() == [1, 1, 1, cleaved, cleaved]
    assert segmentation.get("mapping", json=SUPERVOXELS).json() == [1] * 5
    (merge,) = segmentation.get("mutations").json()
    assert (merge["Action"], merge["Target"], sorted(merge["Labels"])) == ("merge-complete", 1, [2, 3, 4, 5])
    (cleave,) = segmentation.get("mutations", child).json()
    assert (cleave["Action"], cleave["UUID"]) == ("cleave-complete", child)
    assert (cleave["OrigLabel"], cleave["CleavedLabel"], cleave["CleavedSupervoxels"]) == (1, cleaved, [4, 5])


@pytest.mark.parametrize(("label", "status"), [(1, 200), (99, 204)])
def test_whether_there_is_a_body(segmentation: Segmentation, label: int, status: int) -> None:
    path = segmentation.at(f"sparsevol/{label}")
    assert segmentation.http.head(path, params=CALLER).status_code == status
