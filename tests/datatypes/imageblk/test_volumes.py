from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dvidpy.datatypes.imageblk import from_files

KINDS = [
    ("uint8blk", "u1"),
    ("uint16blk", "<u2"),
    ("uint32blk", "<u4"),
    ("uint64blk", "<u8"),
    ("float32blk", "<f4"),
    ("rgba8blk", "<u4"),
]


@pytest.mark.parametrize(("typename", "dtype"), KINDS)
def test_voxels_come_back_from_any_box(volumes: Any, noise: Any, typename: str, dtype: str) -> None:
    path = volumes.new(typename, BlockSize="16,8,4")
    posted = noise.integers(0, 256, 8 * 16 * 32 * np.dtype(dtype).itemsize, np.uint8).view(dtype).reshape(8, 16, 32)
    volumes.post(path, (-16, 8, -4), posted)
    model = np.zeros((20, 40, 60), dtype)
    model[6:14, 13:29, 4:36] = posted  # its first voxel is x -20, y -5, z -10
    assert (volumes.get(path, (-20, -5, -10), (60, 40, 20), dtype).view("u1") == model.view("u1")).all()
    assert (
        volumes.get(path, (-7, 9, -3), (11, 13, 5), dtype).view("u1") == model[7:12, 14:27, 13:24].copy().view("u1")
    ).all()


@pytest.mark.parametrize("engine", ["memory"], indirect=True)
def test_large_volumes_come_in_pieces(volumes: Any, noise: Any) -> None:
    path = volumes.new(BlockSize="64,64,64")
    posted = noise.integers(0, 256, (256, 256, 192), np.uint8)
    volumes.post(path, (0, 0, 0), posted)
    assert (volumes.get(path, (0, 0, 0), (192, 256, 256)) == posted).all()
    expected = np.zeros((260, 250, 190), np.uint8)
    expected[:253, :249, :189] = posted[3:, 7:, 3:]
    assert (volumes.get(path, (3, 7, 3), (190, 250, 260)) == expected).all()


