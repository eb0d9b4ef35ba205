from __future__ import annotations

import gzip
import io
import json
from typing import Any

import lz4.block
import numpy as np
import pytest
from datatypes.labelmap.conftest import Segs, blocks_in, halved, size_of, stream_of, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_examples import volume
from PIL import Image

from dvidpy.datatypes.labels import segmentation

OFFSET = st.tuples(*[st.integers(-2, 2)] * 3)
PLACE = st.tuples(*[st.integers(-50, 60)] * 3)
SIZE = st.tuples(*[st.integers(1, 70)] * 3)
LATER = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def shown(value: str | bytes) -> str:
    return value if isinstance(value, str) else f"{len(value)} bytes"


class Space:
    """A wide array beside what a server holds; its first voxel is at -LOW of every axis."""

    LOW = 160

    def __init__(self) -> None:
        self.voxels = np.zeros((2 * self.LOW,) * 3, np.uint64)

    def part(self, offset: tuple[int, ...], size: tuple[int, ...], scale: int = 0) -> np.ndarray:
        low = self.LOW >> scale
        place = tuple(slice(at + low, at + low + side) for at, side in zip(offset[::-1], size[::-1], strict=True))
        return self.voxels[place]


@LATER
@given(st.lists(st.tuples(OFFSET, st.integers(0, 99)), min_size=1, max_size=3), st.lists(st.tuples(PLACE, SIZE)))
def test_boxes_at_any_place_are_what_was_written(segs: Segs, posted: Any, asked: Any) -> None:
    path, space = segs.new(f"n{np.random.default_rng().integers(1 << 60)}", (16, 32, 48), levels=1), Space()
    for corner, seed in posted:
        offset = (16 * corner[0], 32 * corner[1], 48 * corner[2])
        labels = volume(seed, (48, 32, 32), 9, 5)
        segs.post(path, offset, labels)
        space.part(offset, (32, 32, 48))[...] = labels
    for place, size in [*asked, ((-50, -70, -99), (99, 120, 140))]:
        assert np.array_equal(segs.get(path, place, size), space.part(place, size))
    space.voxels = halved_quickly(space.voxels)
    assert np.array_equal(
        segs.get(path, (-17, -33, -47), (40, 70, 77), "?scale=1"), space.part((-17, -33, -47), (40, 70, 77), 1)
    )


def halved_quickly(labels: np.ndarray) -> np.ndarray:
    from dvidpy.datatypes.labels.downres import halved as by_kernel

    small = labels[140:172, 130:162, 150:182]
    assert np.array_equal(by_kernel(small), halved(small))
    return by_kernel(labels)


def test_versions_see_their_own_voxels_at_all_scales(segs: Segs) -> None:
    segs.new(levels=2)
    whole = volume(1, (32, 32, 32), 7)
    segs.post(f"/api/node/{segs.root}/seg", (0, 0, 0), whole)
    found = {segs.root: whole}
    main = segs.child(segs.root)
    side = segs.child(segs.root, "side")
    for seed, uuid in enumerate((main, side)):
        part = volume(10 + seed, (16, 16, 16), 5)
        segs.post(f"/api/node/{uuid}/seg", (16, 0, 16), part)
        found[uuid] = whole.copy()
        found[uuid][16:, :16, 16:] = part
    for uuid, labels in found.items():
        for scale in range(3):
            side_now = 32 >> scale
            got = segs.get(f"/api/node/{uuid}/seg", (0, 0, 0), (side_now,) * 3, f"?scale={scale}")
            assert np.array_equal(got, labels), (uuid, scale)
            labels = halved(labels)  # noqa: PLW2901  # the next scale


