"""A real FIB-SEM volume through every layer: in over HTTP, edited on two branches, read back at every version."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import lz4.block
import numpy as np
import pytest
import requests
from conftest import demand_sound
from PIL import Image
from servers import ServerProcess

from dvidpy.versioning.datastore import Datastore

BLOCK, SIDE, WHOLE = 32, 250, 256
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def stack(shared: Path) -> np.ndarray:
    """(z, y, x) of 250^3 voxels, and zeros up to whole blocks."""
    files = sorted((shared / "data" / "fib250" / "grayscale").glob("*.png"))
    if len(files) != SIDE:
        pytest.skip("needs the image stack fib250/grayscale")
    volume = np.zeros((WHOLE,) * 3, np.uint8)
    for z, file in enumerate(files):
        volume[z, :SIDE, :SIDE] = np.asarray(Image.open(file))
    return volume


class Grown:
    """The volume in a repo: root, then two branches with edits of their own, one of them a version deeper."""

    def __init__(self, url: str, session: requests.Session, stack: np.ndarray) -> None:
        self.url, self.session = url, session
        root = self.call("POST", "/api/repos", b'{"alias": "fib"}').json()["root"]
        body = b'{"typename": "uint8blk", "dataname": "gray", "VoxelSize": "10,10,10"}'
        self.call("POST", f"/api/repo/{root}/instance", body)
        for z in range(0, WHOLE, 64):  # as loaders do, slab by slab
            self.post(root, (0, 0, z), stack[z : z + 64])
        self.versions: Arrays = {root: stack}
        self.root = root
        self.commit(root)
        main = self.child(root, "newversion", b"{}")
        self.edit(main, root, (32, 64, 96), 255 - stack[96:160, 64:96, 32:128])
        side = self.child(root, "branch", b'{"branch": "side"}')
        self.edit(side, root, (0, 0, 0), np.full((64, 64, 64), 7, np.uint8))
        self.commit(main)
        deeper = self.child(main, "newversion", b"{}")
        self.edit(deeper, main, (32, 64, 96), stack[96:128, 64:96, 32:64])
        self.edit(deeper, deeper, (192, 192, 224), stack[0:32, 0:64, 0:64])

    def call(self, method: str, path: str, body: bytes = b"") -> requests.Response:
        answer = self.session.request(method, self.url + path, data=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer

    def get(self, uuid: str, rest: str) -> bytes:
        return self.call("GET", f"/api/node/{uuid}/gray/{rest}").content

    def post(self, uuid: str, offset: tuple[int, int, int], voxels: np.ndarray) -> None:
        place = "{2}_{1}_{0}/".format(*voxels.shape) + "_".join(map(str, offset))
        self.call("POST", f"/api/node/{uuid}/gray/raw/0_1_2/{place}", voxels.tobytes())

    def edit(self, uuid: str, before: str, offset: tuple[int, int, int], voxels: np.ndarray) -> None:
        self.post(uuid, offset, voxels)
        volume = self.versions[before].copy()
        place = tuple(slice(a, a + n) for a, n in zip(offset[::-1], voxels.shape, strict=True))
        volume[place] = voxels
        self.versions[uuid] = volume

    def commit(self, uuid: str) -> None:
        self.call("POST", f"/api/node/{uuid}/commit", b'{"note": "done"}')

    def child(self, uuid: str, action: str, body: bytes) -> str:
        return str(self.call("POST", f"/api/node/{uuid}/{action}", body).json()["child"])


@pytest.fixture(scope="module")
def grown(stack: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    server = ServerProcess(tmp_path_factory.mktemp("fib"))
    server.start()
    try:
        with requests.Session() as session:
            yield Grown(server.url, session, stack)
    finally:
        server.stop()
    with closing(Datastore(server.settings)) as opened:
        demand_sound(opened)


def picture(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)))


def test_there_are_four_versions_and_all_differ(grown: Grown) -> None:
    assert len({volume.tobytes() for volume in grown.versions.values()}) == 4


def test_whole_volumes(grown: Grown) -> None:
    for uuid, volume in grown.versions.items():
        assert grown.get(uuid, "raw/0_1_2/250_250_250/0_0_0") == volume[:SIDE, :SIDE, :SIDE].tobytes()


def test_subvolumes_anywhere(grown: Grown) -> None:
    noise = np.random.default_rng(7)
    for uuid, volume in grown.versions.items():
        padded = np.pad(volume, 64)
        for _ in range(12):
            start, size = noise.integers(-64, 220, 3), noise.integers(1, 100, 3)
            found = grown.get(uuid, "raw/0_1_2/{2}_{1}_{0}/{5}_{4}_{3}".format(*size, *start))
            part = padded[tuple(slice(a + 64, a + 64 + n) for a, n in zip(start, size, strict=True))]
            assert found == part[: size[0], : size[1], : size[2]].tobytes()


def test_slices_in_three_planes(grown: Grown) -> None:
    for uuid, volume in grown.versions.items():
        assert (picture(grown.get(uuid, "raw/xy/250_250/0_0_100")) == volume[100, :SIDE, :SIDE]).all()
        assert (picture(grown.get(uuid, "raw/xz/250_250/0_70_0")) == volume[:SIDE, 70, :SIDE]).all()
        assert (picture(grown.get(uuid, "raw/yz/250_250/40_0_0/tif")) == volume[:SIDE, :SIDE, 40]).all()
        lossy = picture(grown.get(uuid, "raw/xy/250_250/0_0_100/jpg:95")).astype(int)
        assert np.abs(lossy - volume[100, :SIDE, :SIDE]).mean() < 3


def test_planes_of_any_direction_on_the_grid(grown: Grown) -> None:
    for uuid, volume in grown.versions.items():
        found = picture(grown.get(uuid, "arb/0_700_0/2490_700_0/0_700_2490/10"))
        assert (found == volume[:SIDE, 70, :SIDE]).all()


def test_blocks(grown: Grown) -> None:
    for uuid, volume in grown.versions.items():
        row = grown.get(uuid, "blocks/0_2_3/8")
        blocks = [volume[96:128, 64:96, x : x + BLOCK].tobytes() for x in range(0, WHOLE, BLOCK)]
        assert row == b"".join(blocks)
        body = grown.get(uuid, "subvolblocks/128_64_64/0_32_96")
        found = 0
        while body:
            x, y, z, size = struct.unpack_from("<4i", body)
            plain = lz4.block.decompress(body[20 : 16 + size], uncompressed_size=BLOCK**3)
            low = [BLOCK * index for index in (z, y, x)]
            assert plain == volume[tuple(slice(a, a + BLOCK) for a in low)].tobytes()
            body, found = body[16 + size :], found + 1
        assert found == 4 * 2 * 2


def test_extents_are_those_of_the_stack(grown: Grown) -> None:
    for uuid in grown.versions:
        info = grown.call("GET", f"/api/node/{uuid}/gray/info").json()
        assert info["Extents"] == {"MinPoint": [0, 0, 0], "MaxPoint": [255, 255, 255]}
