"""The same segmentation and the same edits, given to all types of labels: voxels and sparse volumes are the same."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from datatypes.labelarray.test_labelarray import runs_of
from datatypes.labelmap.conftest import Labels
from PIL import Image
from servers import ServerProcess

from dvidpy.datatypes.labels.runs import in_order
from dvidpy.datatypes.labels.sparsevol import parse_rles

SIDE = 192
PATHS = {"labelmap": ("map", "map"), "labelarray": ("array", "array"), "labelblk and labelvol": ("blk", "vol")}
"""Instances that have the voxels, and the sparse volumes."""


@pytest.fixture(scope="module")
def whole(shared: Path) -> Labels:
    files = sorted((shared / "data" / "fib250" / "labels").glob("*.png"))[:SIDE]
    if len(files) != SIDE:
        pytest.skip("needs the segmentation fib250/labels")
    return np.stack([np.asarray(Image.open(file))[:SIDE, :SIDE] for file in files]).astype(np.uint64)


class Everywhere:
    """One instance of each type."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self.session = session
        self.url = url
        root = self.call("POST", "/api/repos", json={"alias": "all"}).json()["root"]
        self.node = f"/api/node/{root}"
        for kind, name in (("labelmap", "map"), ("labelarray", "array"), ("labelblk", "blk"), ("labelvol", "vol")):
            settings = {"typename": kind, "dataname": name, "BlockSize": "64,64,64"}
            self.call("POST", f"/api/repo/{root}/instance", json=settings)
        for name, other in (("blk", "vol"), ("vol", "blk")):
            self.call("POST", f"{self.node}/{name}/sync", json={"sync": other})

    def call(self, method: str, path: str, **options: object) -> requests.Response:
        answer = self.session.request(method, self.url + path, timeout=120, **options)  # type: ignore[arg-type]
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer

    def post_voxels(self, labels: Labels) -> None:
        body, size = gzip.compress(labels.astype("<u8").tobytes(), 1), "_".join(map(str, labels.shape[::-1]))
        for name, _ in PATHS.values():
            self.call("POST", f"{self.node}/{name}/raw/0_1_2/{size}/0_0_0?compression=gzip", data=body)

    def edit(self, path: str, **options: object) -> None:
        for _, name in PATHS.values():
            self.call("POST", f"{self.node}/{name}/{path}", **options)

    def child(self, branch: str) -> str:
        """A child of the version, which is committed then."""
        self.session.post(f"{self.url}{self.node}/commit", json={"note": "edited"}, timeout=120)
        child = self.call("POST", f"{self.node}/branch", json={"branch": branch}).json()["child"]
        return f"/api/node/{child}"

    def demand_same(self, expected: Labels, labels: list[int]) -> None:
        self.call("GET", f"{self.node}/vol/info?wait=true")
        for voxels, bodies in PATHS.values():
            body = self.call("GET", f"{self.node}/{voxels}/raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0").content
            assert np.array_equal(np.frombuffer(body, "<u8").reshape(expected.shape), expected), voxels
            for label in labels:
                found = self.call("GET", f"{self.node}/{bodies}/sparsevol/{label}").content
                assert np.array_equal(in_order(parse_rles(found)), in_order(parse_rles(runs_of(expected == label))))


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everywhere]:
    folder = tmp_path_factory.mktemp("types")
    config = folder / "dvidpy.toml"
    config.write_text("[server]\nallowLabelmapSplit = true\n[store.main]\nengine = 'leveldb'\npath = 'data'\n")
    server = ServerProcess(folder, str(config))
    server.start()
    with requests.Session() as session:
        yield Everywhere(server.url, session)
    server.stop()


def test_all_types_agree(everywhere: Everywhere, whole: Labels) -> None:
    expected = whole.copy()
    everywhere.post_voxels(whole)
    labels, sizes = np.unique(whole[whole > 0], return_counts=True)
    large = [int(label) for label in labels[np.argsort(sizes)[::-1][:12]]]
    everywhere.demand_same(expected, large)

    everywhere.edit("merge", json=large[:4])
    expected[np.isin(expected, large[1:4])] = large[0]
    everywhere.edit("merge", json=[large[4], large[5]])
    expected[expected == large[5]] = large[4]
    everywhere.demand_same(expected, [large[0], large[4], *large[6:]])

    new = [int(labels.max()) + 1000 * far for far in (1, 2, 3)]  # a labelmap takes labels behind them for supervoxels
    for at, label in enumerate((large[0], large[4], large[6])):
        inside = np.zeros(expected.shape, np.bool_)
        inside[:, 20 * at : 100 + 20 * at, 50:120] = True
        inside &= expected == label
        everywhere.edit(f"split/{label}?splitlabel={new[at]}", data=runs_of(inside))
        expected[inside] = new[at]
    everywhere.demand_same(expected, [*new, large[0], large[4], *large[6:]])

    edited = []
    for at, node in enumerate([everywhere.child(branch) for branch in ("one", "other")]):
        everywhere.node, here = node, expected.copy()
        everywhere.edit("merge", json=[large[8 + at], large[6]])
        here[here == large[6]] = large[8 + at]
        inside = (here == new[at]) & (np.arange(SIDE) < 90)
        everywhere.edit(f"split/{new[at]}?splitlabel={new[2] + 1000}", data=runs_of(inside))
        here[inside] = new[2] + 1000
        edited.append((node, here, [large[8 + at], new[at], new[2] + 1000]))
    for everywhere.node, here, changed in edited:
        everywhere.demand_same(here, changed)
