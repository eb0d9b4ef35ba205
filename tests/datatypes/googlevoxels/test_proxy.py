"""A volume of Google's, which `brainmaps` plays."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import brainmaps
import lz4.block
import numpy as np
import pytest
from PIL import Image
from served import Served

from dvidpy.datatypes.googlevoxels import brainmaps as client
from dvidpy.datatypes.googlevoxels.geometry import Geometry, choose, finest, map_scales, parse_volume
from dvidpy.datatypes.voxels.planes import Plane, parse_shape
from dvidpy.errors import BadGateway, BadRequest


@pytest.fixture
def google() -> Iterator[brainmaps.Google]:
    google = brainmaps.play()
    google.reset()
    yield google
    google.reset()


@pytest.fixture
def gv(served: Served, google: brainmaps.Google) -> str:
    path = served.instance(served.repo(), "gv", "googlevoxels", tilesize="32")
    google.asked.clear()
    return path


def pixels(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)))


def cut(scale: int, start: tuple[int, int, int], size: tuple[int, int, int]) -> np.ndarray:
    """(z, y, x) voxels of a box, 0 outside the volume."""
    whole = np.pad(brainmaps.volume(scale), 64)
    z, y, x = (at + 64 for at in start)
    return whole[z : z + size[0], y : y + size[1], x : x + size[2]]


# ---------------------------------------------------------------------- creation
def test_info_shows_the_scales_and_no_key(served: Served, gv: str) -> None:
    answer = served.http.get(f"{gv}/info")
    assert "private" not in answer.text
    extended = answer.json()["Extended"]
    assert extended["GeomMap"] == {"XY:0": 1, "XZ:0": 1, "YZ:0": 1, "XYZ:0": 1, "XYZ:1": 0}
    assert extended["HighResIndex"] == 1
    assert extended["TileSize"] == 32
    assert extended["MaxTileCoord"] == [2, 1, 1]
    assert extended["Scales"][1] == {
        "volumeSize": [100, 60, 40],
        "channelCount": 1,
        "channelType": "UINT8",
        "pixelSize": [8, 8, 8],
    }
    assert extended["Levels"]["1"] == {"Resolution": [16, 16, 16], "TileSize": [32, 32, 32]}
    assert "private" not in served.http.get("/api/repos/info").text


@pytest.mark.parametrize("content", ["", "no json", "[]", "5", "{}", '{"type": "service_account"}', "x" * 70_000])
def test_files_that_are_no_key(served: Served, google: brainmaps.Google, tmp_path: Path, content: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(content)
    given = {"typename": "googlevoxels", "dataname": "gv", "volumeid": brainmaps.VOLUME, "jwtfile": str(file)}
    answer = served.http.post(f"/api/repo/{served.repo()}/instance", json=given)
    assert answer.status_code == 400
    assert google.asked == []


@pytest.mark.parametrize(
    "settings",
    [{"volumeid": "../x"}, {"volumeid": "a b"}, {"tilesize": "0"}, {"tilesize": "9000"}, {"jwtfile": "/dev/zero"},
     {"jwtfile": "a\0b"}],
)  # fmt: skip
def test_settings_that_are_refused(served: Served, google: brainmaps.Google, settings: dict[str, str]) -> None:
    given = {"typename": "googlevoxels", "dataname": "gv", **google.settings, **settings}
    assert served.http.post(f"/api/repo/{served.repo()}/instance", json=given).status_code == 400
    assert google.asked == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": 404}, 400),
        ({"status": 403}, 400),
        ({"status": 500}, 502),
        ({"token_status": 400}, 502),
        ({"description": {}}, 502),
        ({"description": {"geometry": []}}, 502),
        ({"description": {"geometry": [{"volumeSize": {"x": "-1", "y": "1", "z": "1"}}]}}, 502),
        ({"description": [1]}, 502),
    ],
)
def test_what_google_answers_at_creation(
    served: Served, google: brainmaps.Google, changes: dict[str, Any], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_SESSIONS", threading.local())  # no token yet
    for name, value in changes.items():
        setattr(google, name, value)
    root = served.repo()
    given = {"typename": "googlevoxels", "dataname": "gv", **google.settings}
    answer = served.http.post(f"/api/repo/{root}/instance", json=given)
    assert answer.status_code == status, answer.text
    assert "Google" in answer.text
    assert served.http.get(f"/api/node/{root}/gv/info").status_code == 400
    assert served.instance(root, "gv")


def test_creation_holds_up_nobody(served: Served, google: brainmaps.Google) -> None:
    root = served.repo()
    google.wait_s = 1.0
    thread = threading.Thread(target=served.instance, args=(root, "gv", "googlevoxels"))
    thread.start()
    served.wait_until(lambda: bool(google.asked))
    served.instance(root, "meanwhile")
    assert thread.is_alive()
    thread.join()
    assert served.http.get(f"/api/node/{root}/gv/info").status_code == 200


# ---------------------------------------------------------------------- tiles and slices
@pytest.mark.parametrize(("dims", "axis"), [("xy", 0), ("xz", 1), ("1_2", 2)])
def test_a_tile_inside(served: Served, gv: str, google: brainmaps.Google, dims: str, axis: int) -> None:
    answer = served.http.get(f"{gv}/tile/{dims}/0/0_0_0?tilesize=16")
    assert answer.headers["content-type"] == "image/png"
    assert np.array_equal(pixels(answer.content), brainmaps.volume(0)[:16, :16, :16].take(0, axis))
    size = ",".join(["1" if 2 - axis == at else "16" for at in range(3)])
    asked = {"geometry": {"corner": "0,0,0", "size": size, "scale": 1}, "imageOptions": {"imageFormat": "PNG"}}
    assert google.asked == [(f"/v1/volumes/{brainmaps.VOLUME}/imagetile:binary", {"imageSpec": asked})]


def test_coordinates_count_tiles_along_the_plane(served: Served, gv: str) -> None:
    answer = served.http.get(f"{gv}/tile/xy/0/1_0_7")
    assert np.array_equal(pixels(answer.content), brainmaps.volume(0)[7, :32, 32:64])
    answer = served.http.get(f"{gv}/tile/xy/1/0_0_7/jpg:90?tilesize=20")
    assert answer.headers["content-type"] == "image/jpeg"
    assert np.abs(pixels(answer.content).astype(int) - brainmaps.volume(1)[7, :20, :20]).mean() < 8


@pytest.mark.parametrize("place", ["3_1_39", "-1_0_0", "0_-1_5", "3_0_0"])
def test_a_tile_at_the_edge_is_padded(served: Served, gv: str, place: str) -> None:
    x, y, z = map(int, place.split("_"))
    answer = served.http.get(f"{gv}/tile/xy/0/{place}?noblanks=false&tilesize=30")
    expected = cut(0, (z, y * 30, x * 30), (1, 30, 30))[0]
    assert np.array_equal(pixels(answer.content), expected)
    assert pixels(served.http.get(f"{gv}/tile/xy/0/{place}?tilesize=30&format=jpg").content).shape == (30, 30)


def test_a_tile_outside(served: Served, gv: str, google: brainmaps.Google) -> None:
    for place in ("4_0_0", "0_0_40", "0_0_-1", "-5_0_0"):
        answer = served.http.get(f"{gv}/tile/xy/0/{place}")
        assert pixels(answer.content).shape == (32, 32)
        assert not pixels(answer.content).any()
        assert served.http.get(f"{gv}/tile/xy/0/{place}?noblanks=true").status_code == 404
    assert google.asked == []


@pytest.mark.parametrize("raw", ["raw/xz/30_20/5_7_9", "raw/yz/60_40/5_-7_-9", "raw/xy/1_1/99_59_39"])
def test_slices(served: Served, gv: str, raw: str) -> None:
    _, dims, size, offset = raw.split("/")
    plane = parse_shape(dims)
    assert isinstance(plane, Plane)
    width, height = map(int, size.split("_"))
    x, y, z = map(int, offset.split("_"))
    box = plane.box(width, height, (z, y, x))
    answer = served.http.get(f"{gv}/{raw}")
    assert np.array_equal(pixels(answer.content).reshape(height, width), plane.picture(cut(0, box.start, box.size)))


# ---------------------------------------------------------------------- volumes
@pytest.mark.parametrize(
    ("size", "offset"), [("20_10_5", "3_4_5"), ("100_60_40", "0_0_0"), ("30_30_30", "90_50_-3"), ("5_5_5", "400_0_0")]
)
def test_volumes(served: Served, gv: str, size: str, offset: str) -> None:
    width, height, depth = map(int, size.split("_"))
    x, y, z = map(int, offset.split("_"))
    expected = cut(0, (z, y, x), (depth, height, width)) if x < 100 else np.zeros((depth, height, width), np.uint8)
    answer = served.http.get(f"{gv}/raw/0_1_2/{size}/{offset}?throttle=true")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == expected.tobytes()
    packed = served.http.get(f"{gv}/raw/0_1_2/{size}/{offset}?compression=lz4").content
    assert lz4.block.decompress(packed, uncompressed_size=expected.size) == expected.tobytes()
    shown = pixels(served.http.get(f"{gv}/raw/0_1_2/{size}/{offset}/png").content)
    assert np.array_equal(shown, expected.reshape(depth * height, width))


def test_a_coarser_volume(served: Served, gv: str) -> None:
    answer = served.http.get(f"{gv}/raw/vol/50_30_20/0_0_0?scale=1")
    assert answer.content == brainmaps.volume(1).tobytes()


@pytest.mark.parametrize(
    "path",
    [
        "tile/qq/0/0_0_0",
        "tile/0_1_2/0/0_0_0",
        "tile/xy/x/0_0_0",
        "tile/xy/300/0_0_0",
        "tile/xy/2/0_0_0",
        "tile/xy/0/0_0",
        "tile/xy/0/0_0_0/gif",
        "tile/xy/0/0_0_0/tif",
        "tile/xy/0/0_0_0?tilesize=0",
        "tile/xy/0/0_0_0?tilesize=100000",
        "tile/xy/0/2147483647_0_0",
        "tile/xy/0",
        "raw/xy/10_10",
        "raw/xy/0_10/0_0_0",
        "raw/0_1_2/10_10_10/0_0_0?compression=gzip",
        "raw/0_1_2/10_10_10/0_0_0?scale=7",
        "raw/0_1_2/2000_2000_2000/0_0_0",
        "raw/xy/100000_100000/0_0_0",
        "nothing",
    ],
)
def test_requests_that_are_refused(served: Served, gv: str, google: brainmaps.Google, path: str) -> None:
    assert served.http.get(f"{gv}/{path}").status_code == 400
    assert served.http.post(f"{gv}/{path}").status_code == 400
    assert google.asked == []


# ---------------------------------------------------------------------- what goes wrong there
PLACES = ("tile/xy/0/0_0_0", "tile/xy/0/3_0_0", "raw/0_1_2/9_9_9/0_0_0", "raw/0_1_2/9_9_9/95_0_0?compression=lz4")


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_an_error_of_google_s_is_502(served: Served, gv: str, google: brainmaps.Google, path: str, status: int) -> None:
    google.status = status
    answer = served.http.get(f"{gv}/{path}")
    assert (answer.status_code, str(status) in answer.text) == (502, True)
    google.status = 200
    assert served.http.get(f"{gv}/{path}").status_code == 200


@pytest.mark.parametrize("path", PLACES[2:])
@pytest.mark.parametrize("bytes_more", [1, -1])
def test_a_volume_of_another_size_is_refused(
    served: Served, gv: str, google: brainmaps.Google, path: str, bytes_more: int
) -> None:
    google.cut = bytes_more
    assert served.http.get(f"{gv}/{path}").status_code == 502


def test_garbage_at_the_edge_is_502(served: Served, gv: str, google: brainmaps.Google) -> None:
    google.garbage = b"no picture"
    assert served.http.get(f"{gv}/tile/xy/0/3_0_0").status_code == 502


def test_google_that_says_nothing_is_given_up(
    served: Served, gv: str, google: brainmaps.Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "READ_S", 0.3)
    google.wait_s = 8.0
    before = time.monotonic()
    answer = served.http.get(f"{gv}/tile/xy/0/0_0_0")
    assert answer.status_code == 502
    assert time.monotonic() - before < google.wait_s
    assert "cannot be reached" in answer.text


def test_google_that_is_not_there(served: Served, gv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ADDRESS", "http://127.0.0.1:1/v1")
    answer = served.http.get(f"{gv}/raw/0_1_2/9_9_9/0_0_0")
    assert answer.status_code == 502


def test_an_answer_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        headers: ClassVar[dict[str, str]] = {}

        def iter_content(self, size: int) -> Iterator[bytes]:
            while True:
                yield b"x"

    monkeypatch.setattr(client, "WHOLE_S", 0.05)
    answer: Any = Slow()
    with pytest.raises(BadGateway, match="more than"):
        list(client.pieces(answer, 1 << 40))
    with pytest.raises(BadGateway, match="sent"):
        list(client.pieces(answer, 10))


# ---------------------------------------------------------------------- scales
def geometry(*pixel: float) -> Geometry:
    return Geometry([10, 10, 10], 1, "UINT8", list(pixel))


def test_scales_serve_planes_or_volumes() -> None:
    scales = [geometry(16, 16, 16), geometry(8, 8, 8), geometry(16, 16, 8), geometry(32, 8, 32), geometry(8, 40, 40)]
    found = map_scales(scales)
    assert finest(scales) == 1
    assert found == {"XY:0": 1, "XZ:0": 1, "YZ:0": 1, "XYZ:0": 1, "XYZ:1": 0, "XY:1": 2, "XZ:2": 3, "YZ:3": 4}
    assert [choose(found, parse_shape(shape), 1) for shape in ("xy", "xz", "vol")] == [2, 0, 0]
    with pytest.raises(BadRequest):
        choose(found, None, 2)


def test_other_channels() -> None:
    said = json.loads(json.dumps(brainmaps.DESCRIPTION))
    said["geometry"][0]["channelType"] = "UINT64"
    found = parse_volume(said)
    assert (found[0].itemsize, found[1].itemsize) == (8, 1)
    with pytest.raises(BadRequest):
        _ = Geometry([1, 1, 1], 1, "COMPLEX", [1, 1, 1]).kind
