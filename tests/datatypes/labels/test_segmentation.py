from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from label_examples import VOLUMES, Volume, volume

from dvidpy.datatypes.labels import blocks, segmentation
from dvidpy.errors import BadRequest


def decode(data: bytes, size: tuple[int, ...]) -> Volume:
    """As a reader of the format does it, voxel by voxel."""
    words = np.frombuffer(data, "<u4")
    channel, out = words[words[0] :], np.empty(size, np.uint64)
    _, height, width = size
    for z, y, x in np.ndindex(*size):
        block = (x // 8) + (width // 8) * ((y // 8) + (height // 8) * (z // 8))
        table, bits = int(channel[2 * block]) & 0xFFFFFF, int(channel[2 * block]) >> 24
        place = (x % 8) + 8 * ((y % 8) + 8 * (z % 8))
        code = 0
        if bits:
            word = int(channel[int(channel[2 * block + 1]) + place * bits // 32])
            code = word >> (place * bits % 32) & ((1 << bits) - 1)
        low, high = (int(word) for word in channel[table + 2 * code : table + 2 * code + 2])
        out[z, y, x] = low | high << 32
    return out


@settings(max_examples=10)
@given(VOLUMES)
def test_a_volume_comes_back(voxels: Volume) -> None:
    assert np.array_equal(decode(segmentation.encode(voxels), voxels.shape), voxels)


def test_a_strided_volume_is_encoded_as_it_looks() -> None:
    part = volume(1, (24, 24, 24), 50)[8:24, 8:16, 0:16]
    assert segmentation.encode(part) == segmentation.encode(part.copy())


def test_the_bytes_of_a_solid_block() -> None:
    data = segmentation.encode(np.full((8, 8, 8), 2**40 + 5, np.uint64))
    assert np.frombuffer(data, "<u4").tolist() == [1, 2, 2, 5, 256]


@pytest.mark.parametrize("size", [(8, 8, 12), (0, 8, 8)])
def test_other_sizes_are_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest, match="no multiples"):
        segmentation.encode(np.zeros(size, np.uint64))


def test_what_its_offsets_cannot_reach_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation, "_HIGHEST_OFFSET", 5)
    with pytest.raises(BadRequest, match="too many"):
        segmentation.encode(volume(1, (8, 8, 16), 9))


@settings(max_examples=10)
@given(VOLUMES)
def test_a_block_comes_back_without_being_decoded(voxels: Volume) -> None:
    data = segmentation.from_block(blocks.from_volume(voxels))
    assert np.array_equal(decode(data, voxels.shape), voxels)


def test_a_block_that_is_shown_with_other_labels() -> None:
    voxels = volume(3, (16, 16, 24), 40)
    block = blocks.from_volume(voxels)
    relabelled = block.with_labels(block.labels // 2)  # some of them twice
    assert np.array_equal(decode(segmentation.from_block(relabelled), voxels.shape), voxels // 2)


def test_sub_blocks_without_entries_are_background() -> None:
    voxels = volume(3, (8, 8, 24), 5)
    full = blocks.from_volume(voxels)
    first = int(full.counts[0])
    for counts in ([first, 0, 0], [0, first, 0], [0, 0, first]):
        size = 64 * (first - 1).bit_length()
        block = full._replace(
            counts=np.array(counts, np.uint16), indices=full.indices[:first], values=full.values[:size]
        )
        assert np.array_equal(decode(segmentation.from_block(block), voxels.shape), blocks.to_volume(block))


def test_a_solid_block_has_one_table() -> None:
    data = segmentation.from_block(blocks.solid(2**40 + 5, (64, 64, 64)))
    assert len(data) == 4 * (1 + 2 * 512 + 2)
    assert (decode(data, (64, 64, 64)) == 2**40 + 5).all()
