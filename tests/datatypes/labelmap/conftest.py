from __future__ import annotations

import struct
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from dvidpy.api.front import Front
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels import packing
from dvidpy.versioning.check import Report, check_datastore
from dvidpy.versioning.datastore import Datastore

Labels = NDArray[np.uint64]
Point = tuple[int, int, int]


def text_of(point: Iterable[int]) -> str:
    return "_".join(map(str, point))


def size_of(labels: Labels) -> str:
    return text_of(labels.shape[::-1])


def stream_of(blocks: dict[Point, Labels]) -> bytes:
    """Blocks by x, y, z -> the body that POST blocks takes."""
    found = []
    for place, volume in blocks.items():
        member = packing.pack(codec.from_volume(volume).encode(), "gzip")
        found += [struct.pack("<4i", *place, len(member)), member]
    return b"".join(found)


def blocks_in(stream: bytes) -> dict[Point, bytes]:
    """An answer of GET blocks -> the bytes of each block by x, y, z, in their order."""
    found, at = {}, 0
    while at < len(stream):
        x, y, z, size = struct.unpack_from("<4i", stream, at)
        found[x, y, z] = stream[at + 16 : at + 16 + size]
        at += 16 + size
    return found


def halved(volume: Labels) -> Labels:
    """Half the sides, voxel by voxel: most votes but background's, the smaller label of several."""
    depth, height, width = (side // 2 for side in volume.shape)
    eights = volume.reshape(depth, 2, height, 2, width, 2).transpose(0, 2, 4, 1, 3, 5).reshape(depth, height, width, 8)
    out = np.zeros((depth, height, width), np.uint64)
    for place in np.ndindex(out.shape):
        labels, votes = np.unique(eights[place][eights[place] > 0], return_counts=True)
        if labels.size:
            out[place] = labels[votes.argmax()]
    return out


class Segs:
    """Labelmap instances of one repo over HTTP; arrays are (z, y, x), points and sizes of requests x, y, z."""

    def __init__(self, client: TestClient, root: str, datastore: Datastore) -> None:
        self.client = client
        self.root = root
        self.datastore = datastore

    def new(self, name: str = "seg", block: Point = (16, 16, 16), levels: int = 2, **settings: str) -> str:
        """Path of a new instance at the root."""
        given = {"typename": "labelmap", "dataname": name, "BlockSize": ",".join(map(str, block)), **settings}
        self.call("POST", f"/api/repo/{self.root}/instance", json={**given, "MaxDownresLevel": str(levels)})
        return f"/api/node/{self.root}/{name}"

    def call(self, method: str, path: str, **options: Any) -> bytes:
        answer = self.client.request(method, path, **options)
        assert answer.status_code == 200, answer.text
        return bytes(answer.content)

    def status(self, method: str, path: str, body: bytes = b"") -> int:
        answer = self.client.request(method, path, content=body)
        assert answer.status_code == 200 or answer.headers["content-type"].startswith("text/plain")
        return int(answer.status_code)

    def post(self, path: str, offset: Point, labels: Labels, query: str = "") -> None:
        body = labels.astype("<u8").tobytes()
        self.call("POST", f"{path}/raw/0_1_2/{size_of(labels)}/{text_of(offset)}{query}", content=body)

    def get(self, path: str, offset: Point, size: Point, query: str = "") -> Labels:
        body = self.call("GET", f"{path}/raw/0_1_2/{text_of(size)}/{text_of(offset)}{query}")
        return np.frombuffer(body, "<u8").reshape(size[::-1])

    def post_blocks(self, path: str, blocks: dict[Point, Labels], query: str = "", route: str = "blocks") -> None:
        self.call("POST", f"{path}/{route}{query}", content=stream_of(blocks))

    def soundness(self) -> list[str]:
        """Faults that `dvidpy check` finds once background work is done."""
        return self.report().faults

    def report(self) -> Report:
        """What `dvidpy check` finds once background work is done."""
        datastore = self.datastore
        until = time.monotonic() + 20
        while any(queue.length() for queue in datastore.queues()) and time.monotonic() < until:
            time.sleep(0.01)
        return check_datastore(datastore)

    def child(self, uuid: str, branch: str = "") -> str:
        """A new child; its parent is committed."""
        self.client.post(f"/api/node/{uuid}/commit", json={"note": "done"})
        action, body = ("branch", {"branch": branch}) if branch else ("newversion", {})
        return str(self.client.post(f"/api/node/{uuid}/{action}", json=body).json()["child"])


@pytest.fixture
def segs(client: TestClient, repo: str, app: Front) -> Segs:
    return Segs(client, repo, app._server.datastore)
