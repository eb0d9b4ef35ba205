from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.kernels.label_columns import (
    BLOCK_BYTES,
    PAIR_BYTES,
    Keys,
    Voxels,
    net,
    net_plain,
    overlay,
    overlay_plain,
    write,
    write_plain,
)
from dvidpy.kernels.label_index import Numbers

LABELS = st.integers(0, 2**64 - 1) | st.integers(0, 300)
Columns = tuple[Keys, Numbers, Voxels]


def columns(entries: list[tuple[int, int, int]]) -> Columns:
    blocks, supervoxels, voxels = zip(*entries, strict=True) if entries else ((), (), ())
    return np.array(blocks, np.int64), np.array(supervoxels, np.uint64), np.array(voxels, np.int64)


def room(size: int) -> Columns:
    return np.empty(size, np.int64), np.empty(size, np.uint64), np.empty(size, np.int64)


ENTRIES = st.lists(st.tuples(st.integers(-1, 2), st.sampled_from([0, 1, 2**64 - 1]), st.integers(-2, 2)), max_size=8)


@given(ENTRIES | ENTRIES.map(sorted))
@example([(0, 1, 1), (0, 1, -1), (1, 0, 1)])
@example([(0, 1, 1), (0, 1, -1)])
@example([(1, 0, 1), (0, 0, 1)])
def test_entries_are_summed_up(entries: list[tuple[int, int, int]]) -> None:
    given_columns, twin = columns(entries), room(len(entries))
    size = net_plain(*given_columns, *twin)
    found = net(*given_columns)
    if size < 0:
        assert found is None
    else:
        assert found is not None
        assert [column.tolist() for column in found] == [column[:size].tolist() for column in twin]


MAPPINGS = st.dictionaries(st.integers(0, 9) | LABELS, LABELS, max_size=8)


def mapping(named: dict[int, int]) -> tuple[Numbers, Numbers]:
    pairs = sorted(named.items())
    return np.array([key for key, _ in pairs], np.uint64), np.array([body for _, body in pairs], np.uint64)


@given(MAPPINGS, MAPPINGS)
def test_a_mapping_is_laid_over_another(some: dict[int, int], others: dict[int, int]) -> None:
    twin = np.empty(len(some) + len(others), np.uint64), np.empty(len(some) + len(others), np.uint64)
    size = overlay_plain(*mapping(some), *mapping(others), *twin)
    found = overlay(*mapping(some), *mapping(others))
    assert [column.tolist() for column in found] == [column[:size].tolist() for column in twin]


COORDINATE = st.integers(1, (1 << 21) - 1)  # none is less than -(2^20 - 1)
BLOCK = st.tuples(COORDINATE, COORDINATE, COORDINATE).map(lambda zyx: zyx[0] << 42 | zyx[1] << 21 | zyx[2])
COUNTS = st.lists(st.tuples(LABELS, st.integers(1, 2**32 - 1)), min_size=1, max_size=4)


@given(st.lists(st.tuples(BLOCK, COUNTS), max_size=5))
def test_entries_of_blocks_are_written(blocks: list[tuple[int, list[tuple[int, int]]]]) -> None:
    entries = columns([(block, *count) for block, counts in blocks for count in counts])
    starts = np.cumsum([0, *(len(counts) for _, counts in blocks)])[:-1]
    out = np.empty(PAIR_BYTES * entries[0].size + BLOCK_BYTES * starts.size, np.uint8)
    sizes = np.empty(starts.size, np.int64)
    size = write_plain(*entries, starts, out, sizes)
    found, found_sizes = write(*entries, starts)
    assert found == out[:size].tobytes()
    assert np.array_equal(found_sizes, sizes)


def test_the_longest_fit() -> None:
    entries = columns([((1 << 63) - 1, 2**64 - 1, 2**32 - 1)] * 40)
    written, sizes = write(*entries, np.array([0]))
    assert len(written) == sizes.sum() <= PAIR_BYTES * 40 + BLOCK_BYTES
