from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.voxels import oblique
from dvidpy.datatypes.voxels.kinds import KINDS, Kind
from dvidpy.datatypes.voxels.oblique import Oblique, make_oblique, parse_corner, parse_resolution, sample
from dvidpy.errors import BadRequest

KIND = {kind.name: kind for kind in KINDS}
BLOCK = (4, 5, 6)
SIDES = (12, 15, 18)


def reader(volume: np.ndarray) -> Callable[[tuple[int, int, int]], np.ndarray]:
    """Blocks of a volume that begins at 0; zeros outside."""

    def read(index: tuple[int, int, int]) -> np.ndarray:
        at = [i * side for i, side in zip(index, BLOCK, strict=True)]
        if min(at) < 0 or any(a >= side for a, side in zip(at, SIDES, strict=True)):
            return np.zeros(BLOCK, volume.dtype)
        return np.ascontiguousarray(volume[tuple(slice(a, a + side) for a, side in zip(at, BLOCK, strict=True))])

    return read


def trilinear(volume: np.ndarray, place: np.ndarray) -> float:
    """The plain definition."""
    low = np.floor(place).astype(int)
    total = 0.0
    for bits in np.ndindex(2, 2, 2):
        weight = np.prod([s if b else 1 - s for s, b in zip(place - low, bits, strict=True)])
        at = low + bits
        inside = all(0 <= a < side for a, side in zip(at, SIDES, strict=True))
        total += weight * (float(volume[tuple(at)]) if inside else 0.0)
    return total


numbers = st.floats(-30, 120, width=32)
corners = st.tuples(numbers, numbers, numbers).map(list)


@given(corners, corners, corners, st.floats(4, 40), st.sampled_from(["uint8", "uint16", "float32"]), st.booleans())
def test_every_pixel_is_the_mix_of_its_neighbours(
    start: list[float], right: list[float], bottom: list[float], resolution: float, name: str, small: bool
) -> None:
    kind = KIND[name]
    volume = np.random.default_rng(3).integers(0, 200, SIDES).astype(kind.dtype)
    plane = make_oblique(start, right, bottom, resolution, [8, 7, 9])
    budget = oblique.BUDGET
    try:
        oblique.BUDGET = 1 if small else budget
        found = sample(plane, kind, BLOCK, reader(volume))
    finally:
        oblique.BUDGET = budget
    expected = [trilinear(volume, place) for place in plane.points(0, plane.width * plane.height).T]
    assert np.allclose(found.ravel().astype(float), expected, atol=0.501 if name != "float32" else 1e-3)


def test_a_plane_on_the_grid_has_the_voxels_themselves() -> None:
    volume = np.random.default_rng(3).integers(0, 1 << 64, SIDES, np.uint64)
    plane = make_oblique([0, 8, 16], [80, 8, 16], [0, 48, 16], 8, [8, 8, 8])
    found = sample(plane, KIND["uint64"], BLOCK, reader(volume))
    assert (found == volume[2, 1:7, 0:11]).all()


def test_a_plane_that_crosses_very_many_blocks_is_looked_at_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oblique, "CELLS", 4)
    volume = np.random.default_rng(3).integers(0, 255, SIDES).astype(np.uint8)
    plane = make_oblique([0, 0, 0], [17, 14, 11], [3, 9, 2], 1, [1, 1, 1])
    expected = [round(trilinear(volume, p) + 1e-9) for p in plane.points(0, plane.width * plane.height).T]
    found = sample(plane, KIND["uint8"], BLOCK, reader(volume)).ravel()
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_pixels_are_steps_and_one_more() -> None:
    plane = make_oblique([0, 0, 0], [80, 0, 0], [0, 0, 79], 8, [8, 8, 8])
    assert (plane.width, plane.height) == (11, 10)
    assert make_oblique([5, 5, 5], [5, 5, 5], [5, 5, 5], 8, [8, 8, 8])[3:] == (1, 1)


def test_pixels_of_interleaved_voxels_are_the_references() -> None:
    """It takes the number of a voxel for that of its first byte."""
    rgba: Kind = KIND["rgba8"]
    volume = np.random.default_rng(3).integers(0, 1 << 32, SIDES, np.uint32)
    plane: Oblique = make_oblique([0, 0, 0], [3, 0, 0], [0, 2, 0], 1, [1, 1, 1])
    block: Any = reader(volume)((0, 0, 0)).view(np.uint8).ravel()
    expected = [[block[y * 6 + x : y * 6 + x + 4].tolist() for x in range(4)] for y in range(3)]
    assert rgba.values(sample(plane, rgba, BLOCK, reader(volume))).tolist() == expected


@pytest.mark.parametrize("text", ["", "0_0", "0_0_0_0", "x_0_0", "nan_0_0", "inf_0_0"])
def test_what_is_no_corner_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_corner(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "nan", "inf"])
def test_what_is_no_resolution_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_resolution(text)


@pytest.mark.parametrize(("far", "resolution"), [(1e300, 8), (1e11, 8), (8e10, 1), (1.0, 1e-300)])
def test_planes_beyond_the_coordinates_are_refused(far: float, resolution: float) -> None:
    with pytest.raises(BadRequest):
        make_oblique([0, 0, 0], [far, 0, 0], [0, 1, 0], resolution, [8, 8, 8])