def test_compressed_answers_hold_the_same(segs: Segs) -> None:
    path, labels = segs.new(), volume(4, (48, 32, 32), 40)
    segs.post(path, (0, 0, 0), labels)
    for place, size in (((0, 0, 0), (16, 16, 16)), ((8, 0, 16), (24, 32, 32))):
        want = labels[place[2] : place[2] + size[2], place[1] : place[1] + size[1], place[0] : place[0] + size[0]]
        url = f"{path}/raw/0_1_2/{text_of(size)}/{text_of(place)}?compression="
        assert gzip.decompress(segs.call("GET", url + "gzip")) == want.tobytes()
        assert lz4.block.decompress(segs.call("GET", url + "lz4"), uncompressed_size=want.nbytes) == want.tobytes()
        assert segs.call("GET", url + "google") == segmentation.encode(want)
        answer = segs.client.get(url + "googlegzip")
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.content == segmentation.encode(want)


def test_viewers_get_chunks_of_zeros_beyond_the_data(segs: Segs) -> None:
    path = segs.new(block=(64, 64, 64))
    url = f"{path}/raw/0_1_2/64_64_64/640_0_-64?scale=1&app=Neuroglancer&compression="
    assert segs.call("GET", url + "googlegzip") == segmentation.encode(np.zeros((64, 64, 64), np.uint64))
    assert segs.status("GET", url + "lz4") == 400
    assert not segs.get(path, (640, 0, -64), (64, 64, 64)).any()


def test_bodies_may_be_packed(segs: Segs) -> None:
    path, labels = segs.new(), volume(2, (16, 16, 32), 4)
    plain = labels.tobytes()
    url = f"{path}/raw/0_1_2/{size_of(labels)}/0_0_"
    segs.call("POST", url + "0?compression=gzip", content=gzip.compress(plain))
    segs.call("POST", url + "16?compression=lz4", content=lz4.block.compress(plain, store_size=False))
    segs.call("POST", url + "32", content=gzip.compress(plain), headers={"Content-Encoding": "gzip"})
    assert np.array_equal(segs.get(path, (0, 0, 0), (32, 16, 48)), np.concatenate([labels] * 3))


