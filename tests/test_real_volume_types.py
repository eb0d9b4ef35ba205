"""The same FIB-SEM volume as every other type of voxels, with lower resolutions, on two branches, beside numpy."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from conftest import demand_sound
from PIL import Image
from servers import ServerProcess

from dvidpy.datatypes.imageblk.instance import KIND_OF
from dvidpy.kernels.halving import halve_real_plain, halve_whole_plain
from dvidpy.versioning.datastore import Datastore

SIDE, WHOLE = 250, 256
BLOCK = (16, 32, 64)
"""Voxels along z, y, x."""
LEVELS = 2
Edit = tuple[tuple[slice, slice, slice], int]
EDITS: dict[str, list[Edit]] = {
    "root": [],
    "main": [((slice(16, 64), slice(32, 96), slice(64, 192)), 3)],
    "side": [((slice(0, 32), slice(0, 32), slice(0, 64)), 5)],
}


@pytest.fixture(scope="module")
def stack(shared: Path) -> np.ndarray:
    files = sorted((shared / "data" / "fib250" / "grayscale").glob("*.png"))
    if len(files) != SIDE:
        pytest.skip("needs the image stack fib250/grayscale")
    volume = np.zeros((WHOLE,) * 3, np.uint8)
    for z, file in enumerate(files):
        volume[z, :SIDE, :SIDE] = np.asarray(Image.open(file))
    return volume


def as_type(typename: str, gray: np.ndarray) -> np.ndarray:
    """The volume in another kind of voxels, all of whose bytes are in use."""
    kind = KIND_OF[typename]
    if kind.dtype.kind == "f":
        return np.asarray((gray.astype("<f4") - 128) / 3)
    if kind.itemsize == 1:
        return gray
    factor = 0x0101010101010101 >> (64 - 8 * kind.itemsize)
    return np.asarray(gray.astype(kind.dtype) * kind.dtype.type(factor))


def halved(typename: str, volume: np.ndarray) -> np.ndarray:
    kind = KIND_OF[typename]
    values = kind.values(volume).reshape(*volume.shape, -1)
    return np.asarray(
        kind.voxels((halve_real_plain if kind.dtype.kind == "f" else halve_whole_plain)(values)).reshape(
            [side // 2 for side in volume.shape]
        )
    )


class Types:
    """One instance of each type; versions root, main and side."""

    def __init__(self, url: str, session: requests.Session, stack: np.ndarray) -> None:
        self.url, self.session = url, session
        self.root = self.call("POST", "/api/repos", b'{"alias": "types"}').json()["root"]
        self.volumes = {name: {"root": as_type(name, stack)} for name in KIND_OF}
        for name in KIND_OF:
            body = (
                b'{"typename": "%b", "dataname": "%b", "BlockSize": "64,32,16", "Pyramid": "2", "VoxelSize": "1,1,1"}'
            )
            self.call("POST", f"/api/repo/{self.root}/instance", body % (name.encode(), name.encode()))
            self.post("root", self.root, name, (0, 0, 0), self.volumes[name]["root"])
        self.uuids = {"root": self.root}
        self.commit("root")
        self.uuids["main"] = self.child("newversion", b"{}")
        self.uuids["side"] = self.child("branch", b'{"branch": "side"}')
        for version in ("main", "side"):
            for name in KIND_OF:
                self.edit(version, name)
            self.commit(version)

    def call(self, method: str, path: str, body: bytes = b"") -> requests.Response:
        answer = self.session.request(method, self.url + path, data=body, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer

    def get(self, version: str, rest: str) -> bytes:
        return self.call("GET", f"/api/node/{self.uuids[version]}/{rest}").content

    def post(self, version: str, uuid: str, name: str, start: tuple[int, ...], voxels: np.ndarray) -> None:
        place = "{2}_{1}_{0}/{5}_{4}_{3}".format(*voxels.shape, *start)
        self.call("POST", f"/api/node/{uuid}/{name}/raw/0_1_2/{place}", voxels.tobytes())

    def edit(self, version: str, name: str) -> None:
        volume = self.volumes[name]["root"].copy()
        for place, shift in EDITS[version]:
            volume[place] = volume[place][::-1] // shift if volume.dtype.kind != "f" else -volume[place] / shift
            self.post(version, self.uuids[version], name, tuple(part.start for part in place), volume[place])
        self.volumes[name][version] = volume

    def commit(self, version: str) -> None:
        """Its lower resolutions are up to date then; while they are many, the server asks for patience."""
        for _ in range(10):
            path = f"{self.url}/api/node/{self.uuids[version]}/commit"
            if self.session.post(path, data=b'{"note": "done"}', timeout=120).status_code == 200:
                return
        raise AssertionError(f"{version} cannot be committed")

    def child(self, action: str, body: bytes) -> str:
        return str(self.call("POST", f"/api/node/{self.root}/{action}", body).json()["child"])


@pytest.fixture(scope="module")
def types(stack: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Types]:
    server = ServerProcess(tmp_path_factory.mktemp("types"))
    server.start()
    try:
        with requests.Session() as session:
            yield Types(server.url, session, stack)
    finally:
        server.stop()
    with closing(Datastore(server.settings)) as opened:
        demand_sound(opened)


@pytest.fixture(params=KIND_OF)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pixels(body: bytes, dtype: Any) -> np.ndarray:
    """(height, width) voxels of a PNG whose lines are all filtered by the pixel on the left."""
    at, packed, head = 8, b"", b""
    while at < len(body):
        size, kind = struct.unpack_from(">I4s", body, at)
        chunk = body[at + 8 : at + 8 + size]
        packed += chunk if kind == b"IDAT" else b""
        head = chunk if kind == b"IHDR" else head
        at += 12 + size
    width, height, depth, colour = struct.unpack_from(">2I2B", head)
    step = depth // 8 * (4 if colour == 6 else 1)
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * step)
    assert (lines[:, 0] == 1).all()
    plain = np.cumsum(lines[:, 1:].reshape(height, width, step), axis=1, dtype=np.uint8)
    if (depth, colour) == (16, 0):  # colours of 16 bits are the bytes as they are stored
        plain = plain.reshape(height, width, -1, 2)[..., ::-1]
    return np.ascontiguousarray(plain).reshape(height, -1).view(dtype)


def test_volumes_of_every_level(types: Types, name: str) -> None:
    for version, volume in types.volumes[name].items():
        level = volume
        assert types.get(version, f"{name}/raw/0_1_2/250_250_250/0_0_0") == volume[:SIDE, :SIDE, :SIDE].tobytes()
        for number in range(1, LEVELS + 1):
            level = halved(name, level)
            size = WHOLE >> number
            assert types.get(version, f"{name}_{number}/raw/0_1_2/{size}_{size}_{size}/0_0_0") == level.tobytes()
            info = types.call("GET", f"/api/node/{types.uuids[version]}/{name}_{number}/info").json()
            assert info["Extents"]["MaxPoint"] == [size - 1] * 3
            assert info["Extended"]["VoxelSize"] == [1 << number] * 3


def test_slices(types: Types, name: str) -> None:
    for version, volume in types.volumes[name].items():
        for plane, place, part in (
            ("xy", "5_9_30", volume[30, 9:209, 5:105]),
            ("xz", "5_40_9", volume[9:209, 40, 5:105]),
            ("yz", "80_5_9", volume[9:209, 5:105, 80]),
        ):
            found = pixels(types.get(version, f"{name}/raw/{plane}/100_200/{place}"), volume.dtype)
            assert (found == part).all()


def trilinear(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values at places (3, n), in 64 bits."""
    low = np.floor(points).astype(int)
    share = points - low
    total = np.zeros(points.shape[1])
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod([part if high else 1 - part for part, high in zip(share, corner, strict=True)], axis=0)
        total += weight * values[tuple(low + np.array(corner)[:, None])].astype(float)
    return total


