"""What libdvid asks for, in the order of its own tests. Whatever is not 200 breaks it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import lz4.block
import numpy as np
import pytest
from served import TOKEN, Served

CALLER = {"u": "foo@bar.com", "app": "libdvid"}


class Service:
    """One node, asked as libdvid does: octets, name of user and program in every query."""

    def __init__(self, served: Served) -> None:
        self.http = served.http
        settings = json.dumps({"alias": "testrepo", "description": ""}).encode()
        self.root = str(self.post("/api/repos", settings, admintoken=TOKEN).json()["root"])

    def make(self, typename: str, name: str, **settings: str) -> None:
        """Only what is not there: an unknown name is 400."""
        assert self.http.get(f"/api/node/{self.root}/{name}/info", params=CALLER).status_code == 400
        body = json.dumps({"typename": typename, "dataname": name, **settings}).encode()
        self.post(f"/api/repo/{self.root}/instance", body)
        assert self.get(f"{name}/info").json()["Base"]["TypeName"] == typename

    def get(self, what: str, content: bytes = b"", **query: Any) -> httpx.Response:
        return self._send("GET", f"/api/node/{self.root}/{what}", content, query)

    def post(self, path: str, content: bytes, **query: Any) -> httpx.Response:
        return self._send("POST", path if path.startswith("/") else f"/api/node/{self.root}/{path}", content, query)

    def _send(self, method: str, path: str, content: bytes, query: dict[str, Any]) -> httpx.Response:
        octets = {"Content-Type": "application/octet-stream"}
        answer = self.http.request(method, path, params=CALLER | query, content=content, headers=octets)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture
def service(lasting: Served) -> Service:
    return Service(lasting)


def test_keys_are_asked_for_between_two_of_them(service: Service) -> None:
    service.make("keyvalue", "keyvalue_test")
    for number in "12":
        service.post(f"keyvalue_test/key/key{number}", f"val{number}".encode())
    assert service.get("keyvalue_test/key/key1").content == b"val1"
    assert service.get("keyvalue_test/keys/0/z").json() == ["key1", "key2"]
    assert json.loads(service.get("log").content) == {"log": []}


@pytest.mark.parametrize(
    ("typename", "dtype", "packed"), [("uint8blk", np.uint8, False), ("labelmap", np.uint64, True)]
)
def test_voxels_go_both_ways(service: Service, typename: str, dtype: type[np.generic], packed: bool) -> None:
    """Labels in lz4, images as they are."""
    service.make(typename, "voxels", BlockSize="64,64,64")
    query: dict[str, Any] = {"throttle": "on"} | ({"compression": "lz4"} if packed else {})
    voxels = np.random.default_rng(0).integers(0, 255, (64, 128, 192)).astype(dtype)
    body = lz4.block.compress(voxels.tobytes(), store_size=False) if packed else voxels.tobytes()
    service.post("voxels/raw/0_1_2/192_128_64/0_0_0", body, **query)
    cut = voxels[20:50, 20:51, 20:52]
    found = service.get("voxels/raw/0_1_2/32_31_30/20_20_20", **query).content
    if packed:
        found = lz4.block.decompress(found, uncompressed_size=cut.nbytes)
    assert np.array_equal(np.frombuffer(found, dtype).reshape(cut.shape), cut)


def test_an_axis_of_an_empty_volume_has_no_size(service: Service) -> None:
    """Its accessor for voxels reads `metadata` before and after the first voxels."""
    service.make("uint8blk", "volume")
    assert [axis["Size"] for axis in service.get("volume/metadata").json()["Axes"]] == [0, 0, 0]
    service.post("volume/raw/0_1_2/32_64_96/0_32_64", bytes(32 * 64 * 96), mutate="true")
    axes = service.get("volume/metadata").json()["Axes"]
    assert [(axis["Label"], axis["Size"], axis["Offset"]) for axis in axes] == [
        ("X", 32, 0),
        ("Y", 64, 32),
        ("Z", 96, 64),
    ]


def test_regions(service: Service) -> None:
    service.make("roi", "region")
    spans = [[0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]  # of four blocks at the corner, all but the last
    service.post("region/roi", json.dumps(spans).encode())
    assert service.get("region/roi").json() == spans
    mask = np.frombuffer(service.get("region/mask/0_1_2/32_64_64/0_0_0", throttle="on").content, np.uint8)
    expected = np.ones((64, 64, 32), np.uint8)
    expected[32:, 32:] = 0
    assert np.array_equal(mask.reshape(expected.shape), expected)
    points = json.dumps([[0, 0, 0], [0, 40, 40]]).encode()
    assert service.post("region/ptquery", points).json() == [True, False]
    diagonal = json.dumps([[at, at, at, at] for at in range(4)]).encode()
    service.post("region/roi", diagonal)
    partition = service.get("region/partition", batchsize=4).json()
    assert [one["MinPoint"] for one in partition["Subvolumes"]] == [[0, 0, 0]]


def test_mappings_of_supervoxels_that_are_not_there(service: Service) -> None:
    service.make("labelmap", "bodies", BlockSize="64,64,64")
    assert service.get("bodies/mapping", b"[1,2,3]").json() == [0, 0, 0]


def test_instances_are_deleted_when_sure(service: Service) -> None:
    """As an addition: the reference has no such route, and libdvid's tests do not look at the answer."""
    service.make("keyvalue", "gone")
    path = f"/api/repo/{service.root}/gone"
    assert service.http.delete(path, params=CALLER | {"imsure": "true", "admintoken": TOKEN}).status_code == 200
    assert "gone" not in service.http.get(f"/api/repo/{service.root}/info").json()["DataInstances"]
