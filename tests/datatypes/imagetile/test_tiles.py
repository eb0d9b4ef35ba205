"""Tiles over HTTP: posted, refused, stitched, versioned."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from served import Serve, Served

from dvidpy.datatypes.imagetile import tiles
from dvidpy.datatypes.imagetile.levels import load_levels, parse_levels, show_levels
from dvidpy.datatypes.voxels.kinds import RGBA8, UINT8, UINT16, Kind
from dvidpy.errors import BadRequest, StoreError

LEVEL = {"Resolution": [8, 8, 8], "TileSize": [16, 12, 8]}
META = {"Levels": {"0": LEVEL, "1": {"Resolution": [16, 16, 16], "TileSize": [16, 12, 8]}}}
RANDOM = np.random.default_rng(7)


def encoded(pixels: np.ndarray, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


def decoded(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)))


def gray(height: int = 12, width: int = 16) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width), np.uint8)


def make(served: Served, source: str = "uint8blk", meta: Any = META, **given: str) -> str:
    root = served.repo()
    served.instance(root, "source", source, VoxelSize="8,8,16")
    t = served.instance(root, "t", "imagetile", Source="source", **given)
    if meta:
        assert served.http.post(f"{t}/metadata", json=meta).status_code == 200
    return t


def post(served: Served, t: str, place: str, body: bytes) -> int:
    return served.http.post(f"{t}/tile/{place}", content=body).status_code


# ---------------------------------------------------------------------- single tiles
@pytest.mark.parametrize("form", ["png", "jpg", "lz4"])
def test_a_tile_comes_back(served: Served, form: str) -> None:
    t = make(served, Format=form)
    for place in ("xy/0/0_0_5", "xz/1/-3_70000_2", "yz/0/1_2_3"):
        body = encoded(gray(8, 8), "JPEG" if form == "jpg" else "PNG")
        assert post(served, t, place, body) == 200
        answer = served.http.get(f"{t}/tile/{place}?noblanks=true")
        assert answer.headers["content-type"] == ("image/jpeg" if form == "jpg" else "image/png")
        assert np.array_equal(decoded(answer.content), decoded(body))
        assert form == "lz4" or answer.content == body


@pytest.mark.parametrize("form", ["png", "lz4"])
@pytest.mark.parametrize(
    "pixels",
    [
        RANDOM.integers(0, 1 << 16, (12, 16)).astype(np.uint16),
        RANDOM.integers(0, 256, (12, 16, 4), np.uint8),
        RANDOM.integers(0, 256, (12, 16, 3), np.uint8),
    ],
)
def test_wide_and_coloured_tiles(served: Served, form: str, pixels: np.ndarray) -> None:
    t = make(served, Format=form)
    assert post(served, t, "xy/0/0_0_0", encoded(pixels)) == 200
    found = decoded(served.http.get(f"{t}/tile/xy/0/0_0_0").content)
    assert np.array_equal(found[..., :3], pixels[..., :3]) if pixels.ndim == 3 else np.array_equal(found, pixels)


def test_a_large_tile_is_kept_in_parts(served: Served) -> None:
    t = make(served, meta={"Levels": {"0": {"Resolution": [8, 8, 8], "TileSize": [2048, 1024, 1]}}})
    body = encoded(gray(1024, 2048))
    assert len(body) > 1 << 20
    assert post(served, t, "xy/0/0_0_0", body) == 200
    assert served.http.get(f"{t}/tile/xy/0/0_0_0").content == body
    assert np.array_equal(decoded(served.http.get(f"{t}/raw/xy/2048_1024/0_0_0").content), decoded(body))


def bomb(width: int, height: int) -> bytes:
    """A small PNG that claims to be large."""
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(99)))]
    body = b"".join(
        struct.pack(">I", len(text)) + name + text + struct.pack(">I", zlib.crc32(name + text))
        for name, text in [*chunks, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + body


GOOD = encoded(gray())


@pytest.mark.parametrize("form", ["png", "jpg", "lz4"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no picture",
        GOOD[:60],
        GOOD[:-30],
        GOOD[:-16],
        GOOD[:70] + b"garbage" + GOOD[77:],
        encoded(gray(), "JPEG")[:150],
        encoded(gray(), "BMP"),
        encoded(gray(13, 16)),
        encoded(gray(13, 16), "JPEG"),
        bomb(16, 12),
        bomb(8000, 9000),
        bomb(10_000, 10_000),
        bomb(30_000, 30_000),
        bomb(2**31 - 1, 2**31 - 1),
        bomb(0, 5),
    ],
)
@pytest.mark.parametrize("scale", [0, 7])
def test_what_is_no_tile_leaves_the_one_that_was_there(served: Served, form: str, body: bytes, scale: int) -> None:
    t = make(served, Format=form)
    good = encoded(gray(), "JPEG") if form == "jpg" else GOOD
    assert post(served, t, f"xy/{scale}/0_0_0", good) == 200
    taken = scale == 7 and _opens(body, form)
    assert post(served, t, f"xy/{scale}/0_0_0", body) == (200 if taken else 400)
    kept = decoded(served.http.get(f"{t}/tile/xy/{scale}/0_0_0").content)
    assert np.array_equal(kept, decoded(body if taken else good))


def _opens(body: bytes, form: str) -> bool:
    """Whole pictures of the right format: of a scale without metadata any size will do."""
    try:
        found = Image.open(io.BytesIO(body), formats=tiles._TAKEN[form])
        found.load()
        Image.open(io.BytesIO(body)).verify()  # of a PNG all check sums, and its end
    except Exception:
        return False
    return True


def test_formats_do_not_mix(served: Served) -> None:
    jpeg = encoded(gray(), "JPEG")
    assert post(served, make(served), "xy/0/0_0_0", jpeg) == 400
    assert post(served, make(served, Format="jpg"), "xy/0/0_0_0", GOOD) == 400
    assert post(served, make(served, Format="lz4"), "xy/0/0_0_0", jpeg) == 200


def test_black_tiles_in_a_format(served: Served) -> None:
    t = make(served)
    for name, media in (("", "png"), ("/png", "png"), ("/jpg:50", "jpeg"), ("/bmp", "bmp"), ("/tif", "tiff")):
        answer = served.http.get(f"{t}/tile/xz/0/0_0_0{name}")
        assert answer.headers["content-type"] == f"image/{media}"
        assert decoded(answer.content).shape == (8, 16)


def test_keys_are_those_of_the_store(served: Served) -> None:
    t = make(served)
    assert post(served, t, "yz/1/1_2_3", encoded(gray(8, 12))) == 200
    key = served.http.get(f"{t}/tilekey/yz/1/1_2_3").json()["key"]
    assert served.server.datastore.main.store.get(bytes.fromhex(key))
    assert not served.server.datastore.main.store.get(
        bytes.fromhex(served.http.get(f"{t}/tilekey/yz/1/1_2_4").json()["key"])
    )


# ---------------------------------------------------------------------- stitching
@pytest.mark.parametrize("form", ["png", "lz4"])
@pytest.mark.parametrize(("dims", "axes"), [("xy", (1, 2)), ("xz", (0, 2)), ("yz", (0, 1))])
def test_raw_is_what_the_tiles_show(served: Served, form: str, dims: str, axes: tuple[int, int]) -> None:
    t = make(served, Format=form)
    cell = [(8, 12, 16)[axis] for axis in axes]
    whole = gray(3 * cell[0], 3 * cell[1])
    for down in range(3):
        for across in range(3):
            at = [5, 5, 5]
            at[axes[0]], at[axes[1]] = down - 1, across - 1
            part = whole[down * cell[0] : (down + 1) * cell[0], across * cell[1] : (across + 1) * cell[1]]
            assert post(served, t, f"{dims}/0/{at[2]}_{at[1]}_{at[0]}", encoded(part)) == 200
    for y, x, height, width in ((-cell[0], -cell[1], *whole.shape), (-3, 2, 10, 7), (0, 0, 1, 1)):
        at = [5, 5, 5]
        at[axes[0]], at[axes[1]] = y, x
        answer = served.http.get(f"{t}/raw/{dims}/{width}_{height}/{at[2]}_{at[1]}_{at[0]}")
        expected = whole[y + cell[0] : y + cell[0] + height, x + cell[1] : x + cell[1] + width]
        assert np.array_equal(decoded(answer.content), expected)


def test_isotropic_pictures_are_stretched(served: Served) -> None:
    t = make(served)
    body = encoded(gray(8, 16))
    assert post(served, t, "xz/0/0_3_0", body) == 200
    plain = decoded(served.http.get(f"{t}/raw/xz/16_4/0_3_0").content)
    found = decoded(served.http.get(f"{t}/isotropic/xz/16_8/0_3_0").content)
    assert found.shape == (8, 16)
    assert np.abs(found[::2].astype(int) - plain).mean() < 64
    assert served.http.get(f"{t}/isotropic/xy/16_8/0_0_0/jpg").headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("source", "shape", "dtype"),
    [
        ("uint16blk", (12, 16), np.uint16),
        ("rgba8blk", (12, 16, 3), np.uint8),
        ("float32blk", (12, 16, 3), np.uint8),
        ("uint64blk", (12, 16, 3), np.uint8),
        ("multichan16", (12, 16, 3), np.uint8),
    ],
)
@pytest.mark.parametrize("form", ["png", "lz4"])
def test_the_source_says_what_pixels_are(
    served: Served, source: str, shape: tuple[int, ...], dtype: Any, form: str
) -> None:
    t = make(served, source, Format=form)
    pixels = gray()
    assert post(served, t, "xy/0/0_0_0", encoded(pixels)) == 200
    found = decoded(served.http.get(f"{t}/raw/xy/16_12/0_0_0").content)
    assert (found.shape, found.dtype) == (shape, dtype)
    assert np.array_equal(found[..., 0] if found.ndim == 3 else found >> 8, pixels)


def test_placeholders_say_what_is_missing(served: Served) -> None:
    t = make(served, Placeholder="true", meta={"Levels": {"0": {"Resolution": [8, 8, 8], "TileSize": [64, 64, 64]}}})
    assert decoded(served.http.get(f"{t}/raw/xy/64_64/0_0_0").content).any()
    assert not decoded(served.http.get(f"{t}/tile/xy/0/0_0_0").content).any()


@pytest.mark.parametrize(
    "path",
    [
        "raw/xy/100000_100000/0_0_0",
        "raw/xy/60000_60000/0_0_0",
        "raw/xy/-1_5/0_0_0",
        "raw/xy/10_10/2147483647_0_0",
        "raw/xy/70000_1/0_0_0/jpg",
        "isotropic/xz/100000_10000/0_0_0",
        "raw/xy/10_10/0_0_0/jpg:x",
    ],
)
def test_pictures_that_are_refused(serve: Serve, path: str) -> None:
    served = serve(max_request_bytes=1 << 26)
    assert served.http.get(f"{make(served)}/{path}").status_code == 400


def test_pictures_of_too_many_tiles(served: Served) -> None:
    t = make(served, meta={"Levels": {"0": {"Resolution": [8, 8, 8], "TileSize": [1, 1, 1]}}})
    assert served.http.get(f"{t}/raw/xy/129_129/0_0_0").status_code == 400
    assert served.http.get(f"{t}/raw/xy/12_12/0_0_0").status_code == 200


def test_a_source_that_shows_no_voxels(served: Served) -> None:
    root = served.repo()
    served.instance(root, "kv")
    for name, source in (("a", "kv"), ("b", "nosuch"), ("c", "c"), ("d", "")):
        t = served.instance(root, name, "imagetile", Source=source)
        assert served.http.post(f"{t}/metadata", json=META).status_code == 200
        assert served.http.get(f"{t}/raw/xy/10_10/0_0_0").status_code == 400
        assert served.http.post(f"{t}/generate").status_code == 400


# ---------------------------------------------------------------------- metadata
def level(resolution: Any = (8, 8, 8), size: Any = (16, 16, 16)) -> dict[str, Any]:
    return {"Resolution": resolution, "TileSize": size}


@pytest.mark.parametrize(
    "levels",
    [
        None,
        [],
        {},
        {"0": None},
        {"0": {}},
        {"0": level(size=[0, 16, 16])},
        {"0": level(size=[16, 16, -1])},
        {"0": level(size=[16, 16])},
        {"0": level(size=[16, 16, 1.5])},
        {"0": level(size=[16, 16, True])},
        {"0": level(size=[16, 16, 8193])},
        {"0": level(size="16")},
        {"0": level([8, 8])},
        {"0": level([0, 8, 8])},
        {"0": level([8, 8, "8"])},
        {"00": level()},
        {"-1": level()},
        {"0": level(), "1": level([12, 12, 12])},
        {"0": level(), "1": level([4, 8, 8])},
        {"0": level(), "1": level([20.1, 16, 16])},
        {"0": level([1e-300, 1, 1]), "1": level([1e300, 1, 1])},
        {"0": level([1, 1, 1]), "1": level([2e9, 1, 1]), "2": level([4e9, 1, 1])},
        {str(n): level() for n in range(257)},
    ],
)
def test_levels_that_are_refused(served: Served, levels: Any) -> None:
    t = make(served)
    before = served.http.get(f"{t}/metadata").json()
    assert served.http.post(f"{t}/metadata", content=json.dumps({"Levels": levels})).status_code == 400
    assert served.http.post(f"{t}/generate", content=json.dumps({"Levels": levels})).status_code == 400
    assert served.http.get(f"{t}/metadata").json() == before


@pytest.mark.parametrize("corner", [[0, 0], [0, 0, 2**31], [0, 0, "0"], 5, None])
def test_corners_that_are_refused(served: Served, corner: Any) -> None:
    t = make(served)
    for name in ("MinTileCoord", "maxtilecoord"):
        assert served.http.post(f"{t}/metadata", json={**META, name: corner}).status_code == 400


def test_rounded_resolutions_are_multiples() -> None:
    resolutions = ([3.1, 3.1, 40.0], [6.2, 6.2, 40.0], [12.4, 12.401, 40.0])
    levels = parse_levels({str(scale): level(each, [16, 16, 16]) for scale, each in enumerate(resolutions)})
    assert load_levels(show_levels(levels)) == levels


# ---------------------------------------------------------------------- versions
def test_versions_and_a_merge(served: Served) -> None:
    t = make(served)
    root = t.split("/")[3]
    bodies = [encoded(gray()) for _ in range(4)]
    assert post(served, t, "xy/0/0_0_0", bodies[0]) == 200
    served.commit(root)
    assert post(served, t, "xy/0/0_0_0", bodies[1]) == 400
    child, side = served.child(root), served.child(root, "branch", branch="side")
    assert post(served, f"/api/node/{child}/t", "xy/0/0_0_0", bodies[1]) == 200
    assert post(served, f"/api/node/{side}/t", "xy/0/1_0_0", bodies[2]) == 200
    for node in (child, side):
        served.commit(node)
    merged = served.http.post(
        f"/api/repo/{root}/merge", json={"mergeType": "conflict-free", "parents": [child, side], "note": "both"}
    ).json()["child"]
    for node, expected in ((root, bodies[0]), (child, bodies[1]), (side, bodies[0]), (merged, bodies[1])):
        assert served.http.get(f"/api/node/{node}/t/tile/xy/0/0_0_0").content == expected
    assert served.http.get(f"/api/node/{merged}/t/tile/xy/0/1_0_0").content == bodies[2]
    assert served.http.get(f"/api/node/{child}/t/tile/xy/0/1_0_0?noblanks=true").status_code == 404


def test_an_unversioned_instance(served: Served) -> None:
    t = make(served, versioned="false")
    root = t.split("/")[3]
    served.commit(root)
    assert post(served, t, "xy/0/0_0_0", GOOD) == 200
    assert served.http.get(f"/api/node/{served.child(root)}/t/tile/xy/0/0_0_0").content == GOOD


# ---------------------------------------------------------------------- properties
KINDS = st.sampled_from([UINT8, UINT16, RGBA8])
SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(KINDS.flatmap(lambda kind: st.tuples(st.just(kind), SHAPES.flatmap(lambda shape: arrays(kind.dtype, shape)))),
       st.sampled_from(["png", "lz4"]))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_is_made_is_read_again(one: tuple[Kind, np.ndarray], form: str) -> None:
    kind, pixels = one
    value = tiles.make(form, kind, pixels)
    assert np.array_equal(tiles.read(form, kind, value), pixels)
    body, media = tiles.shown(form, value)
    assert media == b"image/png"
    assert np.array_equal(tiles.read("png", kind, tiles.take("png", body, None)), pixels)
    assert np.array_equal(tiles.read("lz4", kind, tiles.take("lz4", body, None)), pixels)


@given(st.binary(max_size=200) | st.integers(0, len(GOOD)).map(lambda n: GOOD[:n] + GOOD[n + 1 :]),
       st.sampled_from(["png", "jpg", "lz4"]))  # fmt: skip
def test_any_bytes_are_taken_or_refused(body: bytes, form: str) -> None:
    try:
        value = tiles.take(form, body, (16, 12))
    except BadRequest:
        return
    assert tiles.read(form, UINT8, value).size <= 16 * 12


@given(st.binary(max_size=60), st.sampled_from(["png", "jpg", "lz4"]))
def test_damaged_values_are_named(value: bytes, form: str) -> None:
    with pytest.raises(StoreError):
        tiles.read(form, UINT8, value)
