from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import VOLUMES, Volume

from dvidpy.kernels import label_masks
from dvidpy.kernels.label_blocks import Bytes, cubes_of, encode
from dvidpy.kernels.label_masks import ALL, NOTHING, SOME, Bits, cells, cells_plain, mask_plain

FEW = settings(max_examples=25)
Parts = tuple[Any, ...]
"""Labels, counts, indices, values."""


def masked(blocks: list[Parts], wanted: Any, cubes: int) -> tuple[Bytes, Bits]:
    """Masks by the kernel, which are those of the twin."""
    ends = np.cumsum([[part.size for part in block] for block in blocks], axis=0, dtype=np.int64)
    labels, counts, indices, values = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    wanted = np.asarray(wanted, np.uint64)
    flags, bits = label_masks.mask(ends, labels, counts, indices, values, wanted, cubes)
    twin = np.zeros_like(flags), np.zeros_like(bits)
    mask_plain(ends, labels, counts, indices, values, wanted, *twin)
    assert np.array_equal(flags, twin[0])
    assert np.array_equal(bits, twin[1])
    return flags, bits


@FEW
@given(VOLUMES, st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_masks(voxels: Volume, seed: int, share: float) -> None:
    block = encode(voxels)
    labels = np.unique(block[0])
    wanted = labels[np.random.default_rng(seed).random(labels.size) < share]
    solid = np.array([labels[-1]]), *(part[:0] for part in block[1:])
    cubes = voxels.size // 512
    flags, bits = masked([block, solid, block], wanted, cubes)
    expected = np.isin(cubes_of(voxels), wanted)
    for at in (0, 2):
        assert np.array_equal(np.unpackbits(bits[at], axis=1, bitorder="little"), expected)
        assert np.array_equal(flags[at], np.where(expected.all(1), ALL, np.where(expected.any(1), SOME, NOTHING)))
    assert (flags[1] == (ALL if labels[-1] in wanted else NOTHING)).all()


@pytest.mark.parametrize("entries", [1, 2, 3, 4, 5, 8, 9, 300])
def test_masks_of_sub_blocks_of_any_codes(entries: int) -> None:
    rng = np.random.default_rng(entries)
    voxels = rng.integers(0, entries, (16, 16, 24)).astype(np.uint64)
    block = encode(voxels)
    for wanted in (np.flatnonzero(rng.random(entries) < 0.5), [0], np.arange(entries - 1)):
        flags, bits = masked([block], wanted, 12)
        assert np.array_equal(np.unpackbits(bits[0], axis=1, bitorder="little"), np.isin(cubes_of(voxels), wanted))
        assert flags.shape == (1, 12)


def test_entries_that_no_voxel_has_and_codes_beyond_them() -> None:
    counts, indices = np.array([2, 4, 3, 2], np.uint16), np.array([0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1], np.uint32)
    values = np.concatenate((np.zeros(64), np.full(128, 0b01010101), np.full(128, 255), np.full(64, 255))).astype("u1")
    block = np.array([5, 6], np.uint64), counts, indices, values
    assert masked([block], [6], 4)[0].tolist() == [[NOTHING, NOTHING, NOTHING, ALL]]
    assert masked([block], [5], 4)[0].tolist() == [[ALL, ALL, NOTHING, NOTHING]]


def test_sub_blocks_without_entries_have_no_label() -> None:
    empty = np.array([1, 2], np.uint64), np.zeros(4, np.uint16), np.zeros(0, np.uint32), np.zeros(0, np.uint8)
    flags, bits = masked([empty], [1, 2], 4)
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