@pytest.mark.parametrize("name", [name for name in KIND_OF if name != "rgba8blk"])
def test_planes_of_any_direction(types: Types, name: str) -> None:
    start, right, down = np.array([[20.5, 30, 10], [90.5, 70, 40], [30.5, 20, 110]])  # x, y, z
    path = "/".join("_".join(map(str, corner)) for corner in (start, right, down))
    across, along = right - start, down - start
    width, height = (int(np.linalg.norm(side)) + 1 for side in (across, along))
    y, x = np.divmod(np.arange(width * height), width)
    steps = x * (across / (width - 1))[:, None] + y * (along / (height - 1))[:, None]
    points = (start[:, None] + steps)[::-1]
    for version, volume in types.volumes[name].items():
        found = pixels(types.get(version, f"{name}/arb/{path}/1"), volume.dtype)
        assert found.shape == (height, width)
        expected = trilinear(volume, points).reshape(height, width)
        assert found.astype(float) == pytest.approx(expected, rel=1e-5, abs=1)
        assert len(np.unique(found)) > 50


def blocks_of(body: bytes, dtype: Any) -> Iterator[tuple[tuple[slice, ...], np.ndarray]]:
    """(place, voxels) of a stream of uncompressed blocks."""
    at = 0
    while at < len(body):
        x, y, z, size = struct.unpack_from("<4i", body, at)
        corner = [index * side for index, side in zip((z, y, x), BLOCK, strict=True)]
        place = tuple(slice(low, low + side) for low, side in zip(corner, BLOCK, strict=True))
        yield place, np.frombuffer(body, dtype, size // np.dtype(dtype).itemsize, at + 16).reshape(BLOCK)
        at += 16 + size


def test_streams_of_blocks(types: Types, name: str) -> None:
    for version, volume in types.volumes[name].items():
        box = types.get(version, f"{name}/subvolblocks/128_64_64/64_32_16?compression=uncompressed")
        some = types.get(version, f"{name}/specificblocks?blocks=3,7,15,0,0,0,1,1,1&compression=uncompressed")
        for body, count in ((box, 2 * 2 * 4), (some, 3)):
            found = list(blocks_of(body, volume.dtype))
            assert len(found) == count
            assert all((volume[place] == voxels).all() for place, voxels in found)
        row = types.get(version, f"{name}/blocks/0_2_3/4")
        assert row == b"".join(volume[48:64, 64:96, x : x + 64].tobytes() for x in range(0, WHOLE, 64))


def test_masks(types: Types, name: str) -> None:
    """Inside a region of interest everything is shown; outside, 8-bit voxels are dimmed, others are 0."""
    kinds = types.call("GET", "/api/server/compiled-types").json()
    if "roi" not in kinds:
        pytest.skip("needs the type roi")
    body = b'{"typename": "roi", "dataname": "r-%b", "BlockSize": "64,32,16"}' % name.encode()
    open_version = types.uuids.setdefault("open-" + name, "")
    if not open_version:
        given = b'{"branch": "masks-%b"}' % name.encode()
        types.uuids["open-" + name] = types.child("branch", given)
    types.call("POST", f"/api/repo/{types.uuids['open-' + name]}/instance", body)
    types.call("POST", f"/api/node/{types.uuids['open-' + name]}/r-{name}/roi", b"[[1,1,0,1],[2,0,1,1]]")
    volume = types.volumes[name]["root"]
    inside = np.zeros(volume.shape, bool)
    inside[16:32, 32:64, 0:128] = inside[32:48, 0:32, 64:128] = True
    found = types.get("open-" + name, f"{name}/raw/0_1_2/128_64_64/0_0_0?roi=r-{name}&attenuation=2")
    dimmed = volume >> 2 if name == "uint8blk" else np.zeros_like(volume)
    assert found == np.where(inside, volume, dimmed)[:64, :64, :128].tobytes()
