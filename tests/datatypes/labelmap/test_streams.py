from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import lz4.block
import numpy as np
import pytest
from datatypes.labelmap.conftest import Labels, Segs, blocks_in, stream_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_examples import volume

from dvidpy.datatypes.labels import blocks as codec

CUBE = (16, 16, 16)


def decoded(form: str, body: bytes) -> Labels:
    if form == "blocks":
        return codec.to_volume(codec.parse(gzip.decompress(body), CUBE))
    if form == "gzip":
        body = gzip.decompress(body)
    if form == "lz4":
        body = lz4.block.decompress(body, uncompressed_size=8 * 16**3)
    return np.frombuffer(body, "<u8").reshape(CUBE)


@pytest.fixture
def posted(segs: Segs) -> dict[Any, Labels]:
    blocks = {(x, y, -1): volume(10 * x + y + 20, CUBE, 9) for x in (-1, 0, 2) for y in (0, 1)}
    segs.new()
    segs.post_blocks(f"/api/node/{segs.root}/seg", blocks)
    return blocks


@pytest.mark.parametrize("form", ["blocks", "lz4", "gzip", "uncompressed", ""])
def test_blocks_come_in_every_form(segs: Segs, posted: dict[Any, Labels], form: str) -> None:
    path = f"/api/node/{segs.root}/seg"
    found = blocks_in(segs.call("GET", f"{path}/blocks/80_48_32/-32_-16_-16?compression={form}"))
    assert list(found) == sorted(posted, key=lambda xyz: xyz[::-1])
    assert all(np.array_equal(decoded(form or "lz4", body), posted[place]) for place, body in found.items())
    some = blocks_in(segs.call("GET", f"{path}/specificblocks?blocks=2,0,-1,7,7,7,-1,1,-1&compression={form}"))
    assert list(some) == [(2, 0, -1), (-1, 1, -1)]
    assert all(np.array_equal(decoded(form or "blocks", body), posted[place]) for place, body in some.items())


def test_stored_blocks_come_as_they_were_sent(segs: Segs) -> None:
    path = segs.new()
    sent = {(0, 0, 0): gzip.compress(codec.from_volume(volume(1, CUBE, 7)).encode(), 9, mtime=77)}
    segs.call("POST", f"{path}/blocks", content=struct.pack("<4i", 0, 0, 0, len(sent[0, 0, 0])) + sent[0, 0, 0])
    assert blocks_in(segs.call("GET", f"{path}/blocks/16_16_16/0_0_0?compression=blocks")) == sent
    assert blocks_in(segs.call("GET", f"{path}/specificblocks?blocks=0,0,0&supervoxels=true")) == sent


def test_of_a_block_sent_twice_the_later_counts(segs: Segs) -> None:
    path = segs.new()
    one, other = volume(1, CUBE, 7), volume(2, CUBE, 7)
    segs.call(
        "POST", f"{path}/blocks?downres=true", content=stream_of({(0, 0, 0): one}) + stream_of({(0, 0, 0): other})
    )
    assert np.array_equal(segs.get(path, (0, 0, 0), CUBE), other)


def sizes(segs: Segs, path: str) -> dict[int, int]:
    found = np.frombuffer(segs.call("GET", f"{path}/listlabels?sizes=true"), "<u8").reshape(-1, 2)
    return dict(found.tolist())


