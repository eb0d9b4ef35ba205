from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import VOLUMES, Volume

from dvidpy.kernels.label_blocks import encode, layout
from dvidpy.kernels.label_voxels import unpack, unpack_plain

FEW = settings(max_examples=25)


def written(blocks: list[Any], places: Any, grid: Any, start: Any, out: Volume) -> None:
    """What the kernel writes, which is what the twin writes."""
    ends = np.cumsum([[part.size for part in block] for block in blocks], axis=0, dtype=np.int64)
    labels, counts, indices, values = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    places, grid_start = np.array(places, np.int64), np.array([grid, start], np.int64)
    twin = out.copy("C")
    frame = np.vstack((grid_start, twin.shape, np.array(twin.strides) // 8))
    unpack_plain(ends, labels, counts, indices, values, places, frame, twin.reshape(-1))
    unpack(ends, labels, counts, indices, values, places, grid_start, out)
    assert np.array_equal(out, twin)


@FEW
@given(VOLUMES, st.data())
def test_blocks_are_written_into_a_box(voxels: Volume, data: st.DataObject) -> None:
    """A block, a solid one behind it along x, and one that is far away."""
    block = encode(voxels)
    assert layout(block[1]) == (block[2].size, block[3].size)
    solid = np.array([77], np.uint64), *(part[:0] for part in block[1:])
    size = np.array(voxels.shape)
    first = np.array([-8, 16, -24])
    whole = np.concatenate((voxels, np.full_like(voxels, 77), np.full_like(voxels, 1)), axis=2)
    low = np.array([data.draw(st.integers(0, side - 1)) for side in whole.shape])
    high = np.array([data.draw(st.integers(at + 1, side)) for at, side in zip(low, whole.shape, strict=True)])
    wanted = whole[tuple(slice(*both) for both in zip(low, high, strict=True))]
    for out in (
        np.ones(wanted.shape, np.uint64),
        np.ones((2, *wanted.shape), np.uint64)[0].transpose(2, 1, 0).copy().transpose(2, 1, 0),
        np.ones([side + 3 for side in wanted.shape], np.uint64)[1:-2, 1:-2, 1:-2],
    ):
        places = np.array([first, first + size * (0, 0, 1), first + 800])
        written([block, solid, block], places, size // 8, first + low, out)
        assert np.array_equal(out, wanted)


def test_sub_blocks_without_entries_and_codes_beyond_theirs_are_label_0() -> None:
    counts, indices = np.array([0, 3], np.uint16), np.array([0, 1, 1], np.uint32)
    values, labels = np.full(128, 0b11011000, np.uint8), np.array([7, 8], np.uint64)
    out = np.ones((8, 8, 16), np.uint64)
    written([(labels, counts, indices, values)], [[0, 0, 0]], [1, 1, 2], [0, 0, 0], out)
    assert out[0, 0].tolist() == [0] * 8 + [0, 8, 8, 7] * 2


@FEW
@given(VOLUMES, st.integers(1, 4))
def test_labels_that_are_shown_as_few_bodies(voxels: Volume, bodies: int) -> None:
    """Of many sub-blocks all entries have one label then."""
    labels, *rest = encode(voxels)
    shown = labels % np.uint64(bodies)
    for start in ((0, 0, 0), (3, 1, 5)):
        out = np.ones(voxels.shape, np.uint64)
        written([(shown, *rest)], [(0, 0, 0)], np.array(voxels.shape) // 8, start, out)
        inside = tuple(slice(at, None) for at in start)
        expected = (voxels % np.uint64(bodies))[inside]
        assert np.array_equal(out[tuple(slice(side) for side in expected.shape)], expected)
