"""labelblk and labelvol that follow each other, over HTTP: both always come to the same, whatever happens at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
from datatypes.labelarray.test_labelarray import SHAPE, SIDE, rles, runs_of, volume, voxels_of
from datatypes.labelmap.conftest import Labels, Segs

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.intake import rewrite
from dvidpy.datatypes.labelvol.instance import LabelVol


class Pair(NamedTuple):
    segs: Segs
    voxels: str
    bodies: str

    def settled(self) -> None:
        info = json.loads(self.segs.call("GET", f"{self.bodies}/info?wait=true"))
        assert info["Base"]["Syncs"]

    def demand_agrees(self, expected: Labels, bodies: Labels | None = None) -> None:
        """Voxels of the labelblk are those expected, and sparse volumes too, or those of `bodies`."""
        self.settled()
        assert np.array_equal(self.segs.get(self.voxels, (0, 0, 0), SHAPE[::-1]), expected)
        shown = expected if bodies is None else bodies
        for label in np.unique(expected[expected > 0]).tolist():
            answer = self.segs.client.get(f"{self.bodies}/sparsevol/{label}")
            assert answer.status_code == (200 if (shown == label).any() else 404)
            if answer.status_code == 200:
                assert np.array_equal(voxels_of(answer.content), shown == label)
        assert self.segs.soundness() == []


def pair_of(segs: Segs, block: tuple[int, int, int] = (SIDE, SIDE, SIDE)) -> Pair:
    voxels = segs.new("blk", typename="labelblk")
    bodies = segs.new("vol", block=block, typename="labelvol")
    segs.call("POST", f"{voxels}/sync", json={"sync": "vol"})
    segs.call("POST", f"{bodies}/sync", json={"sync": "blk"})
    return Pair(segs, voxels, bodies)


@pytest.fixture
def pair(segs: Segs) -> Pair:
    return pair_of(segs)


def test_posts_and_edits_in_turn(pair: Pair) -> None:
    """Edits are made of what was posted before, without waiting for it; and the other way round."""
    expected, random = volume(1), np.random.default_rng(1)
    pair.segs.post(pair.voxels, (0, 0, 0), expected)
    for turn in range(3):
        labels = random.permutation(np.unique(expected[expected > 0]))[:3].tolist()
        pair.segs.call("POST", f"{pair.bodies}/merge", json=labels)
        expected[np.isin(expected, labels[1:])] = labels[0]

        part = volume(20 + turn)[:16, :16, :16].copy()
        pair.segs.post(pair.voxels, (16, 0, 16), part, "?mutate=true")
        expected[16:, :16, 16:32] = part

        inside = (random.random(SHAPE) < 0.3) & (expected == labels[0])
        new = json.loads(pair.segs.call("POST", f"{pair.bodies}/split/{labels[0]}", content=runs_of(inside)))["label"]
        expected[inside & (expected == labels[0])] = new

        whole = (expected == labels[0]).reshape([n for side in SHAPE for n in (side // SIDE, SIDE)])
        blocks = (random.random(whole.shape[::2]) < 0.5) & whole.any(axis=(1, 3, 5))
        body = runs_of(blocks)
        new = json.loads(pair.segs.call("POST", f"{pair.bodies}/split-coarse/{labels[0]}", content=body))["label"]
        expected[np.kron(blocks, np.ones((SIDE,) * 3, np.bool_)) & (expected == labels[0])] = new
    pair.demand_agrees(expected)


def test_a_split_is_of_a_part_of_the_label(pair: Pair) -> None:
    expected = volume(2)
    pair.segs.post(pair.voxels, (0, 0, 0), expected)
    inside = expected == 3
    pair.settled()
    for route, body in (
        ("split/3", runs_of(np.ones(SHAPE, np.bool_))),
        ("split/99", runs_of(inside)),
        ("split-coarse/3", rles([(99, 0, 0, 2)])),
    ):
        before = json.loads(pair.segs.call("GET", f"{pair.bodies}/nextlabel"))["nextlabel"]
        assert pair.segs.status("POST", f"{pair.bodies}/{route}", body) == 400
        after = json.loads(pair.segs.call("GET", f"{pair.bodies}/nextlabel"))["nextlabel"]
        assert after == before + 1  # used up, as in the reference
    pair.demand_agrees(expected)


def test_formats_scales_and_coarse_bounds_are_not_looked_at(pair: Pair) -> None:
    pair.segs.post(pair.voxels, (0, 0, 0), volume(2))
    pair.demand_agrees(volume(2))
    for route, query in (("sparsevol/3", "format=blocks&scale=1"), ("sparsevol-coarse/3", "minx=1000")):
        plain = pair.segs.call("GET", f"{pair.bodies}/{route}")
        assert pair.segs.call("GET", f"{pair.bodies}/{route}?{query}") == plain
    head = pair.segs.call("GET", f"{pair.bodies}/sparsevol/3?minx=1000")
    assert head == bytes([0, 3, 0, 0]) + bytes(8)


def test_blocks_of_different_sizes_are_followed_but_not_edited(segs: Segs) -> None:
    pair, expected = pair_of(segs, (32, 16, 32)), volume(2)
    segs.post(pair.voxels, (0, 0, 0), expected)
    pair.demand_agrees(expected)
    assert segs.status("POST", f"{pair.bodies}/merge", b"[3, 4]") == 400
    pair.demand_agrees(expected)


def test_posts_and_merges_at_once_leave_both_the_same(pair: Pair) -> None:
    pair.segs.post(pair.voxels, (0, 0, 0), volume(3, labels=12))

    def post(seed: int) -> None:
        for _ in range(30):
            pair.segs.post(pair.voxels, (0, 0, 0), volume(seed, labels=12))

    with ThreadPoolExecutor(1) as threads:
        posting = threads.submit(post, 4)
        for label in range(2, 8):
            pair.segs.call("POST", f"{pair.bodies}/merge", json=[1, label])
        posting.result()
    pair.settled()
    pair.demand_agrees(pair.segs.get(pair.voxels, (0, 0, 0), SHAPE[::-1]))


def test_a_part_that_was_forgotten_is_made_again(pair: Pair) -> None:
    expected = volume(5)
    pair.segs.post(pair.voxels, (0, 0, 0), expected)
    pair.settled()
    pair.segs.call("DELETE", f"{pair.bodies}/area/3/32_16_16/0_0_16")
    left = expected.copy()
    left[16:, :16, :32][left[16:, :16, :32] == 3] = 0
    pair.demand_agrees(expected, left)
    pair.segs.call("POST", f"{pair.bodies}/resync/3", content=rles([(0, 0, 1, 2)]))
    pair.demand_agrees(expected)


def test_without_its_labelblk_a_labelvol_edits_itself(pair: Pair) -> None:
    expected = volume(6)
    pair.segs.post(pair.voxels, (0, 0, 0), expected)
    pair.settled()
    pair.segs.call("POST", f"{pair.bodies}/sync?replace=true", json={"sync": ""})
    pair.segs.call("POST", f"{pair.bodies}/merge", json=[3, 4])
    merged = np.where(expected == 4, np.uint64(3), expected)
    assert np.array_equal(pair.segs.get(pair.voxels, (0, 0, 0), SHAPE[::-1]), expected)
    assert np.array_equal(voxels_of(pair.segs.call("GET", f"{pair.bodies}/sparsevol/3")), merged == 3)
    assert pair.segs.status("POST", f"{pair.bodies}/resync/3", rles([(0, 0, 0, 1)])) == 400
    assert pair.segs.soundness() == []


def test_a_commit_waits_until_all_is_heard(pair: Pair) -> None:
    expected = volume(7)
    pair.segs.post(pair.voxels, (0, 0, 0), expected)
    child = pair.segs.child(pair.segs.root)
    assert np.array_equal(voxels_of(pair.segs.call("GET", f"{pair.bodies}/sparsevol/3")), expected == 3)
    later = Pair(pair.segs, *(path.replace(pair.segs.root, child) for path in pair[1:]))
    later.segs.call("POST", f"{later.bodies}/merge", json=[3, 4])
    later.demand_agrees(np.where(expected == 4, np.uint64(3), expected))
    pair.demand_agrees(expected)
    assert pair.segs.status("POST", f"{pair.bodies}/merge", b"[3, 5]") == 400


@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("DELETE", "area/3/16_16_8/0_0_0", b""),
        ("DELETE", "area/0/16_16_16/0_0_0", b""),
        ("DELETE", "area/3/16_16_16/1_0_0", b""),
        ("POST", "resync/3", b"x"),
        ("POST", "resync/0", rles([(0, 0, 0, 1)])),
        ("POST", "resync/3", rles([(0, 0, 0, 1_000_000_000)])),
        ("POST", "resync/3", rles([(1 << 30, 0, 0, 1)])),
        ("GET", "raw/0_1_2/16_16_16/0_0_0", b""),
        ("GET", "sparsevols-coarse/1/2", b""),
    ],
)
def test_what_makes_no_sense_is_refused(pair: Pair, method: str, route: str, body: bytes) -> None:
    expected = volume(8)
    pair.segs.post(pair.voxels, (0, 0, 0), expected)
    assert pair.segs.status(method, f"{pair.bodies}/{route}", body) == 400
    pair.demand_agrees(expected)


@pytest.mark.parametrize("block", [(SIDE, SIDE, SIDE), (32, 16, 32)])
def test_a_sync_brings_what_was_there_before(segs: Segs, block: tuple[int, int, int]) -> None:
    """Of all open versions, and instead of what another labelblk had there."""
    expected, other = volume(9), volume(10)[:16]
    first, second = segs.new("blk", typename="labelblk"), segs.new("other", typename="labelblk")
    bodies = segs.new("vol", block=block, typename="labelvol")
    segs.post(first, (0, 0, 0), expected)
    segs.post(second, (0, 16, 32), other)
    for name in ("other", "blk"):
        segs.call("POST", f"{bodies}/sync?replace=true", json={"sync": name})
        segs.call("GET", f"{bodies}/info?wait=true")
    segs.call("POST", f"{first}/sync", json={"sync": "vol"})
    Pair(segs, first, bodies).demand_agrees(expected)


def test_an_edit_right_after_the_sync_knows_everything(segs: Segs) -> None:
    voxels, bodies, expected = segs.new("blk", typename="labelblk"), segs.new("vol", typename="labelvol"), volume(11)
    segs.post(voxels, (0, 0, 0), expected)
    segs.call("POST", f"{voxels}/sync", json={"sync": "vol"})
    segs.call("POST", f"{bodies}/sync", json={"sync": "blk"})
    segs.call("POST", f"{bodies}/merge", json=[3, 4])
    Pair(segs, voxels, bodies).demand_agrees(np.where(expected == 4, np.uint64(3), expected))


def test_check_finds_blocks_that_are_not_those_of_the_labelblk(pair: Pair) -> None:
    expected = volume(12)
    pair.segs.post(pair.voxels, (0, 0, 0), expected)
    pair.settled()
    repo, node = pair.segs.datastore.catalogue.place(pair.segs.root)
    data = LabelVol(pair.segs.datastore, repo, node, repo.instances["vol"], None)
    before = stored_blocks.load_one(data, 0, (0, 0, 1))
    assert before is not None
    for block in (before.with_labels(before.labels + np.uint64(1)), before):
        with editing(data) as edit:
            rewrite(edit, {(0, 0, 1): block})
        found = pair.segs.soundness()
        assert bool(found) is (block is not before)
        assert all("block (1, 0, 0) is not that of 'blk'" in fault for fault in found)
