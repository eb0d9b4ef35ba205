from __future__ import annotations

import json

import numpy as np
import pytest
from datatypes.labelmap.conftest import Segs

from dvidpy.datatypes.labelled.state import _in_words


def test_settings_change_for_all_versions(segs: Segs) -> None:
    path = segs.new(levels=1)
    child = segs.child(segs.root)
    given = {"VoxelSize": "4,4,40", "VoxelUnits": "microns,microns,microns", "BlockSize": "16,16,16"}
    segs.call("POST", f"/api/node/{child}/seg/info", json={**given, "MaxDownresLevel": "0", "MinPoint": "0,0,0",
                                                           "MaxPoint": "31,31,31"})  # fmt: skip
    shown = json.loads(segs.call("GET", f"{path}/info"))["Extended"]
    assert shown["VoxelSize"] == [4, 4, 40]
    assert shown["VoxelUnits"] == ["microns"] * 3
    assert shown["MaxDownresLevel"] == 0
    assert shown["MaxPoint"] is None
    assert json.loads(segs.call("GET", f"/api/node/{child}/seg/info"))["Extents"]["MaxPoint"] == [31, 31, 31]


@pytest.mark.parametrize(
    "body",
    [
        b"no",
        b"[]",
        b'{"BlockSize": "32,32,32"}',
        b'{"VoxelSize": "1,2"}',
        b'{"VoxelSize": "1,2,0"}',
        b'{"MaxDownresLevel": "256"}',
        b'{"VoxelUnits": "a,b"}',
        b'{"MinPoint": "5,5,5", "MaxPoint": "4,5,5"}',
        b'{"MinPoint": "0,0"}',
        b'{"Background": "256"}',
    ],
)
def test_settings_that_make_no_sense(segs: Segs, body: bytes) -> None:
    path = segs.new()
    before = segs.call("GET", f"{path}/info")
    assert segs.status("POST", f"{path}/info", body) == 400
    assert segs.call("GET", f"{path}/info") == before


@pytest.mark.parametrize("given", [{"IndexedLabels": True}, {"Compression": "foo"}, {"Checksum": "foo"}])
def test_settings_at_creation_that_make_no_sense(segs: Segs, given: dict[str, object]) -> None:
    body = json.dumps({"typename": "labelmap", "dataname": "odd", **given}).encode()
    assert segs.status("POST", f"/api/repo/{segs.root}/instance", body) == 400


def test_mappings_in_memory_are_told(segs: Segs) -> None:
    path = segs.new()
    segs.post(path, (0, 0, 0), np.ones((16, 16, 16), np.uint64))
    shown = json.loads(segs.call("GET", f"{path}/map-stats"))
    assert shown["seg"]["NumVersions"] == 1
    assert shown["seg"]["MapSize"] == "0 B"
    assert segs.status("POST", f"{path}/map-stats") == 400


@pytest.mark.parametrize(
    ("size", "words"), [(999, "999 B"), (1200, "1.2 kB"), (34_000_000, "34 MB"), (10**16, "10000 TB")]
)
def test_bytes_in_words(size: int, words: str) -> None:
    assert _in_words(size) == words
