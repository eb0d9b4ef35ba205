from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dvidpy.kernels.point_rows import gather_rows, gather_rows_plain, split_rows, split_rows_plain

SMALL = st.integers(-3, 3)


@given(st.integers(1, 4).flatmap(lambda width: arrays(np.int64, st.tuples(st.integers(0, 20), st.just(width)))))
def test_rows_become_columns(rows: Any) -> None:
    found = np.zeros((rows.shape[1], len(rows) + 2), np.int32)
    plain = found.copy()
    assert split_rows(rows, found[:, 1:-1]) == split_rows_plain(rows, plain[:, 1:-1])
    assert np.array_equal(found, plain)


@pytest.mark.parametrize("number", [1 << 31, -(1 << 31) - 1, 1 << 32, -(1 << 63)])
def test_numbers_that_do_not_fit_are_told(number: int) -> None:
    assert not split_rows(np.array([[0], [number]]), np.empty((1, 2), np.int32))
    assert split_rows(np.array([[(1 << 31) - 1], [-(1 << 31)]]), np.empty((1, 2), np.int32))


@given(
    st.integers(1, 4).flatmap(
        lambda width: arrays(np.int32, st.tuples(st.just(width), st.integers(1, 30)), elements=SMALL)
    ),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(1, 8), st.integers(0, 2)), min_size=1, max_size=8),
)
def test_runs_are_gathered_by_label(columns: Any, runs: list[tuple[int, int, int]]) -> None:
    total = columns.shape[1]
    runs = sorted(runs, key=lambda run: run[2])
    firsts = np.array([first % total for first, _, _ in runs])
    counts = np.array([min(count, total - first) for (_, count, _), first in zip(runs, firsts, strict=True)])
    labels = np.array([(1 << 63) + label for _, _, label in runs], np.uint64)
    heads = np.flatnonzero(np.append(True, labels[1:] != labels[:-1]))
    given_ = (labels, labels.astype(np.int32), firsts, counts, heads)
    gathered: tuple[Any, ...] = gather_rows(columns, *given_)
    plain: tuple[Any, ...] = gather_rows_plain(columns, *given_)
    for one, other in zip(gathered, plain, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
