"""Voxels as precomputed chunks, read back by programs of others."""

from __future__ import annotations

import io

import numpy as np
import pytest
from label_instances import Segments, volume_with_bodies
from PIL import Image
from readers import PRECOMPUTED as READERS
from readers import Voxels, url_of
from readers import read_precomputed as read_with
from served import Serve, Served


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(5)


def post(served: Served, path: str, voxels: Voxels, offset: str = "0_0_0") -> None:
    size = "_".join(map(str, voxels.shape[::-1]))
    answer = served.http.post(f"{path}/raw/0_1_2/{size}/{offset}", content=voxels.tobytes())
    assert answer.status_code == 200, answer.text


# ---------------------------------------------------------------------- images
@pytest.mark.parametrize("reader", READERS)
def test_an_image_is_read_back_where_it_is(served: Served, noise: np.random.Generator, reader: str) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk", BlockSize="32,32,32")
    voxels = noise.integers(0, 256, (32, 96, 160), np.uint8)
    post(served, path, voxels, "-64_64_128")
    found, start = read_with(reader, url_of(served, path))
    assert start == (128, 64, -64)
    assert np.array_equal(found, voxels)


@pytest.mark.parametrize("reader", READERS)
def test_extents_that_end_inside_a_block_clip_it(served: Served, noise: np.random.Generator, reader: str) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk", BlockSize="32,32,32")
    voxels = noise.integers(0, 256, (64, 64, 96), np.uint8)
    post(served, path, voxels)
    served.http.post(f"{path}/extents", json={"MinPoint": [0, 0, 0], "MaxPoint": [70, 50, 32]})
    found, start = read_with(reader, url_of(served, path))
    assert start == (0, 0, 0)
    assert np.array_equal(found, voxels[:33, :51, :71])


@pytest.mark.parametrize("typename", ["uint16blk", "uint32blk", "uint64blk", "float32blk"])
def test_other_numbers_are_read_back(served: Served, noise: np.random.Generator, typename: str) -> None:
    path = served.instance(served.repo(), "gray", typename, BlockSize="16,16,16")
    voxels = noise.integers(0, 200, (16, 32, 48)).astype(typename.removesuffix("blk"))
    post(served, path, voxels)
    for reader in READERS if typename != "float32blk" else READERS[:1]:
        found, _ = read_with(reader, url_of(served, path))
        assert np.array_equal(found, voxels)


def test_colours_are_channels(served: Served, noise: np.random.Generator) -> None:
    path = served.instance(served.repo(), "colour", "rgba8blk", BlockSize="16,16,16")
    voxels = noise.integers(0, 256, (16, 16, 32, 4), np.uint8)
    answer = served.http.post(f"{path}/raw/0_1_2/32_16_16/0_0_0", content=voxels.tobytes())
    assert answer.status_code == 200
    found, _ = read_with("tensorstore", url_of(served, path))
    assert np.array_equal(found, voxels.transpose(3, 0, 1, 2))


@pytest.mark.parametrize("reader", READERS)
def test_a_pyramid_is_read_back(served: Served, noise: np.random.Generator, reader: str) -> None:
    root = served.repo()
    path = served.instance(root, "gray", "uint8blk", BlockSize="32,32,32", Pyramid="2", VoxelSize="4,4,40")
    post(served, path, noise.integers(0, 256, (64, 64, 128), np.uint8), "64_0_0")
    served.commit(root)
    info = served.http.get(f"{path}/precomputed/info").json()
    assert [scale["resolution"] for scale in info["scales"]] == [[4, 4, 40], [8, 8, 80], [16, 16, 160]]
    for scale, (width, first) in enumerate([(128, 64), (64, 32), (32, 16)]):
        found, start = read_with(reader, url_of(served, path), scale)
        offset, side = first - start[2], 64 >> scale
        assert 0 <= offset < 64
        level = path if scale == 0 else f"{path}_{scale}"
        expected = served.http.get(f"{level}/raw/0_1_2/{width}_{side}_{side}/{first}_0_0").content
        assert found[..., offset:].tobytes() == expected
    alone = served.http.get(f"{path}_1/precomputed/info").json()
    assert [scale["resolution"] for scale in alone["scales"]] == [[8, 8, 80]]


def test_units_become_nanometers(served: Served) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk", VoxelSize="0.5,2,3", VoxelUnits="microns,nanometers,mm")
    assert served.http.get(f"{path}/precomputed/info").json()["scales"][0]["resolution"] == [500, 2, 3e6]


