from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.kernels.label_index import Numbers
from dvidpy.kernels.label_rows import Rows, merge, merge_plain

ROW = st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(1, 3))
ROWS = st.dictionaries(ROW, st.integers(-9, 9), max_size=12)


def listed(rows: dict[tuple[int, int, int], int]) -> tuple[Rows, Numbers]:
    """(owner, block, voxels) in the order of owner, block and label; the labels."""
    found = [(owner, block, voxels) for (owner, block, _), voxels in sorted(rows.items())]
    return np.array(found, np.int64).reshape(-1, 3), np.array([label for _, _, label in sorted(rows)], np.uint64)


@given(ROWS, ROWS)
def test_lists_are_merged(some: dict[tuple[int, int, int], int], others: dict[tuple[int, int, int], int]) -> None:
    out, labels = np.empty((len(some) + len(others), 3), np.int64), np.empty(len(some) + len(others), np.uint64)
    size = merge_plain(*listed(some), *listed(others), out, labels)
    found, found_labels = merge(*listed(some), *listed(others))
    assert np.array_equal(found, out[:size])
    assert np.array_equal(found_labels, labels[:size])
