"""labelarray over HTTP: what an edit writes into voxels, coarser scales and indices, beside numpy."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from datatypes.labelmap.conftest import Labels, Segs, halved, stream_of
from numpy.typing import NDArray

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import block_key, label_key
from dvidpy.datatypes.labels.sparsevol import parse_rles
from dvidpy.versioning.commits import Change

SHAPE = (32, 32, 48)
SIDE = 16


def volume(seed: int, labels: int = 7) -> Labels:
    """Lumps of labels 0 to `labels`."""
    coarse = np.random.default_rng(seed).integers(0, labels + 1, [side // 4 for side in SHAPE], np.uint64)
    return np.kron(coarse, np.ones((4, 4, 4), np.uint64))


def runs_of(inside: NDArray[np.bool_]) -> bytes:
    """Voxels as the body of a split."""
    edges = np.diff(np.pad(inside, ((0, 0), (0, 0), (1, 1))).astype(np.int8), axis=2)
    (z, y, first), last = np.nonzero(edges == 1), np.nonzero(edges == -1)[2]
    return rles(np.column_stack((first, y, z, last - first)).tolist())


def rles(runs: Iterable[Sequence[int]]) -> bytes:
    rows = [struct.pack("<4i", *run) for run in runs]
    return struct.pack("<4B2I", 0, 3, 0, 0, 0, len(rows)) + b"".join(rows)


def voxels_of(body: bytes) -> NDArray[np.bool_]:
    """A sparse volume painted."""
    out = np.zeros(SHAPE, np.bool_)
    for x, y, z, length in parse_rles(body).tolist():
        assert not out[z, y, x : x + length].any()
        out[z, y, x : x + length] = True
    return out


def demand_agrees(segs: Segs, path: str, expected: Labels) -> None:
    """Voxels, the coarser scale, indices and `dvidpy check` all say the same."""
    assert np.array_equal(segs.get(path, (0, 0, 0), SHAPE[::-1]), expected)
    half = (SHAPE[2] // 2, SHAPE[1] // 2, SHAPE[0] // 2)
    assert np.array_equal(segs.get(path, (0, 0, 0), half, "?scale=1"), halved(expected))
    for label in np.unique(expected[expected > 0]).tolist():
        assert np.array_equal(voxels_of(segs.call("GET", f"{path}/sparsevol/{label}")), expected == label)
    assert segs.soundness() == []


@pytest.fixture
def path(segs: Segs) -> str:
    return segs.new("lab", typename="labelarray", levels=1)


@pytest.mark.parametrize("seed", range(3))
def test_edits_are_written_into_the_voxels(segs: Segs, path: str, seed: int) -> None:
    expected, random = volume(seed), np.random.default_rng(seed)
    segs.post(path, (0, 0, 0), expected)
    for _ in range(4):
        labels = random.permutation(np.unique(expected[expected > 0]))[:3].tolist()
        segs.call("POST", f"{path}/merge", json=labels)
        expected[np.isin(expected, labels[1:])] = labels[0]
        demand_agrees(segs, path, expected)

        inside = random.random(SHAPE) < 0.3  # also voxels of other labels, which stay
        new = json.loads(segs.call("POST", f"{path}/split/{labels[0]}", content=runs_of(inside)))["label"]
        assert new > expected.max()
        expected[inside & (expected == labels[0])] = new
        demand_agrees(segs, path, expected)

        blocks = random.random([side // SIDE for side in SHAPE]) < 0.5
        new = json.loads(segs.call("POST", f"{path}/split-coarse/{labels[0]}", content=runs_of(blocks)))["label"]
        whole = np.kron(blocks, np.ones((SIDE,) * 3, np.bool_))
        expected[whole & (expected == labels[0])] = new
        demand_agrees(segs, path, expected)


def test_a_split_label_may_be_in_use(segs: Segs, path: str) -> None:
    expected = volume(5)
    segs.post(path, (0, 0, 0), expected)
    inside = np.zeros(SHAPE, np.bool_)
    inside[:, 8:20] = True
    assert json.loads(segs.call("POST", f"{path}/split/3?splitlabel=5", content=runs_of(inside))) == {"label": 5}
    expected[inside & (expected == 3)] = 5
    demand_agrees(segs, path, expected)


def test_labels_without_voxels_are_passed_over_and_a_target_may_be_new(segs: Segs, path: str) -> None:
    expected = volume(6)
    segs.post(path, (0, 0, 0), expected)
    segs.call("POST", f"{path}/merge", json=[900, 2, 800])
    expected[expected == 2] = 900
    demand_agrees(segs, path, expected)
    assert json.loads(segs.call("GET", f"{path}/maxlabel")) == {"maxlabel": 900}
    segs.call("POST", f"{path}/merge", json=[5, 2])
    demand_agrees(segs, path, expected)


def test_a_run_of_blocks_ends_where_it_says(segs: Segs, path: str) -> None:
    expected = np.full(SHAPE, 3, np.uint64)
    segs.post(path, (0, 0, 0), expected)
    segs.call("POST", f"{path}/split-coarse/3", content=rles([(1, 0, 0, 1_000_000_000), (0, 1, 1, 2)]))
    expected[:16, :16, 16:] = 4
    expected[16:, 16:, :32] = 4
    demand_agrees(segs, path, expected)


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("merge", b"[3]"),
        ("merge", b"[3, 0]"),
        ("merge", b"[3, 5, 3]"),
        ("merge", b"{}"),
        ("merge", b"[3, -1]"),
        ("split/0", rles([(0, 0, 0, 1)])),
        ("split/99", rles([(0, 0, 0, 1)])),
        ("split/3?splitlabel=3", rles([(0, 0, 0, 1)])),
        ("split/3?splitlabel=x", rles([(0, 0, 0, 1)])),
        ("split/3", rles([(0, 0, 0, 0)])),
        ("split/3", b"\0" * 12),
        ("split-coarse/99", rles([(0, 0, 0, 1)])),
        ("split-coarse/3", rles([(0, 0, 1 << 30, 1)])),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(segs: Segs, path: str, route: str, body: bytes) -> None:
    expected = volume(7)
    segs.post(path, (0, 0, 0), expected)
    assert segs.status("POST", f"{path}/{route}", body) == 400
    demand_agrees(segs, path, expected)


def test_without_indices_nothing_is_edited(segs: Segs) -> None:
    path = segs.new("bare", typename="labelarray", IndexedLabels="false")
    segs.post(path, (0, 0, 0), volume(8))
    assert segs.status("POST", f"{path}/merge", b"[3, 4]") == 400
    assert segs.status("GET", f"{path}/sparsevol/3") == 400
    assert json.loads(segs.call("GET", f"{path}/info"))["Extended"]["CountLabels"]


def test_counting_is_a_setting_of_its_own(segs: Segs) -> None:
    path = segs.new("uncounted", typename="labelarray", CountLabels="false")
    found = json.loads(segs.call("GET", f"{path}/info"))["Extended"]
    assert (found["IndexedLabels"], found["CountLabels"]) == (True, False)
    assert "CountLabels" not in json.loads(segs.call("GET", f"{path}/metadata"))["Properties"]


def test_bounds_must_hold_something(segs: Segs, path: str) -> None:
    segs.post(path, (0, 0, 0), volume(7))
    for route in ("sparsevol/3", "sparsevol-coarse/3"):
        assert segs.status("GET", f"{path}/{route}?minx=0") == 200
        assert segs.status("GET", f"{path}/{route}?minx=1000") == 404


def test_a_point_is_one_of_full_resolution(segs: Segs, path: str) -> None:
    labels = volume(7)
    segs.post(path, (0, 0, 0), labels)
    z, y, x = np.argwhere(labels == 3)[-1].tolist()
    plain = segs.call("GET", f"{path}/sparsevol/3")
    assert segs.call("GET", f"{path}/sparsevol-by-point/{x}_{y}_{z}?scale=1") == plain


def test_specific_blocks_are_always_label_blocks(segs: Segs, path: str) -> None:
    segs.post(path, (0, 0, 0), volume(7))
    plain = segs.call("GET", f"{path}/specificblocks?blocks=0,0,0")
    for compression in ("lz4", "uncompressed", "zip"):
        assert segs.call("GET", f"{path}/specificblocks?blocks=0,0,0&compression={compression}") == plain


@pytest.mark.parametrize("route", ["mapping", "supervoxels/3", "map-stats", "listlabels"])
def test_what_only_supervoxels_have_is_no_route(segs: Segs, path: str, route: str) -> None:
    assert segs.status("GET", f"{path}/{route}") == 400


def test_a_child_changes_its_own_voxels_only(segs: Segs, path: str) -> None:
    expected = volume(9)
    segs.post(path, (0, 0, 0), expected)
    child = path.replace(segs.root, segs.child(segs.root))
    segs.call("POST", f"{child}/merge", json=[3, 4])
    demand_agrees(segs, path, expected)
    demand_agrees(segs, child, np.where(expected == 4, np.uint64(3), expected))
    assert segs.status("POST", f"{path}/merge", b"[5, 6]") == 400


def test_blocks_posted_at_once_leave_indices_and_largest_label_right(segs: Segs, path: str) -> None:
    """The reference loses updates of both here."""
    expected = volume(10)
    expected[:, :, :16] += np.uint64(50)

    def post(place: tuple[int, int, int]) -> None:
        x, y, z = (16 * at for at in place)
        part = np.ascontiguousarray(expected[z : z + 16, y : y + 16, x : x + 16])
        segs.call("POST", f"{path}/blocks?downres=true", content=stream_of({place: part}))

    places = [(x, y, z) for x in range(3) for y in range(2) for z in range(2)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(post, places))
    demand_agrees(segs, path, expected)
    assert json.loads(segs.call("GET", f"{path}/maxlabel")) == {"maxlabel": int(expected.max())}


def test_edits_at_once_are_one_after_the_other(segs: Segs, path: str) -> None:
    expected = volume(11, labels=12)
    segs.post(path, (0, 0, 0), expected)
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda pair: segs.call("POST", f"{path}/merge", json=pair), [(a, a + 6) for a in range(1, 7)]))
    demand_agrees(segs, path, np.where(expected > 6, expected - np.uint64(6), expected))


def test_edits_are_told_in_the_mutation_log(segs: Segs, path: str) -> None:
    segs.post(path, (0, 0, 0), volume(12))
    segs.call("POST", f"{path}/merge?u=ann", json=[3, 4])
    said = json.loads(segs.call("GET", f"{path}/mutations"))
    merge = next(one for one in said if one["Action"] == "merge")
    assert (merge["Target"], merge["Labels"], merge["User"]) == (3, [4], "ann")
    assert [one["Action"] for one in said][-1] == "merge-complete"


def test_head_with_bounds_tells_of_blocks_inside(segs: Segs, path: str) -> None:
    expected = np.zeros(SHAPE, np.uint64)
    expected[:16, :16, :16] = 7
    segs.post(path, (0, 0, 0), expected)
    answers = [segs.client.head(f"{path}/sparsevol/7?{query}").status_code for query in ("maxx=15", "minx=16", "")]
    assert answers == [200, 204, 200]


def damaged(segs: Segs, name: str) -> tuple[LabelMap, Change]:
    """An instance behind the door, and an edit of it that nobody looks at."""
    repo, node = segs.datastore.catalogue.place(segs.root)
    data = LabelMap(segs.datastore, repo, node, repo.instances[name], None)
    return data, data.change()


def test_check_finds_what_does_not_agree(segs: Segs, path: str) -> None:
    segs.post(path, (0, 0, 0), volume(30))
    assert segs.soundness() == []
    data, change = damaged(segs, "lab")
    before = stored_blocks.load_one(data, 0, (0, 0, 0))
    assert before is not None
    other = before.with_labels(np.where(before.labels == 3, np.uint64(4), before.labels))
    data.view.put_stored(change, block_key(0, (0, 0, 0)), stored_blocks.pack(data, other))
    data.view.commit(change)
    found = "\n".join(segs.soundness())
    assert "indices count" in found
    assert "supervoxel 3" in found
    data, change = damaged(segs, "lab")
    index = data.view.get(label_key(5))
    assert index is not None
    data.view.put_stored(change, block_key(0, (0, 0, 0)), stored_blocks.pack(data, before))
    data.view.delete(change, label_key(5))
    data.view.commit(change)
    assert "supervoxel 5" in "\n".join(segs.soundness())
    data, change = damaged(segs, "lab")
    data.plain_view.put(change, label_key(5), index)
    data.view.commit(change)
    assert segs.soundness() == []


def test_scales_behind_the_last_hold_what_was_written_there(segs: Segs) -> None:
    """libdvid makes instances without coarser scales, and writes some."""
    path, labels, coarse = segs.new("one", typename="labelarray", levels=0), volume(31), volume(32)[:16, :16, :16]
    segs.post(path, (0, 0, 0), labels)
    segs.post_blocks(path, {(0, 0, 0): coarse}, "?scale=1")
    assert np.array_equal(segs.get(path, (0, 0, 0), (16, 16, 16), "?scale=1"), coarse)
    assert np.array_equal(segs.get(path, (0, 0, 0), SHAPE[::-1]), labels)
    found = np.zeros(SHAPE, np.bool_)
    found[:16, :16, :16] = coarse == 3
    assert np.array_equal(voxels_of(segs.call("GET", f"{path}/sparsevol/3?scale=1")), found)
    assert segs.status("GET", f"{path}/sparsevol/3?scale=2") == 404
    assert not segs.get(path, (0, 0, 0), (16, 16, 16), "?scale=2").any()
    assert segs.status("POST", f"{path}/blocks?scale=1&downres=true", stream_of({(0, 0, 0): coarse})) == 400
    segs.call("POST", f"{path}/merge", json=[3, 4])
    assert segs.soundness() == []
