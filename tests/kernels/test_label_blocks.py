from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import VOLUMES, Volume, volume
from numpy.typing import NDArray

from dvidpy.kernels import label_blocks
from dvidpy.kernels.label_blocks import (
    bits_for,
    cubes_of,
    distinct_plain,
    encode,
    layout,
    layout_plain,
    number_plain,
    pack_plain,
    unpack,
    unpack_plain,
)

FEW = settings(max_examples=25)


def same(some: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


@pytest.mark.parametrize(("count", "bits"), [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (256, 8), (512, 9)])
def test_bits_of_a_code(count: int, bits: int) -> None:
    assert bits_for(count) == bits


@given(st.lists(st.integers(0, 513), max_size=20))
def test_the_layout_agrees_with_its_plain_twin(counts: list[int]) -> None:
    given_counts = np.array(counts, np.uint16)
    assert layout(given_counts) == layout_plain(given_counts)


@FEW
@given(VOLUMES, st.data())
def test_what_was_encoded_is_decoded_in_part(voxels: Volume, data: st.DataObject) -> None:
    labels, counts, indices, values = encode(voxels)
    assert layout(counts) == (indices.size, values.size)
    box = np.zeros((3, 3), np.int64)
    for axis, side in enumerate(voxels.shape):
        low = data.draw(st.integers(0, side - 1))
        box[:, axis] = side // 8, low, data.draw(st.integers(low + 1, side))
    size = tuple(box[2] - box[1])
    target, twin = (
        np.ones((2, *size), np.uint64)[0].transpose(2, 1, 0).copy().transpose(2, 1, 0),
        np.ones(size, np.uint64),
    )
    unpack(counts, indices, values, labels, box, target)
    unpack_plain(counts, indices, values, labels, box, twin)
    part = voxels[tuple(slice(low, high) for low, high in box[1:].T)]
    assert np.array_equal(target, part)
    assert np.array_equal(twin, part)


@FEW
@given(VOLUMES)
def test_encoding_agrees_with_its_plain_twins(voxels: Volume) -> None:
    counts, codes = np.empty(voxels.size // 512, np.uint16), np.empty((voxels.size // 512, 512), np.uint16)
    entries = np.empty(voxels.size, np.uint64)
    entries = entries[: distinct_plain(voxels, counts, entries, codes)]
    assert same(label_blocks.distinct(voxels), (counts, entries, codes))
    packed = np.zeros(layout(counts)[1], np.uint8)
    pack_plain(counts, codes, packed)
    labels, indices = number_plain(entries)
    assert same(encode(voxels), (labels, counts, indices, packed))


def test_a_strided_volume_is_encoded_as_it_looks() -> None:
    whole = volume(1, (24, 24, 24), 50)
    part = whole[8:24, 0:16, 8:24]
    assert same(encode(part), encode(part.copy()))


def test_sub_blocks_without_entries_and_codes_beyond_theirs_are_label_0() -> None:
    counts, indices = np.array([0, 3], np.uint16), np.array([0, 1, 1], np.uint32)
    values, labels = np.full(128, 0b11011000, np.uint8), np.array([7, 8], np.uint64)
    box = np.array([[1, 1, 2], [0, 0, 0], [8, 8, 16]], np.int64)
    out, twin = np.ones((8, 8, 16), np.uint64), np.ones((8, 8, 16), np.uint64)
    unpack(counts, indices, values, labels, box, out)
    unpack_plain(counts, indices, values, labels, box, twin)
    assert np.array_equal(out, twin)
    assert out[0, 0].tolist() == [0] * 8 + [0, 8, 8, 7] * 2


def test_sub_blocks_stand_x_first() -> None:
    voxels = np.arange(8 * 8 * 16, dtype=np.uint64).reshape(8, 8, 16)
    assert cubes_of(voxels)[1, :9].tolist() == [8, 9, 10, 11, 12, 13, 14, 15, 24]
