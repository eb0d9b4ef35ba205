from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from datatypes.labelmap.conftest import Labels, Point, Segs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_examples import volume

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled import downres
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import block_key
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.downres import halved

BLOCKS = st.dictionaries(st.tuples(*[st.integers(-2, 2)] * 3), st.integers(0, 30), min_size=1, max_size=5)
STEP = st.tuples(st.sampled_from(["raw", "downres", "plain", "by hand", "child"]), BLOCKS)


def instance_at(segs: Segs, uuid: str, name: str = "seg") -> LabelMap:
    place = segs.datastore.catalogue.find(uuid)
    return LabelMap(segs.datastore, *place, place.repo.instances[name], None)


def cube(seed: int, side: Point = (16, 16, 16)) -> Labels:
    return volume(seed, side, 4, 6)


def scales_of(segs: Segs, path: str, whole: Labels, scales: int) -> None:
    """Every scale is the vote of the one below, beginning with these voxels at the origin."""
    for scale in range(scales + 1):
        depth, height, width = whole.shape
        assert np.array_equal(segs.get(path, (0, 0, 0), (width, height, depth), f"?scale={scale}"), whole), scale
        whole = halved(whole)


@pytest.mark.parametrize("block", [(16, 16, 16), (48, 32, 16), (16, 64, 32)])
def test_all_scales_are_there_when_a_post_is_answered(segs: Segs, block: Point) -> None:
    path, whole = segs.new(block=block, levels=3), volume(1, (64, 64, 96), 6)
    segs.post(path, (0, 0, 0), whole)
    scales_of(segs, path, whole, 3)
    x, y, z = block
    whole = whole.copy()
    whole[:z, :y, x : 2 * x] = volume(3, (z, y, x), 3)
    body = {(1, 0, 0): whole[:z, :y, x : 2 * x]}
    segs.post_blocks(path, body, "?downres=true")
    scales_of(segs, path, whole, 3)
    assert segs.soundness() == []


def test_blocks_that_are_posted_at_once_make_the_same_scales(segs: Segs) -> None:
    path, whole = segs.new(levels=2), volume(2, (64, 64, 64), 8)
    places = list(np.ndindex(4, 4, 4))

    def post(place: Any) -> None:
        z, y, x = (16 * at for at in place)
        segs.post(path, (x, y, z), whole[z : z + 16, y : y + 16, x : x + 16])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(post, places))
    scales_of(segs, path, whole, 2)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, min_size=1, max_size=6))
def test_whatever_is_posted_scales_agree_where_they_should(segs: Segs, steps: list[tuple[str, dict[Any, int]]]) -> None:
    name = f"n{len(segs.datastore.catalogue.instances())}"
    segs.new(name, levels=3)
    uuid = segs.root
    for kind, seeds in steps:
        path, blocks = f"/api/node/{uuid}/{name}", {place: cube(seed) for place, seed in seeds.items()}
        if kind == "raw":
            for (x, y, z), block in blocks.items():
                segs.post(path, (16 * x, 16 * y, 16 * z), block)
        elif kind == "downres":
            segs.post_blocks(path, blocks, "?downres=true")
        elif kind == "plain":
            segs.post_blocks(path, blocks)
        elif kind == "by hand":
            segs.post_blocks(path, blocks, "?scale=1", "ingest-supervoxels")
        else:
            uuid = segs.child(uuid)
            segs.root = uuid
    assert segs.soundness() == []


def test_blocks_written_by_hand_stay_until_they_are_computed(segs: Segs) -> None:
    path = segs.new(levels=2)
    segs.post_blocks(path, {(0, 0, 0): cube(1)})
    segs.post_blocks(path, {(0, 0, 0): cube(2)}, "?scale=1")
    assert np.array_equal(segs.get(path, (0, 0, 0), (16, 16, 16), "?scale=1"), cube(2))
    assert not segs.get(path, (0, 0, 0), (16, 16, 16), "?scale=2").any()
    segs.post_blocks(path, {(1, 0, 0): cube(3)}, "?downres=true")
    whole = np.zeros((32, 32, 32), np.uint64)
    whole[:16, :16, :16], whole[:16, :16, 16:] = cube(1), cube(3)
    scales_of(segs, path, whole, 2)


