"""V3D Raw files, their channels and the composite."""

from __future__ import annotations

import gzip
import io
import struct
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from served import Serve, Served

from dvidpy.datatypes.multichan16.v3draw import HEAD, MAGIC, head_of, parse_head
from dvidpy.errors import BadRequest

RANDOM = np.random.default_rng(5)


def v3draw(channels: np.ndarray, order: str = "L") -> bytes:
    """A file of (channel, z, y, x) voxels."""
    number, depth, height, width = channels.shape
    mark: Literal["<", ">"] = "<" if order == "L" else ">"
    head = struct.pack(f"{mark}H4I", channels.itemsize, width, height, depth, number)
    return MAGIC + order.encode() + head + channels.astype(channels.dtype.newbyteorder(mark)).tobytes()


def made(dtype: Any = np.uint16, shape: tuple[int, ...] = (4, 21, 18, 37)) -> np.ndarray:
    return RANDOM.integers(0, np.iinfo(dtype).max, shape).astype(dtype)


@pytest.fixture
def m(served: Served) -> str:
    return served.instance(served.repo(), "m", "multichan16", BlockSize="16,8,4")


def pixels(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)))


def read(served: Served, m: str, channel: int, dtype: Any, size: tuple[int, int, int], offset: str = "0_0_0") -> Any:
    depth, height, width = size
    answer = served.http.get(f"{m}/0_1_2/{width}_{height}_{depth}/{offset}?channel={channel}")
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, dtype).reshape(size)


def composed(channels: np.ndarray) -> np.ndarray:
    """(z, y, x, 4): each of three channels from its lowest to its highest value."""
    out = np.zeros((*channels.shape[1:], 4), np.uint8)
    out[..., 3] = 255
    for number, channel in enumerate(channels[:3].astype(np.int64)):
        low, high = channel.min(), channel.max()
        out[..., number] = 255 * (channel - low) // max(1, high - low)
    return out


# ---------------------------------------------------------------------- loading
@pytest.mark.parametrize("order", ["L", "B"])
def test_heads_are_written_as_they_are_read(order: str) -> None:
    head = v3draw(made(), order)[:HEAD]
    assert head_of(parse_head(head)) == head


def test_there_is_no_file_before_one_was_loaded(served: Served, m: str) -> None:
    assert served.http.get(f"{m}/v3draw").status_code == 400


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["L", "B"])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_channels_come_back(served: Served, m: str, dtype: Any, order: str, number: int) -> None:
    channels = made(dtype, (number, 21, 18, 37))
    answer = served.http.post(f"{m}/load", content=v3draw(channels, order))
    assert answer.json() == {"NumChannels": number, "Size": [37, 18, 21]}
    for at, channel in enumerate(channels):
        assert np.array_equal(read(served, m, at + 1, dtype, channel.shape), channel)
    body = served.http.get(f"{m}/0_1_2/37_18_21/0_0_0").content
    assert np.array_equal(np.frombuffer(body, np.uint8).reshape(21, 18, 37, 4), composed(channels))
    assert served.http.get(f"{m}/v3draw").content == v3draw(channels)
    assert served.http.get(f"{m}/xy/4_4/0_0_0?channel={number + 1}").status_code == 400
    assert served.http.get(f"{m}/xy/4_4/0_0_0?channel=-1").status_code == 400


def test_info_names_the_channels(served: Served, m: str) -> None:
    assert served.http.post(f"{m}/load", content=v3draw(made(np.uint16, (2, 3, 4, 5)))).status_code == 200
    extended = served.http.get(f"{m}/info").json()["Extended"]
    assert extended["NumChannels"] == 2
    assert extended["Values"] == [{"DataType": "uint16", "Label": f"channel{n}"} for n in range(2)]
    assert (extended["MinPoint"], extended["MaxPoint"]) == ([0, 0, 0], [4, 3, 2])


@pytest.mark.parametrize(("keyword", "axis"), [("xy", 0), ("xz", 1), ("yz", 2), ("0_1", 0), ("0_2", 1), ("1_2", 2)])
def test_slices(served: Served, m: str, keyword: str, axis: int) -> None:
    channels = made()
    assert served.http.post(f"{m}/load", content=v3draw(channels)).status_code == 200
    shape = [side for at, side in enumerate(channels.shape[1:]) if at != axis]
    size = f"{shape[1]}_{shape[0]}"
    colour = served.http.get(f"{m}/{keyword}/{size}/0_0_0")
    assert np.array_equal(pixels(colour.content), composed(channels).take(0, axis)[..., :3])  # opaque: without alpha
    gray = served.http.get(f"{m}/{keyword}/{size}/0_0_0/png?channel=4")
    assert np.array_equal(pixels(gray.content), channels[3].take(0, axis))
    assert served.http.get(f"{m}/{keyword}/{size}/0_0_0/jpg:80").headers["content-type"] == "image/jpeg"


def test_outside_there_is_nothing(served: Served, m: str) -> None:
    channels = made(np.uint8, (1, 3, 3, 3))
    assert served.http.post(f"{m}/load", content=v3draw(channels)).status_code == 200
    found = read(served, m, 1, np.uint8, (5, 5, 5), "-1_-1_-1")
    assert np.array_equal(found, np.pad(channels[0], 1))
    assert not pixels(served.http.get(f"{m}/xy/4_4/100_100_100").content).any()


