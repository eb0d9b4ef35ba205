from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import VOLUMES, Volume

from dvidpy.kernels import label_masks
from dvidpy.kernels.label_blocks import cubes_of, encode
from dvidpy.kernels.label_masks import ALL, NOTHING, SOME, cells, cells_plain, mask_plain

FEW = settings(max_examples=25)


@FEW
@given(VOLUMES, st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_masks(voxels: Volume, seed: int, share: float) -> None:
    labels, counts, indices, values = encode(voxels)
    inside = np.random.default_rng(seed).random(labels.size) < share
    flags, bits = label_masks.mask(counts, indices, values, inside)
    twin = np.zeros_like(flags), np.zeros_like(bits)
    mask_plain(counts, indices, values, inside, *twin)
    expected = np.isin(cubes_of(voxels), labels[inside])
    assert np.array_equal(np.unpackbits(bits, axis=1, bitorder="little"), expected)
    assert np.array_equal(flags, np.where(expected.all(1), ALL, np.where(expected.any(1), SOME, NOTHING)))
    assert np.array_equal(flags, twin[0])
    assert np.array_equal(bits, twin[1])


@pytest.mark.parametrize("entries", [1, 2, 3, 4, 5, 8, 9, 300])
def test_masks_of_sub_blocks_of_any_codes(entries: int) -> None:
    rng = np.random.default_rng(entries)
    voxels = rng.integers(0, entries, (16, 16, 24)).astype(np.uint64)
    labels, counts, indices, values = encode(voxels)
    for inside in (rng.random(labels.size) < 0.5, labels == labels[0], labels != labels[-1]):
        flags, bits = label_masks.mask(counts, indices, values, inside)
        twin = np.zeros_like(flags), np.zeros_like(bits)
        mask_plain(counts, indices, values, inside, *twin)
        assert np.array_equal(flags, twin[0])
        assert np.array_equal(bits, twin[1])


def test_entries_that_no_voxel_has_and_codes_beyond_them() -> None:
    counts, indices = np.array([2, 4, 3, 2], np.uint16), np.array([0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1], np.uint32)
    values = np.concatenate((np.zeros(64), np.full(128, 0b01010101), np.full(128, 255), np.full(64, 255))).astype("u1")
    for inside in ([False, True], [True, False]):
        flags, bits = label_masks.mask(counts, indices, values, np.array(inside))
        twin = np.zeros_like(flags), np.zeros_like(bits)
        mask_plain(counts, indices, values, np.array(inside), *twin)
        assert flags.tolist() == ([NOTHING, NOTHING, NOTHING, ALL] if inside[1] else [ALL, ALL, NOTHING, NOTHING])
        assert np.array_equal(flags, twin[0])
        assert np.array_equal(bits, twin[1])


def test_sub_blocks_without_entries_have_no_label() -> None:
    empty = np.zeros(4, np.uint16), np.zeros(0, np.uint32), np.zeros(0, np.uint8)
    flags, bits = label_masks.mask(*empty, np.array([True, True]))
    assert not flags.any()
    assert not bits.any()


def test_bytes_of_binary_blocks() -> None:
    flags = np.array([SOME, NOTHING, ALL, SOME], np.uint8)
    bits = np.arange(256, dtype=np.uint8).reshape(4, 64)
    found = cells(flags, bits)
    twin = np.empty_like(found)
    cells_plain(flags, bits, twin)
    assert np.array_equal(found, twin)
    assert found.tobytes() == bytes((SOME, *range(64), NOTHING, ALL, SOME, *range(192, 256)))
