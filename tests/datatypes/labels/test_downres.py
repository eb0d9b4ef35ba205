from __future__ import annotations

import numpy as np
import pytest
from label_examples import volume

from dvidpy.datatypes.labels import blocks
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.downres import downres, halved
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_edits import vote_plain

SIZE = (16, 8, 24)
WHOLE = volume(8, (32, 16, 48), 12)


def octants() -> list[LabelBlock | None]:
    parts = [WHOLE[z : z + 16, y : y + 8, x : x + 24] for z in (0, 16) for y in (0, 8) for x in (0, 24)]
    return [blocks.from_volume(part) for part in parts]


def expected() -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    out = np.empty(SIZE, np.uint64)
    vote_plain(WHOLE, out)
    return out


def test_eight_blocks_become_one() -> None:
    assert np.array_equal(blocks.to_volume(downres(octants(), SIZE)), expected())
    assert np.array_equal(halved(WHOLE), expected())


def test_solid_octants_are_not_decoded() -> None:
    some = octants()
    some[5] = blocks.solid(77, SIZE)
    found, whole = blocks.to_volume(downres(some, SIZE)), expected()
    whole[8:, :4, 12:] = 77
    assert np.array_equal(found, whole)


def test_octants_that_are_none_keep_what_was() -> None:
    some = octants()
    some[0] = None
    whole = expected()
    whole[:8, :4, :12] = 0
    assert np.array_equal(blocks.to_volume(downres(some, SIZE)), whole)
    before = blocks.from_volume(volume(9, SIZE, 30))
    whole[:8, :4, :12] = blocks.to_volume(before)[:8, :4, :12]
    assert np.array_equal(blocks.to_volume(downres(some, SIZE, before)), whole)
    assert np.array_equal(blocks.to_volume(downres([None] * 8, SIZE, before)), blocks.to_volume(before))


def test_eight_solid_blocks_are_a_solid_one() -> None:
    found = downres([blocks.solid(5, SIZE)] * 8, SIZE)
    assert found.is_solid
    assert not found.counts.size
    assert downres([None] * 8, SIZE).labels.tolist() == [0]


def test_odd_sides_are_refused() -> None:
    with pytest.raises(BadRequest, match="halved"):
        halved(WHOLE[:3])
