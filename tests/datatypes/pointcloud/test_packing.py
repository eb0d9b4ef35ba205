"""Points as bytes: exactly as they were, whatever their type; and what their summary says of a box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dvidpy.datatypes.pointcloud.instance import TYPES, _inside
from dvidpy.datatypes.pointcloud.packing import Kind, decode, decode_summary, encode, in_order, summary_of
from dvidpy.errors import StoreError

KINDS = st.builds(Kind, st.sampled_from([np.dtype(name) for name in TYPES]), st.integers(1, 4))


@st.composite
def clouds(draw: Any) -> tuple[Kind, Any]:
    kind = draw(KINDS)
    shape = (draw(st.integers(1, 20)), kind.dimensions)
    finite = {"allow_nan": False, "allow_infinity": False} if kind.dtype.kind == "f" else {}
    return kind, in_order(draw(arrays(kind.dtype, shape, elements=finite or None)))


@given(clouds())
def test_points_come_back(cloud: tuple[Kind, Any]) -> None:
    kind, points = cloud
    again = decode(encode(points), kind)
    assert again.dtype == kind.dtype
    assert again.tobytes() == np.ascontiguousarray(points).tobytes()
    summary = decode_summary(summary_of(points).encode(), kind)
    assert summary.number == len(points)
    assert summary.low.tolist() == points.min(0).tolist()


@given(clouds(), st.data())
def test_a_summary_says_what_boxes_hold(cloud: tuple[Kind, Any], data: st.DataObject) -> None:
    kind, points = cloud
    axes = data.draw(st.integers(1, kind.dimensions))
    some = st.sampled_from(points.flat[:8].tolist() if points.size else [0])
    corner = st.tuples(*[some | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)] * axes)
    low, high = data.draw(corner), data.draw(corner)
    rows = points.tolist()
    wanted = [row for row in rows if all(a <= n < b for n, a, b in zip(row, low, high, strict=False))]
    assert _inside(points, (low, high)).tolist() == wanted
    summary = summary_of(points)
    assert not wanted or summary.is_near((low, high))
    assert not summary.is_inside((low, high)) or len(wanted) == len(rows)


@pytest.mark.parametrize("width", [0, 1, 2, 4, 8])
def test_small_differences_take_few_bytes(width: int) -> None:
    low = -(1 << 63) if width == 8 else -5
    points = np.array([[low], [low + (1 << 8 * width) - 1]], np.int64)[: 2 if width else 1]
    stored = encode(points)
    assert len(stored) == 8 + 9 + width * len(points)
    assert decode(stored, Kind(np.dtype(np.int64), 1)).tolist() == points.tolist()


@pytest.mark.parametrize("stored", [b"", b"\1" * 7, encode(np.arange(6).reshape(2, 3))[:-1], b"\xff" * 30])
def test_what_are_no_points_is_told(stored: bytes) -> None:
    kind = Kind(np.dtype(np.int64), 3)
    for wrong in (stored, encode(np.arange(6).reshape(2, 3)) + b"x"):
        with pytest.raises(StoreError):
            decode(wrong, kind)
    with pytest.raises(StoreError):
        decode_summary(stored, kind)