@pytest.mark.parametrize("compression", ["none", "lz4", "gzip"])
@pytest.mark.parametrize(("typename", "dtype"), [("uint8blk", "u1"), ("uint16blk", "<u2")])
def test_boxes_are_cut_out_of_blocks_of_any_version(
    volumes: Any, noise: Any, compression: str, typename: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 32 KiB and more, some of noise, one that nothing is in, some of the version before."""
    monkeypatch.setattr(from_files, "SLAB", 10_000)  # a few planes
    path = volumes.new(typename, BlockSize="32,32,32", Compression=compression)
    model = noise.integers(0, 256, (64, 64, 64)).astype(dtype)
    model[:32, :32, 32:] = 7
    volumes.post(path, (-32, 0, -32), model[:, :, :32])
    volumes.post(path, (0, 0, -32), model[:32, :, 32:])
    model[32:, :, 32:] = 0
    volumes.commit(volumes.root)
    path = f"/api/node/{volumes.child(volumes.root)}/g"
    model[:32, 32:, :32] = noise.integers(0, 256, (32, 32, 32))
    volumes.post(path, (-32, 32, -32), model[:32, 32:, :32])
    for z, depth in ((0, 1), (31, 1), (31, 2), (20, 12), (3, 15), (32, 7), (5, 59), (63, 1), (40, 9)):
        found = volumes.get(path, (-20, 3, z - 32), (40, 50, depth), dtype)
        assert (found == model[z : z + depth, 3:53, 12:52]).all()


def test_slices_show_their_planes(volumes: Any, noise: Any) -> None:
    path = volumes.new()
    posted = noise.integers(0, 256, (64, 64, 64), np.uint8)
    volumes.post(path, (-32, 0, 0), posted)
    for plane, expected in (
        ("xy", posted[9, 7:27, 27:57]),
        ("xz", posted[9:29, 7, 27:57]),
        ("yz", posted[9:29, 7:37, 27]),
    ):
        answer = volumes.client.get(f"{path}/raw/{plane}/30_20/-5_7_9")
        assert answer.headers["content-type"] == "image/png"
        assert (np.asarray(Image.open(io.BytesIO(answer.content))) == expected).all()


def test_a_volume_as_jpeg_has_its_slices_below_each_other(volumes: Any) -> None:
    path = volumes.new()
    volumes.post(path, (0, 0, 0), np.full((32, 32, 32), 99, np.uint8))
    found = Image.open(io.BytesIO(volumes.client.get(f"{path}/raw/0_1_2/10_8_6/0_0_0/jpg").content))
    assert (found.format, found.size, found.mode) == ("JPEG", (10, 48), "L")
    assert np.abs(np.asarray(found).astype(int) - 99).max() <= 1
    assert volumes.status("GET", f"{path}/raw/0_1_2/4_300_300/0_0_0/jpg") == 400


def test_isotropic_pixels(volumes: Any) -> None:
    path = volumes.new(VoxelSize="4,4,40")
    voxels = np.full((32, 32, 32), 100, np.uint8)
    voxels[3:] = 20
    volumes.post(path, (0, 0, 0), voxels)
    found = np.asarray(Image.open(io.BytesIO(volumes.client.get(f"{path}/isotropic/xz/20_60/0_0_0").content)))
    assert found.shape == (60, 20)
    assert found[:24].min() == 100
    assert found[-24:].max() == 20
    across = np.asarray(Image.open(io.BytesIO(volumes.client.get(f"{path}/isotropic/xy/20_60/0_0_0/bmp").content)))
    assert across.shape == (60, 20)
    assert volumes.client.get(f"{path}/isotropic/0_1_2/2_2_2/0_0_2").content == bytes([100] * 4 + [20] * 4)


@pytest.mark.parametrize(("typename", "dtype"), KINDS)
def test_planes_of_any_direction(volumes: Any, noise: Any, typename: str, dtype: str) -> None:
    path = volumes.new(typename, VoxelSize="10,10,10", Background="0")
    posted = noise.integers(0, 100, (32, 32, 32)).astype(dtype)
    volumes.post(path, (0, 0, 0), posted)
    answer = volumes.client.get(f"{path}/arb/20_30_40/120_30_40/20_30_140/10/png")
    assert answer.headers["content-type"] == "image/png"
    found = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert found.shape[:2] == (11, 11)
    if np.dtype(dtype).itemsize <= 2:
        assert (found == posted[4:15, 3, 2:13]).all()
    elif typename in ("uint32blk", "float32blk"):
        assert (found.copy().view(dtype)[..., 0] == posted[4:15, 3, 2:13]).all()
    assert found.any()


def test_background_shows_in_planes_outside(volumes: Any) -> None:
    path = volumes.new(Background="17")
    found = np.asarray(Image.open(io.BytesIO(volumes.client.get(f"{path}/arb/0_0_0/240_0_0/0_40_0/8").content)))
    assert (found == 17).all()


@pytest.mark.parametrize(
    "rest",
    [
        "raw",
        "raw/xy/10_10",
        "raw/zz/10_10/0_0_0",
        "raw/xy/10_10_10/0_0_0",
        "raw/xy/10_10/0_0",
        "raw/xy/0_10/0_0_0",
        "raw/xy/a_10/0_0_0",
        "raw/0_1_2/0_4_4/0_0_0",
        "raw/0_1_2/4_4/0_0_0",
        "raw/0_1_2/4_4_4/0_0_x",
        "raw/0_1_2/5000_5000_5000/0_0_0",
        "raw/0_1_2/2147483647_2147483647_2147483647/0_0_0",
        "raw/xy/2147483647_2147483647/0_0_0",
        "raw/0_1_2/4_4_4/2147483646_0_0",
        "raw/0_1_2/4_4_4/99999999999_0_0",
        "raw/0_1_2/4_4_4/0_0_0?roi=nosuch",
        "raw/0_1_2/4_4_4/0_0_0?roi=g",
        "raw/xy/4_4/0_0_0?roi=g",
        "raw/0_1_2/4_4_4/0_0_0?roi=g&attenuation=8",
        "raw/0_1_2/4_4_4/0_0_0?roi=g&attenuation=x",
        "raw/xy/10_10/0_0_0/gif",
        "raw/xy/70000_1/0_0_0/jpg",
        "isotropic/xz/4_4",
        "isotropic/xz/4_4/0_0_0/PNG",
        "arb",
        "arb/0_0_0/80_0_0/0_80_0",
        "arb/0_0_0/80_0_0/0_80_0/0",
        "arb/0_0_0/80_0_0/0_80_0/-8",
        "arb/0_0_0/80_0_0/0_80_0/nan",
        "arb/0_0_0/80_0_0/0_80_0/8/gif",
        "arb/0_0_0/nan_0_0/0_80_0/8",
        "arb/0_0_0/1e9_0_0/0_1e9_0/1",
        "arb/0_0_0/1e300_0_0/0_1_0/8",
    ],
)
def test_reads_that_make_no_sense_are_refused(volumes: Any, rest: str) -> None:
    path = volumes.new()
    assert volumes.status("GET", f"{path}/{rest}") == 400


@pytest.mark.parametrize(
    ("rest", "size"),
    [
        ("raw/0_1_2/32_32_32/16_0_0", 32**3),
        ("raw/0_1_2/31_32_32/0_0_0", 31 * 32 * 32),
        ("raw/0_1_2/32_32_32/0_0_0", 32**3 - 1),
        ("raw/0_1_2/32_32_32/0_0_0", 32**3 + 1),
        ("raw/0_1_2/32_32_32/0_0_0", 0),
        ("raw/xy/32_32/0_0_0", 1024),
        ("isotropic/0_1_2/32_32_32/0_0_0", 32**3),
        ("raw/0_1_2/32_32_32/0_0_0?roi=nosuch", 32**3),
        ("raw/0_1_2/32_32_32", 32**3),
        ("raw/0_1_2/320000_320000_320000/0_0_0", 32),
        ("raw/0_1_2/32_32_32/2147483616_0_32", 32**3 * 2),
    ],
)
def test_writes_that_make_no_sense_store_nothing(volumes: Any, rest: str, size: int) -> None:
    path = volumes.new()
    assert volumes.status("POST", f"{path}/{rest}", b"\x01" * size) == 400
    assert volumes.info(path)["Extents"] == {"MinPoint": None, "MaxPoint": None}
    assert volumes.client.get(f"{path}/subvolblocks/64_32_32/0_0_0").content == b""


def test_a_body_of_unknown_length_must_have_the_right_one(volumes: Any) -> None:
    path = volumes.new()
    whole = f"{path}/raw/0_1_2/32_32_64/0_0_0"
    for pieces in ([b"a" * 32**3], [b"a" * 32**3] * 2 + [b"a"], []):
        assert volumes.client.post(whole, content=iter(pieces)).status_code == 400
    assert volumes.client.post(whole, content=iter([b"a" * 1000] * 65 + [b"a" * 536])).status_code == 200
    assert (volumes.get(path, (0, 0, 0), (32, 32, 64)) == ord("a")).all()


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_get_and_post_are_allowed(volumes: Any, method: str) -> None:
    path = volumes.new()
    for rest in ("info", "metadata", "raw/0_1_2/32_32_32/0_0_0"):
        assert volumes.status(method, f"{path}/{rest}") == 400


def test_unknown_options_and_further_path_parts_are_ignored(volumes: Any) -> None:
    path = volumes.new()
    volumes.post(path, (0, 0, 0), np.full((32, 32, 32), 5, np.uint8), "?mutate=true&throttle=true&unknown=1")
    assert volumes.client.get(f"{path}/raw/0_1_2/1_1_1/0_0_0/octet-stream/more?throttle=on&x=y").content == b"\x05"
    assert volumes.client.get(f"{path}/raw/xy/1_1/0_0_0/png/more/").status_code == 200