def test_check_finds_what_is_not_what_lies_below_it(segs: Segs) -> None:
    path = segs.new(levels=1)
    segs.post(path, (0, 0, 0), cube(1))
    assert segs.soundness() == []
    data = instance_at(segs, segs.root)
    sound = data.view.get(block_key(1, (0, 0, 0)))
    assert sound is not None
    for stored in (stored_blocks.pack(data, codec.from_volume(cube(9))), None):
        change = data.change()
        if stored is None:
            data.view.delete(change, block_key(1, (0, 0, 0)))
        else:
            data.view.put_stored(change, block_key(1, (0, 0, 0)), stored)
        data.view.commit(change)
        (fault,) = segs.soundness()
        assert "scale 1" in fault
    change = data.change()
    data.view.put(change, block_key(1, (0, 0, 0)), sound)
    data.view.commit(change)


def test_merged_versions_are_halved_anew(segs: Segs) -> None:
    segs.new(levels=2)
    segs.post(f"/api/node/{segs.root}/seg", (0, 0, 0), volume(1, (32, 32, 32), 5))
    main, side = segs.child(segs.root), segs.child(segs.root, "side")
    whole = volume(1, (32, 32, 32), 5).copy()
    for uuid, x in ((main, 0), (side, 16)):
        whole[:16, :16, x : x + 16] = cube(x + 1)
        segs.post(f"/api/node/{uuid}/seg", (x, 0, 0), cube(x + 1))
        segs.client.post(f"/api/node/{uuid}/commit", json={"note": "done"})
    body = {"mergeType": "conflict-free", "parents": [main, side], "note": "both"}
    answer = segs.client.post(f"/api/repo/{segs.root}/merge", json=body)
    assert answer.status_code == 200, answer.text
    assert segs.soundness() == []
    merged = f"/api/node/{answer.json()['child']}/seg"
    scales_of(segs, merged, whole, 2)
    whole[16:, 16:, 16:] = cube(5)
    segs.post(merged, (16, 16, 16), cube(5))
    scales_of(segs, merged, whole, 2)


def test_scales_that_come_later_are_computed_in_every_version(segs: Segs) -> None:
    segs.new(levels=0)
    whole = volume(1, (32, 32, 32), 5)
    segs.post(f"/api/node/{segs.root}/seg", (0, 0, 0), whole)
    child = segs.child(segs.root)
    segs.post(f"/api/node/{child}/seg", (0, 0, 0), cube(4))
    segs.call("POST", f"/api/node/{child}/seg/info", json={"MaxDownresLevel": "2"})
    assert segs.soundness() == []
    scales_of(segs, f"/api/node/{segs.root}/seg", whole, 2)
    later = whole.copy()
    later[:16, :16, :16] = cube(4)
    scales_of(segs, f"/api/node/{child}/seg", later, 2)


def test_what_a_task_will_compute_is_left_to_it(segs: Segs) -> None:
    """An edit comes between a task being asked for and being done."""
    path, whole = segs.new(levels=2), volume(1, (32, 32, 32), 5).copy()
    segs.post(path, (0, 0, 0), whole)
    data = instance_at(segs, segs.root)
    queue = segs.datastore.stack_of(data.instance).queue
    queue.held, held = (lambda: True), queue.held
    change = data.change()
    downres.ask(data, change, 0, [(0, 0, 0)])
    data.view.commit(change)
    whole[:16, :16, :16], whole[16:, 16:, 16:] = cube(7), cube(8)
    segs.post(path, (0, 0, 0), cube(7))
    segs.post_blocks(path, {(1, 1, 1): cube(8)})
    queue.held = held
    queue.notice()
    assert segs.soundness() == []
    scales_of(segs, path, whole, 2)
