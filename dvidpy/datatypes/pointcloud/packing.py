"""Points of one label in one block as bytes: a set of points, in order, and what is known of them.

Points, all numbers little-endian: their number u64; then a coordinate after the other: width u8 (bytes of a value: 0,
1, 2, 4 or 8), low (in 8 bytes, modulo 2^64), and as many unsigned numbers of that width, each to be added to low.
Floats stand as their bits, with low 0. What is known of them: number u64, then lowest and highest value of each
coordinate, in the type of the points.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.errors import StoreError

Points = NDArray[Any]
"""(N, D) points of the type of the instance."""
Box = tuple[tuple[Any, ...], tuple[Any, ...]]
"""(first, end) in the first coordinates; the end lies outside."""
_COUNT = struct.Struct("<Q")
_COLUMN = struct.Struct("<BQ")
_WIDTHS: dict[int, np.dtype[Any]] = {
    0: np.dtype("u1"),
    1: np.dtype("<u1"),
    2: np.dtype("<u2"),
    4: np.dtype("<u4"),
    8: np.dtype("<u8"),
}


class Kind(NamedTuple):
    """What the points of an instance are."""

    dtype: np.dtype[Any]
    """Little-endian integers or floats."""
    dimensions: int

    @property
    def itemsize(self) -> int:
        """Bytes of a point."""
        return self.dtype.itemsize * self.dimensions

    @property
    def row(self) -> np.dtype[Any]:
        """A point behind its label, as plain numbers are sent."""
        return np.dtype([("label", "<u8"), ("point", self.dtype, (self.dimensions,))])

    @property
    def columns(self) -> list[str]:
        """Names of the coordinates in tables."""
        return [f"c{axis}" for axis in range(self.dimensions)]

    @property
    def nothing(self) -> Points:
        """(0, dimensions)."""
        return np.empty((0, self.dimensions), self.dtype)


class Summary(NamedTuple):
    """What is known of some points without reading them."""

    number: int
    low: NDArray[Any]
    """(dimensions,) lowest coordinates."""
    high: NDArray[Any]

    def is_near(self, box: Box) -> bool:
        """Whether any of them may lie in a box."""
        lows, highs = self.low.tolist(), self.high.tolist()
        return all(high >= first and low < end for low, high, first, end in zip(lows, highs, *box, strict=False))

    def is_inside(self, box: Box) -> bool:
        """Whether all of them lie in a box."""
        lows, highs = self.low.tolist(), self.high.tolist()
        return all(low >= first and high < end for low, high, first, end in zip(lows, highs, *box, strict=False))

    def encode(self) -> bytes:
        """As stored."""
        return _COUNT.pack(self.number) + self.low.tobytes() + self.high.tobytes()


def in_order(points: Points) -> Points:
    """The points in order, by the first coordinate, then the second, …, each of them once."""
    from dvidpy.pointclouds.columns import sorted_unique  # which loads Arrow

    return sorted_unique(points)


def summary_of(points: Points) -> Summary:
    """What is to be known of one point or more."""
    return Summary(len(points), points.min(axis=0), points.max(axis=0))


def decode_summary(stored: bytes, kind: Kind) -> Summary:
    """Stored bytes -> Summary; StoreError where they are none of this kind."""
    if len(stored) != _COUNT.size + 2 * kind.itemsize:
        raise StoreError("this is no summary of points")
    bounds = np.frombuffer(stored, kind.dtype, offset=_COUNT.size).reshape(2, kind.dimensions)
    return Summary(_COUNT.unpack_from(stored)[0], bounds[0], bounds[1])


def encode(points: Points) -> bytes:
    """(N, D) points -> bytes."""
    parts = [_COUNT.pack(len(points))]
    for axis in range(points.shape[1]):
        parts += _encode_column(points[:, axis])
    return b"".join(parts)


def _encode_column(column: NDArray[Any]) -> tuple[bytes, bytes]:
    if column.dtype.kind == "f":
        bits = np.ascontiguousarray(column).view(f"<u{column.dtype.itemsize}")
        return _COLUMN.pack(column.dtype.itemsize, 0), bits.tobytes()
    low, high = int(column.min()), int(column.max())
    width = next(size for size in (0, 1, 2, 4, 8) if high - low < 1 << 8 * size)
    head = _COLUMN.pack(width, low % (1 << 64))
    if not width:
        return head, b""
    above = column.astype(np.uint64) - np.uint64(low % (1 << 64))
    return head, above.astype(_WIDTHS[width]).tobytes()


def decode(stored: bytes, kind: Kind) -> Points:
    """Bytes -> (N, D) points; StoreError where they are none of this kind."""
    try:
        (count,) = _COUNT.unpack_from(stored)
        out, at = np.empty((count, kind.dimensions), kind.dtype), _COUNT.size
        for axis in range(kind.dimensions):
            width, low = _COLUMN.unpack_from(stored, at)
            at += _COLUMN.size
            raw = np.frombuffer(stored, _WIDTHS[width], count if width else 0, at)
            at += width * count
            out[:, axis] = _decode_column(raw, low, kind.dtype)
    except (struct.error, KeyError, ValueError, MemoryError) as error:
        raise StoreError(f"these are no points: {error}") from None
    if at != len(stored):
        raise StoreError("these are no points: there is more behind them")
    return out


def _decode_column(raw: NDArray[Any], low: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return raw.view(dtype)
    if not raw.size:
        return np.array(low, np.uint64).astype(dtype)
    found: NDArray[Any] = (raw.astype(np.uint64) + np.uint64(low)).astype(dtype)
    return found
