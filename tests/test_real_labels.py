"""Real segmentations through labelmap: in over HTTP, read back at every scale and version, beside numpy."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import requests
from conftest import demand_sound
from datatypes.labelmap.conftest import Labels, Point, blocks_in, size_of, stream_of, text_of
from PIL import Image
from servers import ServerProcess

from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.downres import halved
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.datastore import Datastore

SIDE, WHOLE, LEVELS = 250, 256, 3


class Posted:
    """The volume in an instance, half by raw, half by blocks; then a version in which a part is replaced."""

    def __init__(self, url: str, session: requests.Session, whole: Labels) -> None:
        self.session, self.url = session, url
        root = self.call("POST", "/api/repos", b'{"alias": "fib"}').json()["root"]
        self.call(
            "POST", f"/api/repo/{root}/instance", b'{"typename": "labelmap", "dataname": "seg", "MaxDownresLevel": "3"}'
        )
        self.post(root, (0, 0, 0), whole[:128])
        places = [(x, y, z) for z in (2, 3) for y in range(4) for x in range(4)]
        cut = {(x, y, z): whole[64 * z : 64 * z + 64, 64 * y : 64 * y + 64, 64 * x : 64 * x + 64] for x, y, z in places}
        self.call("POST", f"/api/node/{root}/seg/blocks?downres=true", stream_of(cut))
        self.call("POST", f"/api/node/{root}/commit", b'{"note": "done"}')
        child = self.call("POST", f"/api/node/{root}/newversion", b"{}").json()["child"]
        changed = whole.copy()
        changed[64:128, 128:192, :128] = whole[:64, :64, 64:192] + np.uint64(2**40)
        self.post(child, (0, 128, 64), changed[64:128, 128:192, :128])
        self.versions = {root: whole, child: changed}

    def call(self, method: str, path: str, body: bytes = b"") -> requests.Response:
        answer = self.session.request(method, self.url + path, data=body, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer

    def post(self, uuid: str, offset: Point, labels: Labels) -> None:
        body = gzip.compress(np.ascontiguousarray(labels).tobytes(), 1)
        self.call("POST", f"/api/node/{uuid}/seg/raw/0_1_2/{size_of(labels)}/{text_of(offset)}?compression=gzip", body)

    def get(self, uuid: str, rest: str, body: bytes = b"") -> bytes:
        return self.call("GET", f"/api/node/{uuid}/seg/{rest}", body).content


@pytest.fixture(scope="module")
def whole(shared: Path) -> Labels:
    files = sorted((shared / "data" / "fib250" / "labels").glob("*.png"))
    if len(files) != SIDE:
        pytest.skip("needs the segmentation fib250/labels")
    found = np.zeros((WHOLE,) * 3, np.uint64)
    for z, file in enumerate(files):
        found[z, :SIDE, :SIDE] = np.asarray(Image.open(file))
    return found


@pytest.fixture(scope="module")
def posted(whole: Labels, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Posted]:
    server = ServerProcess(tmp_path_factory.mktemp("labels"))
    server.start()
    try:
        with requests.Session() as session:
            yield Posted(server.url, session, whole)
    finally:
        server.stop()
    load_types()
    with closing(Datastore(server.settings)) as datastore:
        demand_sound(datastore)


def test_every_scale_of_every_version_reads_back(posted: Posted) -> None:
    for uuid, labels in posted.versions.items():
        for scale in range(LEVELS + 1):
            size = size_of(labels)
            assert posted.get(uuid, f"raw/0_1_2/{size}/0_0_0?scale={scale}") == labels.tobytes(), (uuid, scale)
            labels = halved(labels)  # noqa: PLW2901  # the next scale


def test_boxes_blocks_and_points_read_back(posted: Posted) -> None:
    draw = np.random.default_rng(4)
    for uuid, labels in posted.versions.items():
        for _ in range(10):
            (x, y, z), (w, h, d) = draw.integers(0, 200, 3).tolist(), draw.integers(1, 56, 3).tolist()
            part = np.ascontiguousarray(labels[z : z + d, y : y + h, x : x + w])
            assert posted.get(uuid, f"raw/0_1_2/{w}_{h}_{d}/{x}_{y}_{z}") == part.tobytes()
        points = draw.integers(0, WHOLE, (3000, 3))
        want = labels[points[:, 2], points[:, 1], points[:, 0]].tolist()
        assert json.loads(posted.get(uuid, "labels", json.dumps(points.tolist()).encode())) == want
        for (x, y, z), body in blocks_in(posted.get(uuid, "blocks/128_128_128/64_64_64?compression=blocks")).items():
            block = codec.to_volume(codec.parse(gzip.decompress(body), (64, 64, 64)))
            assert np.array_equal(block, labels[64 * z : 64 * z + 64, 64 * y : 64 * y + 64, 64 * x : 64 * x + 64])


def test_a_block_of_the_reference_is_kept_as_it_is(posted: Posted, shared: Path) -> None:
    folder = shared / "data" / "label-blocks"
    member = (folder / "fib19-64x64x64-sample1-block.dat.gz").read_bytes()
    (uuid,) = [uuid for uuid in posted.versions if uuid != next(iter(posted.versions))]
    posted.call(
        "POST", f"/api/node/{uuid}/seg/blocks?downres=true", struct.pack("<4i", 10, 10, -3, len(member)) + member
    )
    assert blocks_in(posted.get(uuid, "specificblocks?blocks=10,10,-3")) == {(10, 10, -3): member}
    plain = gzip.decompress((folder / "fib19-64x64x64-sample1.dat.gz").read_bytes())
    assert posted.get(uuid, "raw/0_1_2/64_64_64/640_640_-192") == plain
    coarse = halved(np.frombuffer(plain, "<u8").reshape(64, 64, 64))
    assert posted.get(uuid, "raw/0_1_2/32_32_32/320_320_-96?scale=1") == coarse.tobytes()
