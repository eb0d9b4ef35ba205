from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dvidpy.datatypes.voxels.kinds import KINDS, Kind
from dvidpy.datatypes.voxels.pictures import block_from_jpeg, block_to_jpeg, parse_format, picture, pixels_of
from dvidpy.errors import BadRequest, StoreError

KIND = {kind.name: kind for kind in KINDS}
FORMATS = ("png", "jpg:90", "tif", "bmp")


def voxels_of(kind: Kind, height: int = 7, width: int = 5) -> np.ndarray:
    return (
        np.random.default_rng(1)
        .integers(0, 256, height * width * kind.itemsize, np.uint8)
        .view(kind.dtype)
        .reshape(height, width)
    )


def opened(body: Any) -> Image.Image:
    assert isinstance(body, bytes)
    return Image.open(io.BytesIO(body))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_picture_in_every_format(kind: Kind, form: str) -> None:
    reply = picture(kind, voxels_of(kind), parse_format(form))
    found = opened(reply.body)
    assert found.size == (5, 7)
    assert dict(reply.headers)[b"content-type"] == f"image/{(found.format or '').lower()}".encode()


@pytest.mark.parametrize("form", ["", "png", "tif", "bmp"])
def test_bytes_are_kept_exactly(form: str) -> None:
    gray = voxels_of(KIND["uint8"], 40, 30)
    assert (np.asarray(opened(picture(KIND["uint8"], gray, parse_format(form)).body)) == gray).all()


@pytest.mark.parametrize("name", ["uint32", "float32", "rgba8"])
@pytest.mark.parametrize("form", ["png", "tif", "bmp"])
def test_four_bytes_are_red_green_blue_and_alpha(name: str, form: str) -> None:
    voxels = voxels_of(KIND[name])
    found = np.asarray(opened(picture(KIND[name], voxels, parse_format(form)).body))
    expected: np.ndarray = voxels.view(np.uint8).reshape(7, 5, 4).astype(np.uint32)
    if form == "bmp":  # which has no alpha: colours are shown over black
        expected = (expected[..., :3] * 257 * expected[..., 3:] // 255) >> 8
    assert found.shape == expected.shape
    assert (found == expected).all()


def test_a_bmp_of_sixteen_bits_is_coloured_gray_and_of_small_labels_black() -> None:
    voxels = voxels_of(KIND["uint16"])
    found = np.asarray(opened(picture(KIND["uint16"], voxels, parse_format("bmp")).body))
    assert (found == (voxels >> 8)[..., None]).all()
    assert found.shape == (7, 5, 3)
    labels = np.arange(35, dtype="<u8").reshape(7, 5)
    assert not np.asarray(opened(picture(KIND["uint64"], labels, parse_format("bmp")).body)).any()


@pytest.mark.parametrize("form", ["png", "tif"])
def test_sixteen_bits_of_gray_are_kept(form: str) -> None:
    voxels = voxels_of(KIND["uint16"])
    assert (np.asarray(opened(picture(KIND["uint16"], voxels, parse_format(form)).body)) == voxels).all()


def test_sixty_four_bits_are_four_channels_of_sixteen() -> None:
    voxels = voxels_of(KIND["uint64"])
    body = picture(KIND["uint64"], voxels, parse_format("png")).body
    assert isinstance(body, bytes)
    assert body[24:26] == b"\x10\x06"  # 16 bits, colour with alpha
    packed = body[body.index(b"IDAT") + 4 : body.index(b"IEND") - 8]
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(7, 1 + 5 * 8)
    assert (lines[:, 0] == 1).all()
    rows = np.cumsum(lines[:, 1:].reshape(7, 5, 8), axis=1, dtype=np.uint8)
    assert (rows.view(">u2")[..., 0::1] == pixels_of(KIND["uint64"], voxels)).all()
    assert (np.asarray(opened(body)) == pixels_of(KIND["uint64"], voxels) >> 8).all()


def test_jpeg_shows_colours_over_black() -> None:
    voxels = np.full((8, 8), 0x000000FF, "<u4")  # red, wholly transparent
    assert np.asarray(opened(picture(KIND["rgba8"], voxels, parse_format("jpg:100")).body)).max() <= 2


def test_quality_makes_a_difference() -> None:
    gray = voxels_of(KIND["uint8"], 64, 64)
    sizes = [len(bytes(picture(KIND["uint8"], gray, parse_format(f"jpg:{q}")).body)) for q in (5, 50, 95)]  # type: ignore[arg-type]
    assert sizes == sorted(sizes)
    assert parse_format("jpg:1000").quality == 100
    assert parse_format("jpeg:-5").quality == 1


@pytest.mark.parametrize("text", ["gif", "PNG", "jpg:xx", "jpg:", "raw", "jpg:٣", "png:" + "9" * 5000, "j"])
def test_other_formats_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_format(text)


def test_a_jpeg_beyond_its_largest_size_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse_format("jpg").demand_fits(1, 65_501)
    parse_format("png").demand_fits(1, 65_501)


def test_a_block_kept_as_jpeg_comes_back_nearly() -> None:
    z, y, x = np.mgrid[0:16, 0:16, 0:32]
    block = (z + y + 2 * x).astype(np.uint8)
    packed = block_to_jpeg(block)
    with opened(packed) as found:
        assert (found.size, found.mode) == ((32, 256), "L")
    again = np.frombuffer(block_from_jpeg(packed, block.size), np.uint8).reshape(block.shape)
    assert np.abs(again.astype(int) - block).mean() < 3


def test_other_pictures_are_errors_of_the_store() -> None:
    """Too small, of colours, of another format, broken, or a bomb: refused before they are unpacked."""
    gray = Image.fromarray(np.zeros((8, 8), np.uint8))

    def saved(image: Image.Image, form: str) -> bytes:
        out = io.BytesIO()
        image.save(out, form)
        return out.getvalue()

    packed = saved(gray, "JPEG")
    huge = packed.replace(b"\x00\x08\x00\x08", b"\xff\xdc\xff\xdc", 1)
    for body in (packed, saved(gray.convert("RGB"), "JPEG"), saved(gray, "PNG"), packed[:30], b"", bytes(99), huge):
        with pytest.raises(StoreError, match="a stored picture"):
            block_from_jpeg(body, 65 if body == packed else 64)
    assert block_from_jpeg(packed, 64) == bytes(64)
