from __future__ import annotations

import gzip
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import VOLUMES, Volume, volume
from numpy.typing import NDArray

from dvidpy.datatypes.labels import blocks, segmentation, several
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.downres import halved
from dvidpy.datatypes.labels.masks import mask_of
from dvidpy.datatypes.labels.splits import Cut, split
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.kernels.label_runs import voxels_of

SIZE = (16, 16, 16)
CUBE64 = (64, 64, 64)
PLAIN = volume(5, SIZE, 40)
ENCODED = blocks.from_volume(PLAIN).encode()


def labels_at(block: LabelBlock, points: NDArray[np.int64]) -> Labels:
    return several.labels_at(several.together([((0, 0, 0), block)]), [points])


def read(data: bytes | memoryview, size: Zyx = SIZE) -> LabelBlock:
    """As an untrusted block is read."""
    block = blocks.parse(data, size)
    blocks.count(block)
    return block


# ---------------------------------------------------------------------- voxels
@settings(max_examples=25)
@given(VOLUMES)
def test_a_volume_comes_back(voxels: Volume) -> None:
    block = read(blocks.from_volume(voxels).encode(), voxels.shape)
    assert np.array_equal(blocks.to_volume(block), voxels)
    assert block.is_solid == (np.unique(voxels).size == 1)
    assert block.volume == voxels.size


@pytest.mark.parametrize("name", ["cx-64x64x64-sample1", "cx-64x64x64-sample2", "fib19-64x64x64-sample1"])
def test_real_volumes_come_back(shared: Path, name: str) -> None:
    plain = gzip.decompress((shared / "data" / "label-blocks" / f"{name}.dat.gz").read_bytes())
    voxels = np.frombuffer(plain, "<u8").reshape(CUBE64)
    assert np.array_equal(blocks.to_volume(read(blocks.from_volume(voxels).encode(), CUBE64)), voxels)


def test_a_block_of_the_reference(shared: Path) -> None:
    folder = shared / "data" / "label-blocks"
    data = gzip.decompress((folder / "fib19-64x64x64-sample1-block.dat.gz").read_bytes())
    plain = gzip.decompress((folder / "fib19-64x64x64-sample1.dat.gz").read_bytes())
    block = read(data, CUBE64)
    voxels = np.frombuffer(plain, "<u8").reshape(CUBE64)
    assert np.array_equal(blocks.to_volume(block), voxels)
    assert block.encode() == data
    assert len(blocks.from_volume(voxels).encode()) == len(data)


def test_solid_blocks() -> None:
    assert blocks.solid(7, SIZE).encode() == struct.pack("<4IQ", 2, 2, 2, 1, 7)
    block = read(blocks.from_volume(np.full(SIZE, 7, np.uint64)).encode())
    assert block.is_solid
    assert blocks.label_at(block, (3, 4, 5)) == 7
    assert [part.tolist() for part in blocks.count(block)] == [[7], [4096]]


@pytest.mark.parametrize("size", [(8, 8, 12), (0, 8, 8), (8, 8, 1032), (8, 8)])
def test_sizes_that_no_block_has(size: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest, match="multiples of 8"):
        blocks.demand_block_size(size)


@pytest.mark.parametrize("start", [(-5, 3, 20), (0, 0, 0), (-40, 0, 0), (2, 2, 2)])
@pytest.mark.parametrize("data", [ENCODED, blocks.solid(9, SIZE).encode()])
def test_what_a_block_and_an_array_share_is_pasted(start: Zyx, data: bytes) -> None:
    block, at = read(data), (-8, 0, 16)
    out, expected = np.full((20, 10, 7), 1, np.uint64), np.full((20, 10, 7), 1, np.uint64)
    whole = np.full((100, 100, 100), 1, np.uint64)
    corner = tuple(40 + number for number in at)
    whole[tuple(slice(low, low + 16) for low in corner)] = blocks.to_volume(block)
    expected = whole[tuple(slice(40 + low, 40 + low + side) for low, side in zip(start, out.shape, strict=True))]
    if expected.shape == out.shape:
        blocks.paste(block, at, out, start)
        assert np.array_equal(out, expected)