def test_pictures_are_sent_as_they_lie_there(served: Served) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk", BlockSize="64,64,64", Compression="jpeg")
    slope = (np.indices((64, 64, 128)).sum(0) // 2).astype(np.uint8)
    post(served, path, slope)
    assert served.http.get(f"{path}/precomputed/info").json()["scales"][0]["encoding"] == "jpeg"
    answer = served.http.get(f"{path}/precomputed/jpeg/s0/64-128_0-64_0-64")
    assert answer.headers["content-type"] == "image/jpeg"
    stored = served.http.get(f"{path}/subvolblocks/64_64_64/64_0_0", params={"compression": "jpeg"}).content
    assert answer.content == stored[16:]
    found, _ = read_with("tensorstore", url_of(served, path))
    assert np.abs(found.astype(int) - slope).max() < 8


def test_jpeg_of_other_packings_and_clipped(served: Served) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk", BlockSize="32,32,32")
    slope = (np.indices((32, 64, 96)).sum(0) // 2).astype(np.uint8)
    post(served, path, slope)
    found, _ = read_with("tensorstore", url_of(served, path) + "/jpeg")
    assert np.abs(found.astype(int) - slope).max() < 8
    picture = Image.open(io.BytesIO(served.http.get(f"{path}/precomputed/jpeg/s0/64-96_0-64_0-32").content))
    assert (picture.width, picture.height) == (32, 64 * 32)


def test_an_instance_without_voxels_shows_one_chunk(served: Served) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk")
    found, start = read_with("tensorstore", url_of(served, path))
    assert (found.shape, start, int(found.max())) == ((64, 64, 64), (0, 0, 0), 0)


# ---------------------------------------------------------------------- labels
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("block", [16, 64])
@pytest.mark.parametrize("encoding", ["", "/raw"])
def test_bodies_are_read_back_at_all_scales(serve: Serve, reader: str, block: int, encoding: str) -> None:
    segments = Segments(serve(), block, levels=2)
    volume = volume_with_bodies(3, (64, 128, 128))
    segments.put(volume, (64, -128, 0))
    segments.settle()
    segments.merge(1, 2, 3)
    for scale in range(3):
        found, start = read_with(reader, url_of(segments.served, segments.path) + encoding, scale)
        size, offset = ("_".join(map(str, point[::-1])) for point in (found.shape, start))
        expected = segments.get(f"raw/0_1_2/{size}/{offset}", scale=scale)
        assert found.tobytes() == expected
        assert {1, 2, 3, (1 << 63) + 5} & {*np.unique(found).tolist()} == {1, (1 << 63) + 5}


@pytest.mark.parametrize("reader", READERS)
def test_labels_are_clipped_where_the_extents_end(serve: Serve, reader: str) -> None:
    segments = Segments(serve(), 64)
    volume = volume_with_bodies(4, (64, 64, 128))
    segments.put(volume)
    segments.ask("extents", b'{"MaxPoint": [70, 62, 12]}', "POST")
    found, _ = read_with(reader, url_of(segments.served, segments.path))
    assert np.array_equal(found, volume[:13, :63, :71])


@pytest.mark.parametrize("reader", READERS)
def test_a_labelarray_is_read_back(served: Served, reader: str) -> None:
    path = served.instance(served.repo(), "seg", "labelarray", BlockSize="64,64,64", MaxDownresLevel="1")
    volume = volume_with_bodies(6, (64, 64, 128))
    post(served, path, volume)
    assert served.http.post(f"{path}/merge", content=b"[1, 2]").status_code == 200
    found, _ = read_with(reader, url_of(served, path))
    assert np.array_equal(found, np.where(volume == 2, 1, volume))


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("raw/s0/0-64_0-64_0-64", 200),
        ("raw/s0/0-64_0-64_0-33", 200),
        ("raw/s0/640-704_0-64_0-64", 200),
        ("raw/s0/1-64_0-64_0-64", 404),
        ("raw/s0/0-65_0-64_0-64", 404),
        ("raw/s1/0-64_0-64_0-64", 404),
        ("raw/0/0-64_0-64_0-64", 404),
        ("png/s0/0-64_0-64_0-64", 404),
        ("compressed_segmentation/info", 404),
        ("provenance", 404),
        ("raw", 404),
        ("raw/s0", 404),
        ("raw/s0/0-0_0-64_0-64", 400),
        ("raw/s0/64-0_0-64_0-64", 400),
        ("raw/s0/0-64_0-64", 400),
        ("raw/s0/0-64_0-64_x-64", 400),
        ("raw/s0/0-64_0-64_2147483584-2147483648", 400),
        ("raw/s0/0-64_0-64_99999999999-2147483648", 400),
        ("", 400),
    ],
)
def test_what_is_no_chunk_is_refused(served: Served, file: str, status: int) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk")
    for method in ("GET", "HEAD"):
        assert served.http.request(method, f"{path}/precomputed/{file}").status_code == status
