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


def test_sub_blocks_stand_x_first() -> None:
    voxels = np.arange(8 * 8 * 16, dtype=np.uint64).reshape(8, 8, 16)
    assert cubes_of(voxels)[1, :9].tolist() == [8, 9, 10, 11, 12, 13, 14, 15, 24]
