"""A region that loses blocks on every side.

A cube of blocks is a window along each axis, so that axes can be taken in turn. A window of any width is put together
from some of half the width, so that the work hardly grows with it.
"""

from __future__ import annotations

import numpy as np

from dvidpy.datatypes.roi.region import Numbers, Region

Spans = Numbers
"""(4, n): z, y, first x, one past the last x of spans that are apart."""
_BIAS = 1 << 32
_FARTHEST = 1 << 31
Z, Y = 0, 1


def eroded(region: Region, blocks: int) -> Region:
    """The blocks from which a cube of `blocks` blocks on every side lies inside."""
    blocks = min(blocks, _FARTHEST)
    spans = _apart(region)
    spans[2] += blocks
    spans[3] -= blocks
    spans = spans[:, spans[2] < spans[3]]
    for axis in (Y, Z):
        spans = _shifted(_window(spans, axis, 2 * blocks + 1), axis, blocks)
    order = np.lexsort((spans[2], spans[1], spans[0]))
    spans = spans[:, order]
    spans[3] -= 1
    return Region(np.ascontiguousarray(spans, np.int32))


def _apart(region: Region) -> Spans:
    """The spans of a region; those that touch are one."""
    z, y, first, last = region.without_overlaps().astype(np.int64)
    joins = (z[1:] == z[:-1]) & (y[1:] == y[:-1]) & (first[1:] == last[:-1] + 1)
    begins, ends = np.ones((2, len(z)), np.bool_)
    begins[1:] = ends[:-1] = ~joins
    return np.stack([z[begins], y[begins], first[begins], last[ends] + 1])


def _window(spans: Spans, axis: int, width: int) -> Spans:
    """What all of `width` rows from each one on have."""
    have = 1
    while have < width and spans.shape[1]:
        step = min(have, width - have)
        spans = _common(spans, _shifted(spans, axis, -step))
        have += step
    return spans


def _shifted(spans: Spans, axis: int, by: int) -> Spans:
    moved = spans.copy()
    moved[axis] += by
    return moved


def _common(one: Spans, other: Spans) -> Spans:
    """What two have: along x both begin and end, and between two beginnings and the next end they overlap."""
    z, y, first, stop = np.concatenate([one, other], axis=1)
    rows = np.tile(z * (2 * _BIAS) + (y + _BIAS), 2)
    at, sign = np.concatenate([first, stop]), np.repeat([1, -1], len(z))
    order = np.lexsort((sign, at, rows))
    at, sign = at[order], sign[order]
    begins = np.flatnonzero((np.cumsum(sign) == 2) & (sign == 1))
    which = order[begins] % len(z)
    return np.stack([z[which], y[which], at[begins], at[begins + 1]])
