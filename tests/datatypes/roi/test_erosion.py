"""Eroded regions, beside a set of blocks that is eroded slowly."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from served import Served

from dvidpy.datatypes.roi.erosion import eroded
from dvidpy.datatypes.roi.region import Region

Block = tuple[int, int, int]
BOXES = st.lists(
    st.tuples(st.tuples(*[st.integers(-4, 4)] * 3), st.tuples(*[st.integers(1, 7)] * 3)), min_size=1, max_size=3
)
EDGE = (1 << 31) - 1


def region_of(blocks: set[Block]) -> Region:
    return Region(np.array([(z, y, x, x) for z, y, x in sorted(blocks)], np.int32).reshape(-1, 4).T)


def slowly(blocks: set[Block], by: int) -> list[Block]:
    around = list(product(range(-by, by + 1), repeat=3))
    return sorted((z, y, x) for z, y, x in blocks if all((z + dz, y + dy, x + dx) in blocks for dz, dy, dx in around))


@example([((0, 0, 0), (5, 5, 5))], 2)
@given(BOXES, st.integers(1, 3))
def test_a_block_stays_where_all_around_it_are_inside(boxes: list[tuple[Block, Block]], by: int) -> None:
    blocks = {
        (z + dz, y + dy, x + dx) for (z, y, x), size in boxes for dz, dy, dx in product(*(range(side) for side in size))
    }
    left = eroded(region_of(blocks), by).columns.T.tolist()
    assert left == sorted(left)
    assert [(z, y, at) for z, y, x, xx in left for at in range(x, xx + 1)] == slowly(blocks, by)


@pytest.mark.parametrize("by", [1, EDGE, 1 << 40])
def test_regions_at_the_edge_of_all_numbers_go(by: int) -> None:
    columns = np.array([[-EDGE - 1, -EDGE - 1, -EDGE - 1, EDGE], [EDGE, EDGE, -EDGE - 1, EDGE]], np.int32).T
    assert len(eroded(Region(columns), by)) == 0


def test_it_is_asked_for_as_an_option_of_the_region(served: Served) -> None:
    roi = served.instance(served.repo(), "area", "roi")
    full = [[z, y, 0, 4] for z in range(5) for y in range(5)]
    assert served.http.post(f"{roi}/roi", json=full).status_code == 200
    assert served.http.get(f"{roi}/roi?erode=0").json() == full
    assert served.http.get(f"{roi}/roi?erode=1").json() == [[z, y, 1, 3] for z in (1, 2, 3) for y in (1, 2, 3)]
    assert served.http.get(f"{roi}/roi?erode=3").json() == []
    for wrong in ("-1", "x", "1.5"):
        assert served.http.get(f"{roi}/roi?erode={wrong}").status_code == 400
    assert served.http.get(f"{roi}/erode/1").status_code == 400
