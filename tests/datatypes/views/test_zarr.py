"""Voxels as OME-Zarr, read back by programs of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from label_instances import Segments, volume_with_bodies
from readers import ZARR as READERS
from readers import Voxels, read_zarr, url_of, zarr_group
from served import Serve, Served


def url(served: Served, path: str) -> str:
    return url_of(served, path, "zarr")


def post(served: Served, path: str, voxels: Voxels, offset: str = "0_0_0") -> None:
    size = "_".join(map(str, voxels.shape[2::-1]))
    answer = served.http.post(f"{path}/raw/0_1_2/{size}/{offset}", content=voxels.tobytes())
    assert answer.status_code == 200, answer.text


def noise(*shape: int, most: int = 256, kind: str = "uint8") -> Voxels:
    return np.random.default_rng(5).integers(0, most, shape).astype(kind)


def ome(served: Served, path: str) -> dict[str, Any]:
    found: dict[str, Any] = served.http.get(f"{path}/zarr/zarr.json").json()["attributes"]["ome"]
    return found


def offset(served: Served, path: str, scale: int = 0) -> list[int]:
    found: list[int] = served.http.get(f"{path}/zarr/s{scale}/zarr.json").json()["attributes"]["voxel_offset"]
    return found


@pytest.mark.parametrize("reader", READERS)
def test_an_image_is_read_back(served: Served, reader: str) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk", BlockSize="32,32,32")
    voxels = noise(32, 96, 160)
    post(served, path, voxels, "-64_64_128")
    assert offset(served, path) == [128, 64, -64]
    assert np.array_equal(read_zarr(reader, url(served, path)), voxels)


@pytest.mark.parametrize("reader", READERS)
def test_extents_that_end_inside_a_block_clip_it(served: Served, reader: str) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk", BlockSize="32,32,32")
    voxels = noise(64, 64, 96)
    post(served, path, voxels)
    served.http.post(f"{path}/extents", json={"MinPoint": [0, 0, 0], "MaxPoint": [70, 50, 32]})
    assert np.array_equal(read_zarr(reader, url(served, path)), voxels[:33, :51, :71])


@pytest.mark.parametrize("kind", ["uint16", "uint32", "uint64", "float32"])
def test_other_numbers_are_read_back(served: Served, kind: str) -> None:
    path = served.instance(served.repo(), "gray", f"{kind}blk", BlockSize="16,16,16")
    voxels = noise(16, 32, 48, most=200, kind=kind)
    post(served, path, voxels)
    for reader in READERS:
        assert np.array_equal(read_zarr(reader, url(served, path)), voxels)


@pytest.mark.parametrize("reader", READERS)
def test_colours_are_channels(served: Served, reader: str) -> None:
    path = served.instance(served.repo(), "colour", "rgba8blk", BlockSize="16,16,16")
    voxels = noise(16, 16, 32, 4)
    post(served, path, voxels)
    assert np.array_equal(read_zarr(reader, url(served, path)), voxels.transpose(3, 0, 1, 2))
    assert [axis["name"] for axis in ome(served, path)["multiscales"][0]["axes"]] == ["c", "z", "y", "x"]
    assert served.http.get(f"{path}/zarr/s0/c/0/0/0").status_code == 404
    assert served.http.get(f"{path}/zarr/s0/c/1/0/0/0").status_code == 404


@pytest.mark.parametrize("reader", READERS)
def test_a_pyramid_is_read_back_where_it_is(served: Served, reader: str) -> None:
    root = served.repo()
    path = served.instance(root, "gray", "uint8blk", BlockSize="32,32,32", Pyramid="2", VoxelSize="4,4,40")
    post(served, path, noise(64, 64, 128), "64_0_0")
    served.commit(root)
    for scale, (width, first) in enumerate([(128, 64), (64, 32), (32, 16)]):
        found, start, side = read_zarr(reader, url(served, path), scale), offset(served, path, scale), 64 >> scale
        level = path if scale == 0 else f"{path}_{scale}"
        expected = served.http.get(f"{level}/raw/0_1_2/{width}_{side}_{side}/{first}_0_0").content
        assert found[..., first - start[2] :].tobytes() == expected
    shown = [one["coordinateTransformations"] for one in ome(served, path)["multiscales"][0]["datasets"]]
    assert [scale["scale"] for scale, _ in shown] == [[40, 4, 4], [80, 8, 8], [160, 16, 16]]
    assert [place["translation"] for _, place in shown] == [[0, 0, 256], [20, 2, 2], [60, 6, 6]]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("block", [16, 64])
def test_bodies_are_read_back_at_all_scales(serve: Serve, reader: str, block: int) -> None:
    segments = Segments(serve(), block, levels=2)
    segments.put(volume_with_bodies(3, (64, 128, 128)), (64, -128, 0))
    segments.settle()
    segments.merge(1, 2, 3)
    for scale in range(3):
        found = read_zarr(reader, url(segments.served, segments.path), scale)
        start = offset(segments.served, segments.path, scale)
        size, at = ("_".join(map(str, point[::-1])) for point in (found.shape, start))
        assert found.tobytes() == segments.get(f"raw/0_1_2/{size}/{at}", scale=scale)
        assert {1, 2, 3, (1 << 63) + 5} & {*np.unique(found).tolist()} == {1, (1 << 63) + 5}
    assert "image-label" in ome(segments.served, segments.path)


def test_the_group_has_all_that_is_said_of_arrays(served: Served) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk", Pyramid="1")
    group = served.http.get(f"{path}/zarr/zarr.json").json()
    for name, array in group["consolidated_metadata"]["metadata"].items():
        assert served.http.get(f"{path}/zarr/{name}/zarr.json").json() == array
    assert sorted(zarr_group(url(served, path)).array_keys()) == ["s0", "s1"]


def test_an_instance_without_voxels_shows_one_chunk(served: Served) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk")
    found = read_zarr("tensorstore", url(served, path))
    assert (found.shape, int(found.max())) == ((64, 64, 64), 0)


def test_clients_may_keep_it_until_it_changes(served: Served) -> None:
    root = served.repo()
    path = served.instance(root, "gray", "uint8blk", BlockSize="32,32,32", Pyramid="1")
    post(served, path, noise(64, 64, 64))
    fine, coarse = (served.http.get(f"{path}/zarr/s{scale}/c/0/0/0").headers for scale in range(2))
    assert fine["cache-control"] == "no-cache"
    served.http.post(f"{path}/extents", json={"MinPoint": [-64, 0, 0], "MaxPoint": [70, 50, 32]})
    for scale, before in enumerate((fine, coarse)):
        chunk, asked = f"zarr/s{scale}/c/0/0/0", {"if-none-match": before["etag"]}
        after = served.http.get(f"{path}/{chunk}", headers=asked)
        assert after.status_code == 200, "the first chunk is another one now"
        again = served.http.get(f"{path}/{chunk}", headers={"if-none-match": after.headers["etag"]})
        assert again.status_code == 304
    served.commit(root)
    assert "immutable" in served.http.get(f"{path}/zarr/s0/c/0/0/0").headers["cache-control"]
    branch = path.replace(root, f"{root}:master")
    assert served.http.get(f"{branch}/zarr/s0/c/0/0/0").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("s0/c/0/0/0", 200),
        ("s0/c/1/0/0", 404),
        ("s0/c/0/0/2147483647", 404),
        ("s0/c/-1/0/0", 400),
        ("s0/c/0/0/x", 400),
        ("s0/c/0/0/0/0", 404),
        ("s1/c/0/0/0", 404),
        ("s9/zarr.json", 404),
        ("s0/.zarray", 404),
        (".zattrs", 404),
        ("labels/zarr.json", 404),
    ],
)
def test_what_is_not_there_is_refused(served: Served, file: str, status: int) -> None:
    path = served.instance(served.repo(), "gray", "uint8blk")
    for method in ("GET", "HEAD"):
        assert served.http.request(method, f"{path}/zarr/{file}").status_code == status
