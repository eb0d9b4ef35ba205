from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import VOLUMES, Volume

from dvidpy.errors import BadRequest
from dvidpy.kernels import label_reads
from dvidpy.kernels.label_blocks import encode
from dvidpy.kernels.label_reads import count_plain, pick_plain

# Words wrap around on purpose; numpy says so where the kernel runs as plain Python.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")

FEW = settings(max_examples=25)


def picked(blocks: list[Any], grid: Any, points_of: list[Any]) -> Any:
    """What the kernel finds, which is what the twin finds."""
    ends = np.cumsum([[part.size for part in block] for block in blocks], axis=0, dtype=np.int64)
    labels, counts, indices, values = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    cuts, points = np.cumsum([*map(len, points_of)], dtype=np.int64), np.concatenate(points_of)
    sides = np.array(grid, np.int64)
    twin = np.empty(len(points), np.uint64)
    pick_plain(ends, labels, counts, indices, values, sides, cuts, points, twin)
    found = label_reads.pick(ends, labels, counts, indices, values, sides, cuts, points)
    assert np.array_equal(found, twin)
    return found


@FEW
@given(VOLUMES)
def test_voxels_are_counted(voxels: Volume) -> None:
    labels, counts, indices, values = encode(voxels)
    found, twin = label_reads.count(counts, indices, values, labels.size), np.zeros(labels.size, np.int64)
    assert count_plain(counts, indices, values, twin)
    expected = dict(zip(*(part.tolist() for part in np.unique(voxels, return_counts=True)), strict=True))
    assert dict(zip(labels.tolist(), found.tolist(), strict=True)) == expected
    assert np.array_equal(found, twin)


def test_a_code_beyond_its_entries_is_refused() -> None:
    forged = np.array([3], np.uint16), np.zeros(3, np.uint32), np.full(128, 255, np.uint8)
    with pytest.raises(BadRequest, match="points beyond"):
        label_reads.count(*forged, 1)
    assert not count_plain(*forged, np.zeros(1, np.int64))


def test_sub_blocks_without_entries_count_for_no_label() -> None:
    empty = np.zeros(4, np.uint16), np.zeros(0, np.uint32), np.zeros(0, np.uint8)
    assert label_reads.count(*empty, 2).tolist() == [0, 0]
    assert picked([(np.array([1, 2], np.uint64), *empty)], [1, 2, 2], [np.array([[1, 9, 9]])]).tolist() == [0]


@FEW
@given(VOLUMES, st.data())
def test_single_voxels(voxels: Volume, data: st.DataObject) -> None:
    block, solid = encode(voxels), (np.array([77], np.uint64), *(part[:0] for part in encode(voxels)[1:]))
    point = st.tuples(*(st.integers(0, side - 1) for side in voxels.shape))
    some, others = (np.array(data.draw(st.lists(point, max_size=20)), np.int64).reshape(-1, 3) for _ in range(2))
    found = picked([block, solid, block], np.array(voxels.shape) // 8, [some, others[:5], others])
    assert np.array_equal(found, [*voxels[tuple(some.T)], *[77] * len(others[:5]), *voxels[tuple(others.T)]])
