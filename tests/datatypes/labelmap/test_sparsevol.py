from __future__ import annotations

import gzip
import struct
import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lz4.block
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_instances import Segments, in_order, runs_of, volume_with_bodies
from PIL import Image
from served import Served

from dvidpy.datatypes.exchange import Whole
from dvidpy.datatypes.labelled.sparsevol import streams
from dvidpy.datatypes.labelled.sparsevol.regions import find_region
from dvidpy.datatypes.labelled.sparsevol.streams import as_blocks, as_rles, as_srles
from dvidpy.datatypes.labels.runs import EVERYWHERE
from dvidpy.datatypes.labels.sparsevol import read_binary_blocks
from dvidpy.geometry import Box
from dvidpy.kernels.label_runs import voxels_of

START, SIZE, BLOCK = (-23, -40, -9), (50, 70, 61), 16
HEAD = bytes((0, 3, 0, 0, 0, 0, 0, 0))
BOUNDS = ("minx", "maxx", "miny", "maxy", "minz", "maxz")


def rles(body: bytes) -> np.ndarray:
    """Runs of the legacy format, whose head is looked at."""
    if not body:
        return np.empty((0, 4), np.int64)
    assert body[:8] == HEAD
    assert struct.unpack_from("<I", body, 8)[0] * 16 == len(body) - 12
    return in_order(body[12:])


def painted(body: bytes, label: int, start: tuple[int, int, int], size: tuple[int, int, int]) -> np.ndarray:
    """Voxels of binary blocks."""
    out = np.zeros(size, np.bool_)
    if body:
        assert struct.unpack_from("<Q", body, 12)[0] == label
    for (z, y, x), mask in read_binary_blocks(body, (BLOCK,) * 3) if body else ():
        low = [at * BLOCK - first for at, first in zip((z, y, x), start, strict=True)]
        voxels = voxels_of(mask.bits, mask.grid)
        inside = np.argwhere(voxels) + low
        assert ((inside >= 0) & (inside < size)).all()
        out[tuple(inside.T)] = True
    return out


@pytest.fixture
def volume() -> np.ndarray:
    return volume_with_bodies(3, SIZE)


@pytest.fixture
def segments(served: Served, volume: np.ndarray) -> Segments:
    """Voxels around the origin, so that coordinates have both signs."""
    made = Segments(served, BLOCK, levels=2)
    made.put(volume, START)
    return made


def test_every_format_has_the_voxels_of_a_body(segments: Segments, volume: np.ndarray) -> None:
    for label in np.unique(volume[volume > 0]).tolist():
        wanted = runs_of(volume == label, START)
        assert np.array_equal(rles(segments.get(f"sparsevol/{label}")), wanted)
        assert np.array_equal(rles(segments.get(f"sparsevol/{label}", format="rles")), wanted)
        assert np.array_equal(in_order(segments.get(f"sparsevol/{label}", format="srles")), wanted)
        blocks = segments.get(f"sparsevol/{label}", format="blocks")
        assert np.array_equal(painted(blocks, label, START, SIZE), volume == label)


def test_a_body_is_all_its_supervoxels(segments: Segments, volume: np.ndarray) -> None:
    segments.merge(2, 1, 5)
    wanted = runs_of(np.isin(volume, [1, 2, 5]), START)
    assert np.array_equal(rles(segments.get("sparsevol/2")), wanted)
    one = rles(segments.get("sparsevol/5", supervoxels="true"))
    assert np.array_equal(one, runs_of(volume == 5, START))
    assert segments.status("sparsevol/5") == 404
    assert segments.status("sparsevol/99", supervoxels="true") == 404


