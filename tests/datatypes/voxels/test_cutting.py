from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.voxels.cutting import cut, paste

places = st.tuples(*[st.integers(-9, 9)] * 3)
sides = st.tuples(*[st.integers(1, 8)] * 3)


@given(places, sides, places, sides)
def test_paste_copies_what_both_have(
    start: tuple[int, int, int], size: tuple[int, int, int], at: tuple[int, int, int], block: tuple[int, int, int]
) -> None:
    out = np.zeros(size, np.uint16)
    voxels = np.arange(1, 1 + np.prod(block), dtype=np.uint16).reshape(block)
    paste(out, start, voxels, at)
    for place in np.ndindex(size):
        inside = tuple(p + s - a for p, s, a in zip(place, start, at, strict=True))
        known = all(0 <= i < b for i, b in zip(inside, block, strict=True))
        assert out[place] == (voxels[inside] if known else 0)


def test_cut_gives_every_block_once_and_whole() -> None:
    volume = np.arange(4 * 6 * 8, dtype="<u4").reshape(4, 6, 8)
    blocks = dict(cut(volume, (-4, 3, 8), (2, 3, 4)))
    assert sorted(blocks) == [(z, y, x) for z in (-2, -1) for y in (1, 2) for x in (2, 3)]
    assert all(block.flags.c_contiguous for block in blocks.values())
    again = np.zeros_like(volume)
    for (z, y, x), block in blocks.items():
        paste(again, (-4, 3, 8), block, (2 * z, 3 * y, 4 * x))
    assert (again == volume).all()