# ---------------------------------------------------------------------- labels alone
def test_labels_are_replaced_without_the_voxels() -> None:
    block = read(ENCODED)
    after = block.with_labels(block.labels // np.uint64(2)).encode()
    assert np.array_equal(blocks.to_volume(read(after)), PLAIN // 2)
    assert set(blocks.labels_of(ENCODED, SIZE).tolist()) == set(np.unique(PLAIN).tolist())


def test_labels_that_became_one_count_together() -> None:
    block = read(ENCODED)
    one = block.with_labels(np.full_like(block.labels, 3))
    assert one.is_solid
    assert [part.tolist() for part in blocks.count(one)] == [[3], [4096]]


# ---------------------------------------------------------------------- points
def test_many_voxels_of_one_block() -> None:
    points = np.argwhere(np.ones(SIZE))[::7]
    assert np.array_equal(labels_at(read(ENCODED), points), PLAIN[tuple(points.T)])
    with pytest.raises(BadRequest, match="outside"):
        labels_at(read(ENCODED), np.array([[0, 0, 16]]))
    with pytest.raises(BadRequest, match="outside"):
        labels_at(read(ENCODED), np.array([[0, -1, 0]]))


@given(st.lists(st.tuples(*[st.integers(-(2**31), 2**31 - 1) | st.integers(-40, 40)] * 3), max_size=30))
def test_points_are_grouped_by_block(points: list[Zyx]) -> None:
    given_points = np.array(points, np.int64).reshape(-1, 3)
    groups = blocks.group_by_block(given_points, (8, 16, 24))
    assert [group.block for group in groups] == sorted({(z // 8, y // 16, x // 24) for z, y, x in points})
    assert sorted(place for group in groups for place in group.places.tolist()) == list(range(len(points)))
    for group in groups:
        assert np.array_equal(group.points + np.array(group.block) * (8, 16, 24), given_points[group.places])


# ---------------------------------------------------------------------- untrusted bytes
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no head"),
        (ENCODED[:15], "no head"),
        (ENCODED[:-1], "do not fit"),
        (ENCODED + b"\0", "do not fit"),
        (ENCODED[:300], "hold|counts"),
        (struct.pack("<4IQ", 3, 2, 2, 1, 7), "voxels, not"),
        (struct.pack("<4I", 2, 2, 2, 0), "cannot hold 0"),
        (struct.pack("<4IQ", 2, 2, 2, 0xFFFFFFFF, 7), "cannot hold"),
        (struct.pack("<4IQ", 2**29, 2**29, 2**29, 1, 7), "voxels, not"),
        (struct.pack("<4IQ", 2, 2, 2, 1, 7) + b"\0", "a solid label block"),
        (struct.pack("<4I2Q8H", 2, 2, 2, 2, 7, 8, *[0xFFFF] * 8), "do not fit"),
        (struct.pack("<4I2Q8H8I", 2, 2, 2, 2, 7, 8, *[1] * 8, *[2] * 8), "beyond its 2 labels"),
    ],
)
def test_what_is_no_block_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        read(data)


@settings(max_examples=200)
@given(st.data())
def test_changed_bytes_are_refused_or_read(data: st.DataObject) -> None:
    forged = bytearray(ENCODED)
    for _ in range(data.draw(st.integers(1, 4))):
        forged[data.draw(st.integers(0, 700) | st.integers(0, len(forged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(forged[: data.draw(st.sampled_from([len(forged)] * 3 + [len(forged) // 2, 700]))])
    try:
        block = read(cut)
    except BadRequest:
        return
    voxels = blocks.to_volume(block)
    labels, counts = blocks.count(block)
    points = np.argwhere(np.ones(SIZE))[::97]
    assert np.array_equal(labels_at(block, points), voxels[tuple(points.T)])
    for label in labels[labels > 0].tolist()[:3]:
        mask = mask_of(block, np.array([label], np.uint64))
        assert mask is not None
        assert np.array_equal(voxels_of(mask.bits, mask.grid), voxels == label)
        parted, sizes = split(block, mask, {label: Cut(1, 2)})
        assert sizes == {label: (mask.voxels, 0)}
        assert (blocks.to_volume(parted)[voxels == label] == 1).all()
    assert set(np.unique(voxels).tolist()) <= {0, *labels.tolist()}
    assert counts.sum() == voxels.size


@given(st.binary(max_size=200).map(lambda tail: struct.pack("<4I", 2, 2, 2, 2) + tail))
def test_made_up_bytes_are_refused_or_read(data: bytes) -> None:
    with suppress(BadRequest):
        assert blocks.to_volume(read(data)).shape == SIZE


def test_bytes_that_do_not_lie_well_are_read_all_the_same() -> None:
    shifted = memoryview(b"\0" + ENCODED)[1:]
    assert np.array_equal(blocks.to_volume(read(shifted)), PLAIN)
    volume_of = np.frombuffer(b"\0" + PLAIN.tobytes(), "<u8", PLAIN.size, 1).reshape(SIZE)
    assert blocks.from_volume(volume_of).encode() == ENCODED
    assert np.array_equal(halved(volume_of), halved(PLAIN))
    assert segmentation.encode(volume_of) == segmentation.encode(PLAIN)
