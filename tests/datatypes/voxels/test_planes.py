from __future__ import annotations

import numpy as np
import pytest

from dvidpy.datatypes.voxels.planes import parse_box, parse_shape, parse_slice_size
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box

VOLUME = np.arange(4 * 5 * 6).reshape(4, 5, 6)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("xy", "XY", "0_1", "0,1"), VOLUME[1, 2:5, 1:4]),
        (("xz", "Xz", "0_2", "0,2"), VOLUME[1:4, 2, 1:4]),
        (("yz", "1_2", "1,2"), VOLUME[1:4, 2:5, 1]),
    ],
)
def test_a_slice_has_its_own_pair_of_axes(names: tuple[str, ...], expected: np.ndarray) -> None:
    for name in names:
        plane = parse_shape(name)
        assert plane is not None
        box = plane.box(3, 3, (1, 2, 1))
        part = VOLUME[tuple(slice(a, b) for a, b in zip(box.start, box.stop, strict=True))]
        assert (plane.picture(part) == expected).all()


@pytest.mark.parametrize("name", ["vol", "VOL", "0_1_2", "0,1,2"])
def test_a_volume_is_no_plane(name: str) -> None:
    assert parse_shape(name) is None


@pytest.mark.parametrize("name", ["", "zz", "yx", "1_0", "0_1_2_3", "arb", "0", "xyz"])
def test_other_shapes_are_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        parse_shape(name)


def test_sizes_and_offsets_come_as_x_y_z() -> None:
    assert parse_box("1_2_3", "4_5_-6") == Box((-6, 5, 4), (3, 2, 1))
    assert parse_slice_size("7_8") == (7, 8)


@pytest.mark.parametrize("size", ["0_1", "1_-1", "1", "1_2_3", "x_1"])
def test_slices_without_pixels_are_refused(size: str) -> None:
    with pytest.raises(BadRequest):
        parse_slice_size(size)
