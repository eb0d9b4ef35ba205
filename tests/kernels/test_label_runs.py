from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import SIZES

from dvidpy.kernels.label_runs import bits_of, flush, stamp, stamp_plain, trace, trace_plain, voxels_of

FEW = settings(max_examples=30)
COORDINATES = st.integers(-30, 30)
RUNS = st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES, st.integers(1, 40)), max_size=30).map(
    lambda runs: np.array(runs, np.int32).reshape(-1, 4)
)


def some_voxels(seed: int, size: tuple[int, int, int], share: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.random.default_rng(seed).random(size) < share


@FEW
@given(st.integers(0, 2**32), SIZES, st.sampled_from([0.0, 0.05, 0.5, 0.97, 1.0]), st.data())
def test_runs_are_traced(seed: int, size: tuple[int, int, int], share: float, data: st.DataObject) -> None:
    voxels, start = some_voxels(seed, size, share), np.array([-16, 24, 8])
    low = np.array([data.draw(st.integers(0, side)) for side in size])
    high = np.array([data.draw(st.integers(at, side)) for at, side in zip(low, size, strict=True)])
    box = np.array([[side // 8 for side in size], start, low, high], np.int64)
    open_runs = np.zeros((*size[:2], 2), np.int64)
    open_runs[low[0] : high[0], low[1] : high[1]] = [start[2] + low[2] - 3, 3] if seed % 2 else 0
    twin_open, twin = open_runs.copy(), np.empty((voxels.size, 4), np.int32)
    painted = np.zeros((size[0], size[1], size[2] + 3), np.bool_)
    painted[low[0] : high[0], low[1] : high[1], low[2] : high[2] + 3] = np.pad(
        voxels[low[0] : high[0], low[1] : high[1], low[2] : high[2]],
        ((0, 0), (0, 0), (3, 0)),
        constant_values=bool(seed % 2),
    )
    bits = bits_of(voxels)
    flags = np.asarray(bits.any(axis=1), np.uint8)
    found = trace(flags, bits, box, open_runs)
    assert np.array_equal(found, twin[: trace_plain(flags, bits, box, twin_open, twin)])
    again = np.zeros_like(painted)
    for x, y, z, length in np.concatenate((found, flush(open_runs, start[0], start[1]))).tolist():
        row = again[z - start[0], y - start[1]]
        assert not row[x - start[2] + 3 : x - start[2] + 3 + length].any()
        row[x - start[2] + 3 : x - start[2] + 3 + length] = True
    assert np.array_equal(again, painted)
    assert not open_runs.any()


@FEW
@given(RUNS, SIZES)
def test_runs_are_stamped(runs: np.ndarray[tuple[int, ...], np.dtype[np.int32]], size: tuple[int, int, int]) -> None:
    box = np.array([[side // 8 for side in size], [-8, 0, -16]], np.int64)
    bits = np.zeros((size[0] * size[1] * size[2] // 512, 64), np.uint8)
    twin = bits.copy()
    stamp(runs, box, bits)
    stamp_plain(runs, box, twin)
    assert np.array_equal(bits, twin)


def test_a_run_as_long_as_can_be() -> None:
    bits = np.zeros((1, 64), np.uint8)
    stamp(
        np.array([[-(2**31), 0, 0, 2**31 - 1], [0, 0, 1, 2**31 - 1]], np.int32), np.array([[1, 1, 1], [0, 0, 0]]), bits
    )
    assert np.flatnonzero(bits[0]).tolist() == [8]


@given(st.integers(0, 2**32), SIZES)
def test_bits_and_voxels(seed: int, size: tuple[int, int, int]) -> None:
    voxels = some_voxels(seed, size, 0.5)
    assert np.array_equal(voxels_of(bits_of(voxels), tuple(side // 8 for side in size)), voxels)
