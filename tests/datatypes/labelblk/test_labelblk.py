"""labelblk over HTTP: one that follows another is it at half the resolution."""

from __future__ import annotations

import json

import numpy as np
import pytest
from datatypes.labelarray.test_labelarray import SHAPE, damaged, volume
from datatypes.labelmap.conftest import Labels, Segs

from dvidpy.datatypes.labelled.keys import block_key
from dvidpy.datatypes.labels.downres import halved_with_background


def voted(labels: Labels) -> Labels:
    """Voxel by voxel: most votes, background's too; the largest of several."""
    out = np.zeros([side // 2 for side in labels.shape], np.uint64)
    for z, y, x in np.ndindex(out.shape):
        found, votes = np.unique(labels[2 * z : 2 * z + 2, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2], return_counts=True)
        out[z, y, x] = found[votes == votes.max()].max()
    return out


def test_background_has_votes_and_the_largest_label_wins() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (8, 6, 10), np.uint64)
    labels[0] = 2**64 - 1
    assert np.array_equal(halved_with_background(labels), voted(labels))


@pytest.mark.parametrize("typename", ["labelblk", "labelarray"])
@pytest.mark.parametrize("block", [(16, 16, 16), (32, 16, 32)])
def test_halves_follow_one_another(segs: Segs, block: tuple[int, int, int], typename: str) -> None:
    full = segs.new("full", typename=typename, levels=0)
    half = segs.new("half", block=block, typename=typename, levels=0)
    quarter = segs.new("quarter", typename=typename, levels=0)
    segs.call("POST", f"{half}/sync", json={"sync": "full"})
    segs.call("POST", f"{quarter}/sync", json={"sync": "half"})
    expected = volume(1)
    segs.post(full, (0, 0, 0), expected)
    part = np.random.default_rng(1).integers(0, 3, (16, 16, 16), np.uint64)
    segs.post(full, (16, 16, 0), part)
    expected[:16, 16:, 16:32] = part
    segs.call("GET", f"{quarter}/info?wait=true")
    assert np.array_equal(segs.get(half, (0, 0, 0), (24, 16, 16)), voted(expected))
    assert np.array_equal(segs.get(quarter, (0, 0, 0), (12, 8, 8)), voted(voted(expected)))
    assert segs.soundness() == []


def test_info_is_the_reference_s(segs: Segs) -> None:
    path = segs.new("blk", typename="labelblk")
    segs.post(path, (0, 0, 0), volume(2))
    info = json.loads(segs.call("GET", f"{path}/info"))
    assert set(info) == {"Base", "Extended"}
    assert info["Extended"]["MaxPoint"] == [side - 1 for side in SHAPE[::-1]]
    assert "MaxDownresLevel" not in info["Extended"]


@pytest.mark.parametrize("given", [{"BlockSize": "20,20,20"}, {"compression": "jpeg"}, {"BlockSize": "0,16,16"}])
def test_settings_that_make_no_sense_are_refused(segs: Segs, given: dict[str, str]) -> None:
    body = json.dumps({"typename": "labelblk", "dataname": "blk", **given}).encode()
    assert segs.status("POST", f"/api/repo/{segs.root}/instance", body) == 400


@pytest.mark.parametrize("route", ["sparsevol/3", "maxlabel", "specificblocks", "mapping"])
def test_what_needs_indices_is_no_route(segs: Segs, route: str) -> None:
    assert segs.status("GET", f"{segs.new('blk', typename='labelblk')}/{route}") == 400


@pytest.mark.parametrize("route", ["raw/0_1_2/16_16_16/0_0_0", "blocks/16_16_16/0_0_0", "label/0_0_0"])
def test_scales_are_not_looked_at(segs: Segs, route: str) -> None:
    path = segs.new("seg", typename="labelblk", levels=0)
    segs.post(path, (0, 0, 0), volume(5))
    assert segs.call("GET", f"{path}/{route}?scale=1") == segs.call("GET", f"{path}/{route}")


@pytest.mark.parametrize("compression", ["lz4", "gzip"])
def test_one_block_that_was_never_written_is_background(segs: Segs, compression: str) -> None:
    path = segs.new("seg", typename="labelblk", levels=0)
    assert segs.status("GET", f"{path}/raw/0_1_2/16_16_16/0_0_0?compression={compression}") == 200


def test_check_finds_a_block_that_is_none(segs: Segs) -> None:
    segs.post(segs.new("blk", typename="labelblk"), (0, 0, 0), volume(5))
    assert segs.soundness() == []
    data, change = damaged(segs, "blk")
    stored = data.view.get(block_key(0, (0, 0, 1)))
    assert stored is not None
    for value in (stored[:-9], stored):
        data.view.put(change, block_key(0, (0, 0, 1)), value)
        data.view.commit(change)
        assert bool(segs.soundness()) is (value is not stored)
        data, change = damaged(segs, "blk")
