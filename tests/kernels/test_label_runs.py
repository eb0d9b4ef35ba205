from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_examples import SIZES

from dvidpy.kernels.label_runs import bits_of, stamp, stamp_plain, trace, trace_plain, voxels_of

# Words wrap around on purpose; numpy says so where the kernel runs as plain Python.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")

FEW = settings(max_examples=30)
COORDINATES = st.integers(-30, 30)
RUNS = st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES, st.integers(1, 40)), max_size=30).map(
    lambda runs: np.array(runs, np.int32).reshape(-1, 4)
)


def some_voxels(seed: int, size: tuple[int, int, int], share: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.random.default_rng(seed).random(size) < share


@FEW
@given(st.integers(0, 2**32), SIZES, st.sampled_from([0.0, 0.05, 0.5, 0.97, 1.0]), st.booleans(), st.data())
def test_runs_are_traced(
    seed: int, size: tuple[int, int, int], share: float, joined: bool, data: st.DataObject
) -> None:
    """Blocks of a row, of which one is left away, and one of the row below."""
    low = np.array([data.draw(st.integers(0, side)) for side in size])
    high = np.array(
        [
            data.draw(st.integers(at, side * (4 if axis == 2 else 1)))
            for axis, (at, side) in enumerate(zip(low, size, strict=True))
        ]
    )
    starts = np.array([[-16, 24, 8 + size[2] * at] for at in (0, 1, 3)] + [[-16, 24 + size[1], 8]])
    voxels = [some_voxels(seed + at, size, share) for at in range(4)]
    bits = np.stack([bits_of(one) for one in voxels])
    flags = np.asarray(bits.any(axis=2), np.uint8)
    boxes = np.empty((4, 4, 3), np.int64)
    boxes[:, 0], boxes[:, 1] = np.array(size) // 8, starts
    boxes[:, 2] = np.clip(starts[0] + low - starts, 0, size)
    boxes[:, 3] = np.clip(starts[0] + high - starts, 0, size)
    found = trace(flags, bits, boxes, joined=joined)
    assert np.array_equal(found, trace_plain(flags, bits, boxes, joined))
    inside = {
        (z, y, x)
        for one, start in zip(voxels, starts, strict=True)
        for z, y, x in (np.argwhere(one) + start).tolist()
        if ((starts[0] + low <= (z, y, x)) & ((z, y, x) < starts[0] + high)).all()
    }
    again = [(z, y, x + i) for x, y, z, length in found.tolist() for i in range(length)]
    assert len(again) == len(inside)
    assert set(again) == inside


def test_more_runs_than_a_block_can_have() -> None:
    """Every other voxel: what is found needs more room than was made for the first block."""
    z, y, x = np.indices((8, 8, 8))
    bits = np.stack([bits_of((z + y + x) % 2 > 0)] * 9)
    boxes = np.array([[(1, 1, 1), (0, 8 * at, 0), (0, 0, 0), (8, 8, 8)] for at in range(9)], np.int64)
    assert trace(np.ones((9, 1), np.uint8), bits, boxes, joined=True).shape == (9 * 256, 4)


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
