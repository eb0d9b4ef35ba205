from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient


def test_every_type_describes_itself(volumes: Any) -> None:
    for name in ("uint8", "uint16", "uint32", "uint64", "float32"):
        info = volumes.info(volumes.new(f"{name}blk", name))
        assert info["Base"]["TypeURL"] == f"github.com/janelia-flyem/dvid/datatype/imageblk/{name}.go"
        assert info["Extended"]["Values"] == [{"DataType": name, "Label": name}]
    values = volumes.info(volumes.new("rgba8blk", "rgba"))["Extended"]["Values"]
    assert [value["Label"] for value in values] == ["red", "green", "blue", "alpha"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"BlockSize": "16,32,64"}, {"BlockSize": [16, 32, 64]}),
        ({"blocksize": "64,64,64", "background": "3"}, {"BlockSize": [64, 64, 64], "Background": 3}),
        (
            {"VoxelSize": "4.0,4.0,40.5", "VoxelUnits": "nm,nm,um"},
            {"VoxelSize": [4, 4, 40.5], "VoxelUnits": ["nm", "nm", "um"]},
        ),
        (
            {"MinPoint": "0,0,0", "MaxPoint": "99,98,97"},
            {"MaxPoint": [99, 98, 97], "MaxIndex": [3, 3, 3], "MinIndex": [0, 0, 0]},
        ),
        ({"ScaleLevel": "2", "GridStore": ""}, {"ScaleLevel": 2, "GridStore": ""}),
        (
            {},
            {
                "BlockSize": [32, 32, 32],
                "VoxelSize": [8, 8, 8],
                "MinPoint": None,
                "MaxIndex": None,
                "Interpolable": True,
            },
        ),
    ],
)
def test_settings_are_shown(volumes: Any, given: dict[str, str], shown: dict[str, Any]) -> None:
    extended = volumes.info(volumes.new(**given))["Extended"]
    assert {key: extended[key] for key in shown} == shown


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("none", "No compression, level -1"),
        ("gzip:5", "gzip compression, level 5"),
        ("snappy", "Go Snappy compression, level -1"),
        ("jpeg", "jpeg compression, level 16"),
        ("blosc", "Blosc compression, level -1"),
        ("LZ4", "LZ4 compression, level -1"),
    ],
)
def test_compressions_keep_the_voxels(volumes: Any, given: str, words: str) -> None:
    path = volumes.new(Compression=given, Checksum="crc32", BlockSize="16,16,16")
    posted = np.repeat(np.arange(0, 160, 10, dtype=np.uint8), 256).reshape(16, 16, 16)
    volumes.post(path, (0, 0, 0), posted)
    found = volumes.get(path, (0, 0, 0), (16, 16, 16))
    assert np.abs(found.astype(int) - posted).max() <= (12 if given == "jpeg" else 0)
    assert volumes.info(path)["Base"]["Compression"] == words
    assert volumes.info(path)["Base"]["Checksum"] == "CRC32 checksum"


@pytest.mark.parametrize(
    "given",
    [
        {"BlockSize": "32"},
        {"BlockSize": "a,b,c"},
        {"BlockSize": "0,32,32"},
        {"BlockSize": "-1,32,32"},
        {"BlockSize": 32},
        {"BlockSize": "4096,4096,2"},
        {"BlockSize": "2147483647,2147483647,2147483647"},
        {"Background": "300"},
        {"Background": "-1"},
        {"Background": 7},
        {"VoxelSize": "x"},
        {"VoxelSize": "1,2"},
        {"VoxelSize": "1,2,nan"},
        {"VoxelSize": "0,1,1"},
        {"VoxelUnits": "nm"},
        {"ScaleLevel": "x"},
        {"GridStore": "nope"},
        {"Compression": "foo"},
        {"Checksum": "foo"},
        {"MinPoint": "0,0,0"},
        {"MinPoint": "5,0,0", "MaxPoint": "4,9,9"},
        {"MinPoint": "0,0", "MaxPoint": "1,1"},
        {"Compression": "jpeg", "BlockSize": "32,300,300"},
        {"Compression": "jpeg", "typename": "uint16blk"},
        {"typename": "uint9blk"},
    ],
)
def test_settings_that_make_no_sense_are_refused(client: TestClient, repo: str, given: dict[str, Any]) -> None:
    body = {"typename": "uint8blk", "dataname": "x", **given}
    assert client.post(f"/api/repo/{repo}/instance", json=body).status_code == 400
    assert client.get(f"/api/node/{repo}/x/info").status_code == 400


def test_metadata_counts_the_axes(volumes: Any) -> None:
    path = volumes.new(VoxelSize="4,5,6")
    answer = volumes.client.get(f"{path}/metadata")
    assert answer.headers["content-type"] == "application/vnd.dvid-nd-data+json"
    assert [axis["Size"] for axis in answer.json()["Axes"]] == [0, 0, 0]
    volumes.post(path, (-32, 0, 64), np.zeros((32, 64, 96), np.uint8))
    axes = volumes.client.get(f"{path}/metadata").json()["Axes"]
    assert [(axis["Label"], axis["Offset"], axis["Size"], axis["Resolution"]) for axis in axes] == [
        ("X", -32, 96, 4),
        ("Y", 0, 64, 5),
        ("Z", 64, 32, 6),
    ]