@pytest.mark.parametrize(
    ("rest", "body"),
    [
        ("0_1_2/16_16_16/8_0_0", bytes(32768)),
        ("0_1_2/16_16_8/0_0_0", bytes(16384)),
        ("0_1_2/16_16_16/0_0_0", bytes(32767)),
        ("0_1_2/16_16_16/0_0_0", bytes(32769)),
        ("0_1_2/16_16_16/0_0_0", b""),
        ("0_1_2/16_16_16/0_0_0?compression=gzip", gzip.compress(bytes(32760))),
        ("0_1_2/16_16_16/0_0_0?compression=gzip", gzip.compress(bytes(1 << 22))),
        ("0_1_2/16_16_16/0_0_0?compression=gzip", gzip.compress(bytes(32768))[:-3]),
        ("0_1_2/16_16_16/0_0_0?compression=lz4", lz4.block.compress(bytes(32760), store_size=False)),
        ("0_1_2/16_16_16/0_0_0?compression=lz4", b"\xff" * 40),
        ("0_1_2/16_16_16/0_0_0?compression=google", bytes(32768)),
        ("0_1_2/16_16_16/0_0_0?scale=1", bytes(32768)),
        ("0_1_2/16_16_16/0_0_0?roi=none", bytes(32768)),
        ("0_1_2/1600000_1600000_1600000/0_0_0", bytes(32768)),
        ("0_1_2/16_16_16/2147483648_0_0", bytes(32768)),
        ("xy/16_16/0_0_0", bytes(2048)),
    ],
    ids=shown,
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(segs: Segs, rest: str, body: bytes) -> None:
    path = segs.new()
    before = segs.call("GET", f"{path}/info")
    assert segs.status("POST", f"{path}/raw/{rest}", body) == 400
    assert segs.call("GET", f"{path}/info") == before
    assert segs.call("GET", f"{path}/blocks/64_64_64/0_0_0") == b""


@pytest.mark.parametrize(
    "rest",
    [
        "raw/0_1_2/16_16_16/0_0_0?scale=-1",
        "raw/0_1_2/16_16_16/0_0_0?scale=256",
        "raw/0_1_2/16_16_16/0_0_0?compression=zip",
        "raw/0_1_2/12_16_16/0_0_0?compression=google",
        "raw/0_1_2/100000_100000_100000/0_0_0",
        "raw/xy/100000_100000/0_0_0",
        "raw/xy/70000_1/0_0_0/jpg",
        "isotropic/xz/100000_100000/0_0_0",
        "pseudocolor/0_1_2/16_16_16/0_0_0",
        "pseudocolor/xy/0_16/0_0_0",
    ],
)
def test_reads_that_make_no_sense(segs: Segs, rest: str) -> None:
    assert segs.status("GET", f"{segs.new()}/{rest}") == 400


def test_slices_are_pictures(segs: Segs) -> None:
    path, labels = segs.new(), volume(6, (16, 32, 32), 5)
    segs.post(path, (0, 0, 0), labels)
    for form, name in (("png", "PNG"), ("jpg:70", "JPEG"), ("tif", "TIFF"), ("bmp", "BMP")):
        for route in ("raw", "isotropic", "pseudocolor"):
            body = segs.call("GET", f"{path}/{route}/xz/20_10/3_4_5/{form}")
            with Image.open(io.BytesIO(body)) as picture:
                assert (picture.format, picture.size) == (name, (20, 10))


def test_isotropic_pictures_repeat_labels_and_mix_none(segs: Segs) -> None:
    path = segs.new(VoxelSize="8,8,24")
    labels = volume(6, (16, 16, 16), 9)
    segs.post(path, (0, 0, 0), labels)
    body = segs.call("GET", f"{path}/isotropic/xz/16_48/0_5_0")
    assert body == segs.call("GET", f"{path}/isotropic/0_2/16_48/0_5_0/png")
    want = np.repeat(labels[:, 5, :], 3, axis=0)
    from dvidpy.datatypes.labels.pictures import label_picture
    from dvidpy.datatypes.voxels.pictures import parse_format

    assert body == label_picture(want, parse_format("")).body


def test_colours_are_those_of_labels(segs: Segs) -> None:
    path = segs.new()
    segs.post(path, (0, 0, 0), np.repeat(np.arange(1, 17, dtype=np.uint64), 256).reshape(16, 16, 16))
    with Image.open(io.BytesIO(segs.call("GET", f"{path}/pseudocolor/xz/16_16/0_3_0"))) as picture:
        colours = np.asarray(picture)
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 16
    assert (colours == colours[:, :1]).all()


def test_extents_and_the_largest_label_follow(segs: Segs) -> None:
    path = segs.new()
    segs.post(path, (-32, 16, 0), np.full((16, 32, 16), 2**63 + 5, np.uint64))
    shown = json.loads(segs.call("GET", f"{path}/info"))
    assert shown["Extents"] == {"MinPoint": [-32, 16, 0], "MaxPoint": [-17, 47, 15]}
    assert shown["Extended"]["MaxLabel"] == 2**63 + 5


def test_a_large_answer_comes_in_slabs(segs: Segs) -> None:
    path = segs.new(block=(64, 64, 64), levels=0)
    labels = np.tile(volume(3, (64, 64, 64), 30), (2, 2, 4))
    segs.post(path, (0, 0, 0), labels)
    assert np.array_equal(segs.get(path, (0, 0, 0), (256, 128, 128)), labels)
    assert np.array_equal(segs.get(path, (3, 5, -7), (240, 100, 130))[7:], labels[:123, 5:105, 3:243])
    stored = blocks_in(segs.call("GET", f"{path}/blocks/256_128_128/0_0_0?compression=blocks"))
    assert len(stored) == 16
    assert stored[0, 0, 0] == blocks_in(stream_of({(0, 0, 0): labels[:64, :64, :64]}))[0, 0, 0]