def test_bounds_at_any_scale(segments: Segments) -> None:
    segments.settle()
    grids = {0: Box((-2, -3, -1), (4, 5, 5)), 1: Box((-1, -2, -1), (2, 3, 3)), 2: Box((-1, -1, -1), (2, 2, 2))}
    data = segments.at()
    scaled = {scale: segments.scaled(scale, grid) for scale, grid in grids.items()}
    coordinates = st.none() | st.integers(-50, 60)

    @settings(max_examples=120)
    @given(st.tuples(*[coordinates] * 6), st.sampled_from([0, 1, 2]), st.integers(1, 5), st.booleans())
    def agrees(given: tuple[int | None, ...], scale: int, label: int, exact: bool) -> None:
        query: dict[str, Any] = {name: bound for name, bound in zip(BOUNDS, given, strict=True) if bound is not None}
        query |= {"scale": scale, "exact": str(exact).lower()}
        start, inside = grids[scale].voxels((BLOCK,) * 3).start, scaled[scale] == label
        blocks = np.unique(data.need_body(label).blocks >> scale, axis=0)
        for axis, name in enumerate("zyx"):
            low, high = query.get(f"min{name}", -1000), query.get(f"max{name}", 1000)
            among = (blocks[:, axis] >= low // BLOCK) & (blocks[:, axis] <= high // BLOCK) & (low <= high)
            blocks = blocks[among]
            places = np.arange(inside.shape[axis]) + start[axis]
            kept = (places >= low) & (places <= high) if exact else np.isin(places // BLOCK, blocks[:, axis])
            inside = inside & kept.reshape([-1 if at == axis else 1 for at in range(3)])
        if not len(blocks):
            assert segments.status(f"sparsevol/{label}", **query) == 404
            return
        assert np.array_equal(rles(segments.get(f"sparsevol/{label}", **query)), runs_of(inside, start))
        streamed = segments.get(f"sparsevol/{label}", format="srles", **query)
        assert np.array_equal(in_order(streamed), runs_of(inside, start))

    agrees()


def test_packed(segments: Segments) -> None:
    plain = segments.get("sparsevol/1")
    assert gzip.decompress(segments.get("sparsevol/1", compression="gzip")) == plain
    packed = segments.get("sparsevol/1", compression="lz4")
    assert lz4.block.decompress(packed, uncompressed_size=len(plain)) == plain
    assert segments.status("sparsevol/1", compression="zip") == 400
    assert segments.status("sparsevol/99", compression="zip") == 404
    for form in ("blocks", "srles"):  # packed by nothing
        assert segments.get("sparsevol/1", compression="zip", format=form) == segments.get("sparsevol/1", format=form)


def test_heads_of_what_is_got(segments: Segments) -> None:
    for what in ("info", "metadata", "label/0_0_0", "size/1", "supervoxels/1", "lastmod/1", "sparsevol-coarse/1"):
        answer = segments.ask(what, method="HEAD")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == segments.ask(what).headers["content-type"]
    assert segments.status("size/99", method="HEAD") == segments.status("supervoxels/99", method="HEAD") == 404
    for what in ("raw/0_1_2/4_4_4/0_0_0", "maxlabel", "index/1", "listlabels", "sparsevol-size/1"):
        assert segments.status(what, method="HEAD") == 400


def test_behind_the_last_scale_are_no_voxels(segments: Segments) -> None:
    assert segments.get("sparsevol/1", scale=3) == b""
    assert segments.status("sparsevol/99", scale=3) == 404
    assert segments.status("sparsevol/1", scale=3, format="srles") == 400
    assert segments.get("sparsevol/1", scale="") == segments.get("sparsevol/1")


def test_many_runs_go_through_a_file(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = segments.get("sparsevol/1")
    monkeypatch.setattr(streams, "IN_MEMORY", 64)
    monkeypatch.setattr(streams, "PIECE", 100)
    assert segments.get("sparsevol/1") == plain
    assert gzip.decompress(segments.get("sparsevol/1", compression="gzip")) == plain
    monkeypatch.setattr(streams, "LONGEST_LZ4", 64)
    assert segments.status("sparsevol/1", compression="lz4") == 413


@pytest.mark.parametrize("path", ["sparsevol", "sparsevol-coarse", "sparsevol-size", "fvdb"])
def test_what_is_no_body(segments: Segments, path: str) -> None:
    assert segments.status(f"{path}/99") == 404
    for label in ("0", "x", "-1", "1_0", "\u0661", str(1 << 64), "1" * 30):
        assert segments.status(f"{path}/{label}") == 400
    assert segments.status(path) == 400


@pytest.mark.parametrize(
    "query",
    [
        {"minx": "wide"},
        {"maxz": str(1 << 40)},
        {"scale": "x"},
        {"scale": "-1"},
        {"scale": "3", "format": "blocks"},
        {"minx": "1.5"},
    ],
)
def test_options_that_make_no_sense(segments: Segments, query: dict[str, Any]) -> None:
    assert segments.status("sparsevol/1", **query) == 400
    assert segments.status("sparsevol-by-point/0_0_0", **query) == 400


def test_bounds_may_be_empty_texts_and_extremes(segments: Segments) -> None:
    whole = segments.get("sparsevol/1")
    assert segments.get("sparsevol/1", minx="", maxz="") == whole
    assert segments.get("sparsevol/1", minx=-(1 << 31), maxx=(1 << 31) - 1) == whole
    assert segments.status("sparsevol/1", minx=5, maxx=4) == 404


def test_head(segments: Segments) -> None:
    assert segments.status("sparsevol/1", method="HEAD") == 200
    assert segments.ask("sparsevol/1", method="HEAD").headers["content-type"] == "text/html"
    assert segments.status("sparsevol/99", method="HEAD") == 204
    assert segments.status("sparsevol/1", method="HEAD", supervoxels="true") == 200
    assert segments.status("sparsevol/99", method="HEAD", supervoxels="true") == 204
    assert segments.status("sparsevol/1", method="HEAD", minx=-1000) == 204  # nothing lies outside
    assert segments.status("sparsevol/1", method="HEAD", minx=1000) == 200
    assert segments.status("sparsevol/0", method="HEAD") == 400
    assert segments.status("sparsevol/1", method="HEAD", minx="wide") == 400


def test_by_point(segments: Segments, volume: np.ndarray) -> None:
    segments.merge(2, 1)
    for label in (1, 2, 3):
        z, y, x = (np.argwhere(volume == label)[7] + START).tolist()
        body = segments.get(f"sparsevol-by-point/{x}_{y}_{z}")
        assert body == segments.get(f"sparsevol/{2 if label < 3 else 3}")
        part = segments.get(f"sparsevol-by-point/{x}_{y}_{z}", supervoxels="true")
        assert part == segments.get(f"sparsevol/{label}", supervoxels="true")
    z, y, x = (np.argwhere(volume == 0)[0] + START).tolist()
    for point in (f"{x}_{y}_{z}", "9000_0_0", "1_2", "1_2_3_4", "a_b_c"):
        assert segments.status(f"sparsevol-by-point/{point}") == 400


def test_coarse_and_size(segments: Segments, volume: np.ndarray) -> None:
    data = segments.at()
    for label in (1, 4):
        inside = segments.scaled(0, Box((-2, -3, -1), (4, 5, 5))) == label
        blocks = inside.reshape(4, 16, 5, 16, 5, 16).any(axis=(1, 3, 5))
        assert np.array_equal(rles(segments.get(f"sparsevol-coarse/{label}")), runs_of(blocks, (-2, -3, -1)))
        places = np.argwhere(blocks) + np.array((-2, -3, -1))
        size = segments.ask(f"sparsevol-size/{label}").json()
        assert size == {
            "voxels": int((volume == label).sum()),
            "numblocks": len(places),
            "minvoxel": (places.min(axis=0) * BLOCK).tolist()[::-1],
            "maxvoxel": ((places.max(axis=0) + 1) * BLOCK - 1).tolist()[::-1],
        }
        blocks[:2] = False
        inner = segments.get(f"sparsevol-coarse/{label}", minz=5)
        assert np.array_equal(rles(inner), runs_of(blocks, (-2, -3, -1)))
    assert segments.get("sparsevol-coarse/1", minx=500) == HEAD + bytes(4)
    assert data.find_body(1) is data.find_body(1)


def test_coarse_of_many(segments: Segments, volume: np.ndarray) -> None:
    body, at, found = segments.get(f"sparsevols-coarse/2/{(1 << 64) - 1}"), 0, {}
    while at < len(body):
        label, number = struct.unpack_from("<Qi", body, at)
        found[label] = in_order(body[at + 12 : at + 12 + 16 * number])
        at += 12 + 16 * number
    assert [*found] == [label for label in np.unique(volume).tolist() if label >= 2]
    for label, runs in found.items():
        assert np.array_equal(runs, rles(segments.get(f"sparsevol-coarse/{label}")))
    assert segments.get("sparsevols-coarse/4/3") == b""
    for path in ("0/5", "5/0", "a/5", "5"):
        assert segments.status(f"sparsevols-coarse/{path}") == 400


def test_an_index_without_its_voxels(segments: Segments) -> None:
    index = segments.get("index/3")
    other = Segments(segments.served, BLOCK)
    assert other.status("index/3", index, "POST") == 200
    assert other.get("sparsevol/3") == b""
    assert other.get("sparsevol/3", format="blocks") == b""
    assert other.status("fvdb/3") == 400


def test_versions_have_their_own(segments: Segments, volume: np.ndarray) -> None:
    before = segments.get("sparsevol/1")
    segments.served.commit(segments.root)
    child = segments.served.child(segments.root)
    segments.put(np.full((16, 16, 16), 1, np.uint64), (160, 0, 0), child)
    after = segments.served.http.get(f"/api/node/{child}/seg/sparsevol/1").content
    assert len(rles(after)) == len(rles(before)) + 256
    assert segments.get("sparsevol/1") == before
    size = segments.served.http.get(f"/api/node/{child}/seg/size/1").json()["voxels"]
    assert size == int((volume == 1).sum()) + 4096


def test_unindexed_labels_have_no_sparse_volumes(served: Served) -> None:
    segments = Segments(served, IndexedLabels="false")
    segments.put(np.full((16, 16, 16), 1, np.uint64))
    for path in ("sparsevol/1", "sparsevol-by-point/4_4_4", "sparsevol-coarse/1", "maxlabel", "nextlabel", "fvdb/1"):
        assert segments.status(path) == 400
    assert segments.status("size/1") == 404
    assert segments.get("listlabels") == b""


def test_a_grid_for_gpus(segments: Segments, volume: np.ndarray) -> None:
    answer = segments.ask("fvdb/3")
    assert answer.headers["content-disposition"] == 'attachment; filename="label_3.nvdb"'
    assert answer.content[:8] == b"NanoVDB0"
    assert struct.unpack_from("<Q", answer.content, 656)[0] == int((volume == 3).sum())
    assert segments.ask("fvdb/3", supervoxels="true").content == answer.content
    named = segments.ask("fvdb/3", name="Körper")
    assert dict(named.headers.raw)[b"content-disposition"] == 'attachment; filename="Körper.nvdb"'.encode()
    assert named.content[40:48] == "Körper\0".encode()
    for name in ('a"b', "a\r\nb: c", "x" * 300):
        assert segments.status("fvdb/3", name=name) == 400
    assert segments.status("fvdb/3", scale=9) == segments.status("fvdb/3", scale="x") == 400


@pytest.mark.parametrize(("form", "least"), [("srles", 24), ("rles", 24), ("gzip", 0), ("blocks", 0)])
def test_memory_does_not_grow_with_the_body(
    served: Served, monkeypatch: pytest.MonkeyPatch, form: str, least: int
) -> None:
    """A checkerboard: every other voxel is a run of 16 bytes."""
    segments = Segments(served, 32)
    z, y, x = np.indices((32, 32, 32))
    segments.put(np.tile(((z + y + x) % 2 + 1).astype(np.uint64), (8, 4, 4)))
    monkeypatch.setattr(streams, "IN_MEMORY", 1 << 20)
    region = find_region(segments.at(), 1, 0, EVERYWHERE, supervoxel=False)
    with ExitStack() as until_sent:
        tracemalloc.start()
        if form == "blocks":
            reply = as_blocks(region, 1)
        elif form == "srles":
            reply = as_srles(region, EVERYWHERE)
        else:
            reply = as_rles(region, EVERYWHERE, form.replace("rles", ""), until_sent, 1 << 30)
        assert not isinstance(reply.body, Whole) or form == "blocks"
        sent = len(reply.body) if isinstance(reply.body, Whole) else sum(map(len, reply.body))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sent >= least << 20
    assert peak < 12 << 20
    assert reply.length in (None, sent)


def test_a_real_segmentation(served: Served, shared: Path) -> None:
    files = sorted((shared / "data" / "fib250" / "labels").glob("*.png"))[:96]
    if len(files) < 96:
        pytest.skip("needs the label stack fib250/labels")
    volume = np.stack([np.asarray(Image.open(file)) for file in files]).astype(np.uint64)
    volume = volume if volume.ndim == 3 else volume[..., 0]
    segments = Segments(served, 64)
    segments.put(volume)
    labels, sizes = np.unique(volume[volume > 0], return_counts=True)
    listed = np.frombuffer(segments.get("listlabels", sizes="true"), "<u8").reshape(-1, 2)
    assert np.array_equal(listed, np.column_stack((labels, sizes)))
    for label in labels[np.argsort(sizes)[[-1, -2, len(sizes) // 2, 0]]].tolist():
        assert np.array_equal(rles(segments.get(f"sparsevol/{label}")), runs_of(volume == label))