def test_extents_are_replaced_and_grow_again(volumes: Any) -> None:
    path = volumes.new(MinPoint="0,0,0", MaxPoint="10,10,10")
    volumes.post(path, (-32, 0, 0), np.zeros((32, 32, 32), np.uint8))
    assert volumes.info(path)["Extents"] == {"MinPoint": [-32, 0, 0], "MaxPoint": [10, 31, 31]}
    assert volumes.status("POST", f"{path}/extents", b'{"MaxPoint": [1, 1, 1]}') == 200
    assert volumes.info(path)["Extents"] == {"MinPoint": [0, 0, 0], "MaxPoint": [1, 1, 1]}
    volumes.post(path, (0, 0, 0), np.zeros((32, 32, 32), np.uint8))
    assert volumes.info(path)["Extents"] == {"MinPoint": [0, 0, 0], "MaxPoint": [31, 31, 31]}
    assert volumes.status("POST", f"{path}/extents", b"not json") == 400
    assert volumes.status("GET", f"{path}/extents") == 400


def test_extents_belong_to_a_version_and_resolution_to_all(volumes: Any) -> None:
    path = volumes.new()
    volumes.post(path, (0, 0, 0), np.zeros((32, 32, 32), np.uint8))
    volumes.commit(volumes.root)
    child = volumes.child(volumes.root)
    below = f"/api/node/{child}/g"
    assert volumes.info(below)["Extents"]["MaxPoint"] == [31, 31, 31]
    volumes.post(below, (32, 0, 0), np.zeros((32, 32, 32), np.uint8))
    assert volumes.info(below)["Extents"]["MaxPoint"] == [63, 31, 31]
    assert volumes.info(path)["Extents"]["MaxPoint"] == [31, 31, 31]
    assert volumes.status("POST", f"{below}/resolution", b"[16, 16.5, 40]") == 200
    assert volumes.info(path)["Extended"]["VoxelSize"] == [16, 16.5, 40]


@pytest.mark.parametrize(
    "body",
    [
        b"oops",
        b"{}",
        b"[1, 2]",
        b"[1, 2, 3, 4]",
        b'[1, 2, "3"]',
        b"[0, 1, 1]",
        b"[-1, 1, 1]",
        b"[true, 1, 1]",
        b"[null, 1, 1]",
        b"[1e999, 1, 1]",
    ],
)
def test_a_resolution_is_three_positive_numbers(volumes: Any, body: bytes) -> None:
    path = volumes.new()
    assert volumes.status("POST", f"{path}/resolution", body) == 400
    assert volumes.info(path)["Extended"]["VoxelSize"] == [8, 8, 8]


def test_extents_hold_everything_that_was_posted_at_once(volumes: Any) -> None:
    path = volumes.new(BlockSize="8,8,8")
    corners = [(8 * x, 8 * (x % 3), -8 * x) for x in range(-6, 7)]
    voxels = np.ones((8, 8, 8), np.uint8)
    threads = [threading.Thread(target=volumes.post, args=(path, corner, voxels)) for corner in corners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert volumes.info(path)["Extents"] == {"MinPoint": [-48, 0, -48], "MaxPoint": [55, 23, 55]}
    assert volumes.get(path, (-48, 0, -48), (104, 24, 104)).sum() == len(corners) * 512


def test_locked_versions_refuse_everything(volumes: Any) -> None:
    path = volumes.new()
    volumes.commit(volumes.root)
    for rest, body in (
        ("raw/0_1_2/32_32_32/0_0_0", bytes(32**3)),
        ("blocks/0_0_0/1", bytes(32**3)),
        ("extents", b"{}"),
        ("resolution", b"[1, 1, 1]"),
    ):
        assert volumes.status("POST", f"{path}/{rest}", body) == 400
    assert volumes.info(path)["Extended"]["VoxelSize"] == [8, 8, 8]


def test_info_cannot_be_posted(volumes: Any) -> None:
    assert volumes.status("POST", f"{volumes.new()}/info", b"{}") == 400


def test_rawkey_names_the_key_of_a_block(volumes: Any, client: TestClient, app: Any) -> None:
    path = volumes.new()
    volumes.post(path, (-32, 0, 32), np.ones((32, 32, 32), np.uint8))
    key = bytes.fromhex(client.get(f"{path}/rawkey?x=-1&y=0&z=1").json()["Key"])
    assert app._server.datastore.main.store.get(key) is not None
    other = bytes.fromhex(client.get(f"{path}/rawkey?x=0&y=0&z=1").json()["Key"])
    assert app._server.datastore.main.store.get(other) is None
    for query in ("", "?x=1&y=2", "?x=1&y=2&z=a"):
        assert volumes.status("GET", f"{path}/rawkey{query}") == 400


def test_help_names_every_route(volumes: Any) -> None:
    text = volumes.client.get("/api/help/uint8blk").text
    for word in (
        "raw",
        "isotropic",
        "arb",
        "blocks",
        "subvolblocks",
        "specificblocks",
        "rawkey",
        "extents",
        "resolution",
        "metadata",
    ):
        assert f"/{word}" in text