ONE = volume(1, CUBE, 7)
OTHER = np.where(ONE.max() == ONE, ONE, ONE // 2)
"""They have some labels in common."""


def counted(*volumes: Labels) -> dict[int, int]:
    labels, counts = np.unique(np.concatenate([*map(np.ravel, volumes)]), return_counts=True)
    return {label: count for label, count in zip(labels.tolist(), counts.tolist(), strict=True) if label}


def test_blocks_posted_over_others_say_whether_indices_forget_those(segs: Segs) -> None:
    path = segs.new()
    segs.post_blocks(path, {(0, 0, 0): ONE})
    segs.post_blocks(path, {(0, 0, 0): OTHER}, "?mutate=true")
    assert sizes(segs, path) == counted(OTHER)
    assert segs.report().notes == []


@pytest.mark.parametrize("rest", ["", "?mutate=false&downres=true"])
def test_an_ingest_over_other_blocks_leaves_what_stood_there_in_the_indices(segs: Segs, rest: str) -> None:
    path = segs.new()
    segs.post_blocks(path, {(0, 0, 0): ONE})
    segs.post_blocks(path, {(0, 0, 0): OTHER}, rest)
    assert np.array_equal(segs.get(path, (0, 0, 0), CUBE), OTHER)
    assert sizes(segs, path) == counted(ONE) | counted(OTHER)
    report = segs.report()
    assert report.faults == []
    assert report.notes  # the client answers for what indices say now


@pytest.mark.parametrize("rest", ["", "?mutate=true"])
def test_the_same_blocks_posted_again_change_no_index(segs: Segs, rest: str) -> None:
    path = segs.new()
    for _ in range(2):
        segs.post_blocks(path, {(0, 0, 0): ONE, (1, 0, 0): OTHER}, rest)
    assert sizes(segs, path) == counted(ONE, OTHER)
    assert segs.report().notes == []


def member(plain: bytes) -> bytes:
    packed = gzip.compress(plain, mtime=0)
    return struct.pack("<4i", 0, 0, 0, len(packed)) + packed


GOOD = codec.from_volume(volume(3, CUBE, 40)).encode()
STREAM = member(GOOD)
NO_LABEL = struct.pack("<4I", 2, 2, 2, 0)
BEYOND = struct.pack("<4I2Q", 2, 2, 2, 2, 5, 6) + struct.pack("<8H", *[3] * 8) + bytes(8 * 12) + b"\xff" * 8 * 128


@pytest.mark.parametrize(
    "body",
    [
        STREAM[:10],
        STREAM[:-5],
        STREAM + b"more",
        STREAM + STREAM[:20],
        struct.pack("<4i", 0, 0, 0, 0),
        struct.pack("<4i", 0, 0, 0, -1) + GOOD,
        struct.pack("<4i", 0, 0, 0, len(GOOD)) + GOOD,
        STREAM + member(GOOD[:-1]),
        STREAM + member(GOOD + b"\0"),
        STREAM + member(b""),
        STREAM + member(NO_LABEL),
        STREAM + member(BEYOND),
        STREAM + member(codec.from_volume(volume(3, (16, 16, 8), 4)).encode()),
        STREAM + member(bytes(1 << 24)),
        STREAM[:30] + bytes([STREAM[30] ^ 255]) + STREAM[31:],
    ],
    ids=lambda body: f"{len(body)} bytes",
)
@pytest.mark.parametrize("route", ["blocks", "blocks?noindexing=true&scale=1", "ingest-supervoxels"])
def test_garbage_is_refused_and_nothing_is_stored(segs: Segs, route: str, body: bytes) -> None:
    path = segs.new()
    before = segs.call("GET", f"{path}/info")
    assert segs.status("POST", f"{path}/{route}", body) == 400
    assert segs.call("GET", f"{path}/info") == before
    for scale in range(3):
        assert segs.call("GET", f"{path}/blocks/16_16_16/0_0_0?scale={scale}") == b""


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 255))
def test_any_bytes_are_a_block_or_refused(segs: Segs, end: bytes, at: int, value: int) -> None:
    path = f"/api/node/{segs.root}/any"
    if segs.status("GET", f"{path}/info") == 400:
        segs.new("any")
    damaged = GOOD[:at] + bytes([value]) + GOOD[at + 1 :] + end
    assert segs.status("POST", f"{path}/blocks?downres=true", member(damaged)) in (200, 400)
    assert segs.status("POST", f"{path}/blocks", end) in (200, 400)
    assert segs.get(path, (0, 0, 0), CUBE).shape == CUBE


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", "blocks/16_16_16/8_0_0"),
        ("GET", "blocks/24_16_16/0_0_0"),
        ("GET", "blocks/1600000_1600000_1600000/0_0_0"),
        ("GET", "blocks/16_16_16/0_0_0?compression=zip"),
        ("GET", "specificblocks?blocks=1,2"),
        ("GET", "specificblocks?blocks=1,2,x"),
        ("GET", "specificblocks?blocks=1,2,99999999999"),
        ("POST", "blocks?compression=lz4"),
        ("POST", "blocks?scale=3"),
        ("POST", "blocks?scale=1&downres=true"),
        ("POST", "ingest-supervoxels?scale=3"),
    ],
)
def test_requests_that_make_no_sense(segs: Segs, method: str, rest: str) -> None:
    path = segs.new()
    body = STREAM if method == "POST" else b""
    assert segs.status(method, f"{path}/{rest}", body) == 400


def test_no_block_at_all_is_fine(segs: Segs) -> None:
    path = segs.new()
    assert segs.status("POST", f"{path}/blocks") == segs.status("POST", f"{path}/ingest-supervoxels") == 200
    assert segs.call("GET", f"{path}/specificblocks") == b""


def test_ingesting_leaves_everything_else_to_the_client(segs: Segs) -> None:
    path = segs.new()
    before = segs.call("GET", f"{path}/info")
    segs.post_blocks(path, {(0, 0, 0): volume(1, CUBE, 7)}, route="ingest-supervoxels")
    segs.post_blocks(path, {(0, 0, 0): volume(2, CUBE, 7)}, "?scale=2", route="ingest-supervoxels")
    assert segs.call("GET", f"{path}/info") == before
    assert np.array_equal(segs.get(path, (0, 0, 0), CUBE), volume(1, CUBE, 7))
    assert np.array_equal(segs.get(path, (0, 0, 0), CUBE, "?scale=2"), volume(2, CUBE, 7))
    assert json.loads(segs.call("GET", f"{path}/mapping", content=b"[1]")) == [0]