def test_constant_channels_are_black(served: Served, m: str) -> None:
    assert served.http.post(f"{m}/load", content=v3draw(np.full((3, 2, 2, 2), 7, np.uint16))).status_code == 200
    assert served.http.get(f"{m}/0_1_2/1_1_1/0_0_0").content == b"\0\0\0\xff"


def test_a_packed_file(served: Served, m: str) -> None:
    channels = made()
    headers = {"content-encoding": "gzip"}
    body = gzip.compress(v3draw(channels))
    assert served.http.post(f"{m}/load", content=body, headers=headers).status_code == 200
    assert np.array_equal(read(served, m, 2, np.uint16, channels.shape[1:]), channels[1])


def test_loading_again_replaces_all(served: Served, m: str) -> None:
    assert served.http.post(f"{m}/load", content=v3draw(made())).status_code == 200
    small = made(np.uint8, (1, 2, 2, 2))
    assert served.http.post(f"{m}/load", content=v3draw(small)).status_code == 200
    assert np.array_equal(read(served, m, 1, np.uint8, (21, 18, 37))[:2, :2, :2], small[0])
    assert read(served, m, 1, np.uint8, (21, 18, 37)).sum() == small.sum()
    assert served.http.get(f"{m}/xy/4_4/0_0_0?channel=2").status_code == 400


# ---------------------------------------------------------------------- refusals
GOOD = v3draw(made(np.uint16, (2, 3, 4, 5)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x" * 500,
        GOOD[:HEAD],
        GOOD[:-1],
        GOOD + b"x",
        GOOD.replace(b"hpengL", b"hpengX"),
        MAGIC + b"L" + struct.pack("<H4I", 4, 1, 1, 1, 1) + bytes(4),
        MAGIC + b"L" + struct.pack("<H4I", 1, 0, 1, 1, 1),
        MAGIC + b"L" + struct.pack("<H4I", 1, 1, 1, 1, 0),
        MAGIC + b"L" + struct.pack("<H4I", 1, 1, 1, 1, 256) + bytes(256),
        MAGIC + b"L" + struct.pack("<H4I", 2, *[2**32 - 1] * 3, 3) + bytes(100),
        MAGIC + b"L" + struct.pack("<H4I", 2, *[2**31 - 1] * 3, 3) + bytes(100),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_files_that_are_refused_leave_all_as_it_was(served: Served, m: str, body: bytes, packed: bool) -> None:
    channels = made(np.uint8, (2, 3, 3, 3))
    assert served.http.post(f"{m}/load", content=v3draw(channels)).status_code == 200
    headers = {"content-encoding": "gzip"} if packed else {}
    sent = gzip.compress(body) if packed else body
    assert served.http.post(f"{m}/load", content=sent, headers=headers).status_code in (400, 413)
    assert np.array_equal(read(served, m, 2, np.uint8, (3, 3, 3)), channels[1])
    assert served.server.datastore.gates.writing() == 0


def test_what_is_too_large(serve: Serve) -> None:
    served = serve(max_request_bytes=100_000)
    m = served.instance(served.repo(), "m", "multichan16")
    channels = np.zeros((1, 50, 50, 50), np.uint8)
    assert served.http.post(f"{m}/load", content=v3draw(channels)).status_code == 413
    assert served.http.post(f"{m}/load", content=v3draw(channels[:, :20])).status_code in (400, 413)
    fine = served.instance(served.repo(), "fine", "multichan16", BlockSize="4,4,4")
    assert served.http.post(f"{fine}/load", content=v3draw(channels[:, :20])).status_code == 200
    assert served.http.get(f"{fine}/0_1_2/50_50_50/0_0_0").status_code == 400
    assert served.http.get(f"{fine}/xy/60000_60000/0_0_0").status_code == 400


@pytest.mark.parametrize("settings", [{"Compression": "jpeg"}, {"BlockSize": "0,1,1"}, {"BlockSize": "512,512,512"}])
def test_settings_that_are_refused(served: Served, settings: dict[str, str]) -> None:
    given = {"typename": "multichan16", "dataname": "m", **settings}
    assert served.http.post(f"/api/repo/{served.repo()}/instance", json=given).status_code == 400


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: MAGIC + tail))
def test_any_head_is_read_or_refused(head: bytes) -> None:
    try:
        found = parse_head(head)
    except BadRequest:
        return
    assert found.size >= 1


# ---------------------------------------------------------------------- versions
def test_versions_have_channels_of_their_own(served: Served, m: str) -> None:
    root = m.split("/")[3]
    first = made(np.uint16, (2, 5, 6, 7))
    assert served.http.post(f"{m}/load", content=v3draw(first)).status_code == 200
    served.commit(root)
    assert served.http.post(f"{m}/load", content=v3draw(first)).status_code == 400
    child, side = served.child(root), served.child(root, "branch", branch="side")
    second = made(np.uint8, (3, 2, 2, 2))
    assert served.http.post(f"/api/node/{child}/m/load", content=v3draw(second)).status_code == 200
    for node in (root, side):
        assert np.array_equal(read(served, f"/api/node/{node}/m", 2, np.uint16, (5, 6, 7)), first[1])
    assert np.array_equal(read(served, f"/api/node/{child}/m", 3, np.uint8, (2, 2, 2)), second[2])
    shown = served.http.get(f"/api/node/{child}/m/info").json()["Extended"]
    assert (shown["NumChannels"], shown["MaxPoint"]) == (3, [1, 1, 1])
