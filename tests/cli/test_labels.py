"""Commands about labelmaps against a server."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datatypes.labelmap.conftest import stream_of
from label_instances import Segments, volume_with_bodies
from PIL import Image
from pyarrow import ipc
from served import TOKEN, Served
from typer.testing import CliRunner

from dvidpy.cli import shards
from dvidpy.cli.client import CommandError
from dvidpy.cli.commands import app
from dvidpy.cli.precomputed import Scale, read_volume
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels import sheets
from dvidpy.datatypes.labels.pictures import pseudocolours, shaded

SIZE = (48, 40, 70)
"""z, y, x."""
BLOCK = 16


class Desk:
    """A labelmap with bodies, one of them merged, and commands about it."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.segments = Segments(served, BLOCK, levels=1)
        self.volume = np.zeros((48, 48, 80), np.uint64)
        self.volume[: SIZE[0], : SIZE[1], : SIZE[2]] = volume_with_bodies(3, SIZE)
        self.segments.put(self.volume)
        self.segments.merge(2, 4)
        self.bodies = np.where(self.volume == 4, np.uint64(2), self.volume)
        self.folder = folder

    def run(self, *words: Any, name: str = "seg", status: int = 0, token: str = TOKEN) -> str:
        environment = {"DVIDPY_SERVER": f"127.0.0.1:{self.segments.served.port}", "DVID_ADMIN_TOKEN": token}
        line = ["node", self.segments.root, name, *map(str, words)]
        said = CliRunner().invoke(app, line, env=environment)
        assert said.exit_code == status, said.output
        if status:
            assert said.stderr.startswith("dvidpy: ")
            assert len(said.stderr.splitlines()) == 1
        return str(said.stderr if status else said.stdout)

    def lines(self, what: str) -> list[list[int]]:
        self.run("dump", what, self.folder / what)
        return [[int(word) for word in line.split()] for line in (self.folder / what).read_text().splitlines()]


@pytest.fixture
def desk(served: Served, tmp_path: Path) -> Desk:
    return Desk(served, tmp_path)


def counted(volume: np.ndarray) -> list[list[int]]:
    """label, z, y, x, voxels by block."""
    rows = []
    for z, y, x in np.ndindex(*(side // BLOCK for side in volume.shape)):
        part = volume[tuple(slice(at * BLOCK, at * BLOCK + BLOCK) for at in (z, y, x))]
        for label, voxels in zip(*np.unique(part, return_counts=True), strict=True):
            if label:
                rows.append([int(label), z, y, x, int(voxels)])
    return rows


# ---------------------------------------------------------------------- dump
def test_dumps_are_what_numpy_counts(desk: Desk) -> None:
    assert sorted(desk.lines("svcount")) == sorted(counted(desk.volume))
    bodies = {row[0]: 2 if row[0] == 4 else row[0] for row in counted(desk.volume)}
    assert sorted(desk.lines("indices")) == sorted([bodies[row[0]], *row] for row in counted(desk.volume))
    assert desk.lines("mappings") == [[4, 2]]


def test_large_bodies_are_read_from_their_sheets(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "FULL", 1)
    test_dumps_are_what_numpy_counts(Desk(served, tmp_path))
    (tmp_path / "other").mkdir()
    test_a_wrong_largest_label_is_found_and_mended(served, tmp_path / "other")


def test_dumps_of_blocks_without_index(served: Served, tmp_path: Path) -> None:
    segments = Segments(served, BLOCK, IndexedLabels="false")
    segments.put(np.full((16, 16, 16), 9, np.uint64))
    assert segments.get("dump/svcount") == b"9 0 0 0 4096\n"
    assert segments.get("dump/mappings") == b""
    assert segments.status("dump/indices") == segments.status("dump/bodies") == segments.status("dump") == 400


def test_a_dump_is_whole_or_not_there(desk: Desk) -> None:
    desk.run("dump", "bodies", desk.folder / "x", status=1)
    desk.run("dump", "svcount", desk.folder / "x", name="other", status=1)
    desk.run("dump", "svcount", desk.folder / "no folder" / "x", status=1)
    assert list(desk.folder.iterdir()) == []


# ---------------------------------------------------------------------- load
def save(folder: Path, volume: np.ndarray, bits: int) -> None:
    """Slices of labels as pictures of some kind."""
    import png

    for z, one in enumerate(volume):
        file = folder / f"z{z:03}.png"
        if bits == 64:
            with file.open("wb") as stream:
                rows = one.astype("<u8").view(">u2").reshape(len(one), -1)
                png.Writer(one.shape[1], len(one), bitdepth=16, greyscale=False, alpha=True).write(stream, rows)
        elif bits == 32:
            Image.fromarray(one.astype("<u4").view(np.uint8).reshape(*one.shape, 4), "RGBA").save(file)
        else:
            Image.fromarray(one.astype({8: np.uint8, 16: np.uint16}[bits])).save(file)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@pytest.mark.parametrize("offset", [(0, 0, 0), (-5, 3, 19)])
def test_a_stack_of_labels_has_voxels_index_and_scales(
    served: Served, tmp_path: Path, bits: int, offset: tuple[int, int, int]
) -> None:
    desk = Desk(served, tmp_path)
    served.instance(desk.segments.root, "new", "labelmap", BlockSize="16,16,16", MaxDownresLevel="1")
    path = f"/api/node/{desk.segments.root}/new"
    volume = np.random.default_rng(bits).integers(0, min(1 << bits, 200), (21, 30, 33), np.uint64)
    volume[volume == 1] = (1 << bits) - 1
    save(tmp_path, volume, bits)
    desk.run("load", ",".join(map(str, offset)), tmp_path / "*.png", name="new")
    place = "_".join(map(str, offset))
    assert served.http.get(f"{path}/raw/0_1_2/33_30_21/{place}").content == volume.tobytes()
    label = (1 << bits) - 1
    assert served.http.get(f"{path}/size/{label}").json() == {"voxels": int((volume == label).sum())}
    info = served.http.get(f"{path}/info").json()["Extended"]
    assert info["MinPoint"] == list(offset)
    assert info["MaxPoint"] == [at + side - 1 for at, side in zip(offset, (33, 30, 21), strict=True)]
    coarse = served.http.get(f"{path}/raw/0_1_2/8_8_4/{'_'.join(str(-(-at // 2)) for at in offset)}?scale=1").content
    assert np.frombuffer(coarse, np.uint64).any()


def test_blocks_alone_without_index(desk: Desk) -> None:
    served, path = desk.segments.served, f"/api/node/{desk.segments.root}/new"
    served.instance(desk.segments.root, "new", "labelmap", BlockSize="16,16,16", MaxDownresLevel="1")
    volume = np.random.default_rng(1).integers(0, 200, (21, 30, 33), np.uint64)
    save(desk.folder, volume, 8)
    desk.run("load", "5,6,7", desk.folder / "*.png", "proc=noindex", name="new")
    assert served.http.get(f"{path}/raw/0_1_2/33_30_21/5_6_7").content == volume.tobytes()
    assert served.http.get(f"{path}/size/7").status_code == 404
    assert not np.frombuffer(served.http.get(f"{path}/raw/0_1_2/16_16_16/0_0_0?scale=1").content, np.uint64).any()
    assert served.http.get(f"{path}/maxlabel").json() == {"maxlabel": 199}


def test_pictures_that_are_no_labels(desk: Desk) -> None:
    Image.new("RGB", (16, 16)).save(desk.folder / "rgb.png")
    assert "no labels" in desk.run("load", "0,0,0", desk.folder / "rgb.png", status=1)
    served = desk.segments.served
    served.instance(desk.segments.root, "gray", "uint8blk")
    assert "labelmap" in desk.run("load", "0,0,0", desk.folder / "rgb.png", "proc=noindex", name="gray", status=1)
    assert "proc=all" in desk.run("load", "0,0,0", desk.folder / "rgb.png", "proc=all", status=1)
    assert "no pictures" in desk.run("load", "0,0,0", "proc=noindex", status=1)
    served.instance(desk.segments.root, "notes")
    assert "keyvalue" in desk.run("load", "0,0,0", desk.folder / "rgb.png", name="notes", status=1)


# ---------------------------------------------------------------------- export-shards
def spec(folder: Path, size: Sequence[int] = SIZE[::-1], **sharding: Any) -> Path:
    """`info` of a volume of two scales, size x, y, z."""
    rules = {"@type": "neuroglancer_uint64_sharded_v1", "hash": "identity", "preshift_bits": 1, "minishard_bits": 1}
    rules |= {"shard_bits": 8, **sharding}
    scales = [
        {"chunk_sizes": [[BLOCK] * 3], "size": [-(-side // (1 << n)) for side in size], "sharding": rules}
        for n in range(2)
    ]
    (folder / "info").write_text(json.dumps({"@type": "neuroglancer_multiscale_volume", "scales": scales}))
    return folder / "info"


def chunk_number(place: Sequence[int], bits: Sequence[int]) -> int:
    """Compressed Morton code, as precomputed says."""
    number = at = 0
    for level in range(max(bits)):
        for axis in range(3):
            if level < bits[axis]:
                number |= (place[axis] >> level & 1) << at
                at += 1
    return number


@pytest.mark.parametrize("batch", [1, 3])
def test_shards_hold_all_blocks_by_the_rules(desk: Desk, batch: int) -> None:
    info = json.loads(spec(desk.folder).read_bytes()) | {"batch_size": batch}
    (desk.folder / "info").write_text(json.dumps(info))
    said = desk.run("export-shards", desk.folder / "info", desk.folder / "out", 7).splitlines()
    assert len(said) == 2
    found: dict[tuple[int, ...], np.ndarray] = {}
    of_shard: dict[str, set[int]] = {}
    for file in sorted((desk.folder / "out" / "s0").glob("*.arrow")):
        table = ipc.open_stream(pa.OSFile(str(file))).read_all()
        assert table.schema.equals(shards.SCHEMA, check_metadata=True)
        for row in table.to_pylist():
            place = tuple(row[f"chunk_{axis}"] for axis in "xyz")
            plain = pa.decompress(row["dvid_compressed_block"], row["uncompressed_size"], "zstd", asbytes=True)
            block = codec.parse(plain, (BLOCK,) * 3)
            assert block.labels.tolist() == row["supervoxels"]
            assert row["labels"] == [2 if label == 4 else label for label in row["supervoxels"]]
            found[place] = codec.to_volume(block)
            of_shard.setdefault(file.stem, set()).add(chunk_number(place, (3, 2, 2)) >> 2)
        demand_index(file, table)
    for z, y, x in np.ndindex(3, 3, 5):
        part = desk.volume[tuple(slice(at * BLOCK, at * BLOCK + BLOCK) for at in (z, y, x))]
        assert ((x, y, z) in found) == bool(part.any())
        assert not part.any() or np.array_equal(found[x, y, z], part)
    assert all(len(numbers) == 1 for numbers in of_shard.values())
    assert len(set().union(*of_shard.values())) == len(of_shard) > 4
    assert said[0].startswith(f"scale 0: {len(found)} chunks in {len(of_shard)} shards, ")
    assert list((desk.folder / "out").rglob("*.part")) == []


def demand_index(file: Path, table: pa.Table) -> None:
    """Every chunk is found by its row of the table, with a read of those bytes alone."""
    data = file.read_bytes()
    lines = file.with_suffix(".csv").read_text().splitlines()
    assert lines[0] == f"# schema_size={len(shards.SCHEMA.serialize())}"
    rows = list(csv.DictReader(lines[1:]))
    assert len(rows) == table.num_rows
    for row, expected in zip(rows, table.to_pylist(), strict=True):
        part = data[int(row["offset"]) : int(row["offset"]) + int(row["size"])]
        batch = ipc.read_record_batch(ipc.read_message(pa.BufferReader(part)), shards.SCHEMA)
        assert batch.to_pylist()[int(row["batch_idx"])] == expected
        assert [int(row[axis]) for axis in "xyz"] == [expected[f"chunk_{axis}"] for axis in "xyz"]


@pytest.mark.parametrize(
    "sharding",
    [{"hash": "murmurhash3_x86_128"}, {"shard_bits": 3}, {"shard_bits": -1}, {"@type": "other"}, {"shard_bits": "x"}],
)
def test_volumes_that_have_no_such_shards(tmp_path: Path, sharding: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        read_volume(spec(tmp_path, **sharding))


def test_shards_that_cannot_be_written(desk: Desk) -> None:
    out = desk.folder / "out"
    desk.run("export-shards", desk.folder / "nothing", out, status=1)
    (desk.folder / "info").write_text("[]")
    desk.run("export-shards", desk.folder / "info", out, status=1)
    info = json.loads(spec(desk.folder).read_bytes())
    info["scales"][0]["chunk_sizes"] = [[32, 32, 32]]
    (desk.folder / "info").write_text(json.dumps(info))
    assert "blocks of the instance" in desk.run("export-shards", desk.folder / "info", out, status=1)
    out.write_text("in the way")
    desk.run("export-shards", spec(desk.folder), out, status=1)


def test_shards_are_those_of_the_chunks_numbers() -> None:
    for grid in [(1, 1, 1), (5, 3, 3), (8, 2, 1), (3, 9, 17)]:
        for inner in range(9):
            x, y, z = (side * BLOCK - 3 for side in grid)
            scale = Scale((BLOCK,) * 3, (x, y, z), (0, 0, 0), 64, inner)
            assert scale.grid == grid
            seen: set[int] = set()
            for cell in scale.cells():
                boxes = [range(at, at + side) for at, side in zip(cell.first, cell.size, strict=True)]
                chunks = [(x, y, z) for x in boxes[0] for y in boxes[1] for z in boxes[2]]
                numbers = {chunk_number(chunk, scale.bits) >> inner for chunk in chunks}
                assert len(numbers) == 1
                assert not numbers & seen
                seen |= numbers


def test_a_volume_may_begin_elsewhere(served: Served, tmp_path: Path) -> None:
    desk = Desk(served, tmp_path)
    desk.segments.put(np.full((16, 16, 16), 77, np.uint64), (-16, 32, -32))
    info = json.loads(spec(tmp_path, (32, 16, 16)).read_bytes())
    info["scales"] = [info["scales"][0] | {"voxel_offset": [-32, 32, -16]}]
    (tmp_path / "info").write_text(json.dumps(info))
    desk.run("export-shards", tmp_path / "info", tmp_path / "out")
    table = ipc.open_stream(pa.OSFile(str(tmp_path / "out" / "s0" / "-32_32_-16.arrow"))).read_all()
    assert table.select(["chunk_x", "chunk_y", "chunk_z", "labels"]).to_pylist() == [
        {"chunk_x": 0, "chunk_y": 0, "chunk_z": 0, "labels": [77]}
    ]


# ---------------------------------------------------------------------- composite
def test_labels_over_an_image(desk: Desk) -> None:
    served, root = desk.segments.served, desk.segments.root
    image = served.instance(root, "gray", "uint8blk", BlockSize="32,32,32")
    gray = np.random.default_rng(2).integers(0, 256, (64, 64, 96), np.uint8)
    assert served.http.post(f"{image}/raw/0_1_2/96_64_64/0_0_0", content=gray.tobytes()).status_code == 200
    said = desk.run("composite", "gray", "view")
    answer = served.http.get(f"/api/node/{root}/view/raw/0_1_2/80_48_48/0_0_0")
    found = np.frombuffer(answer.content, "<u4").reshape(48, 48, 80)
    assert np.array_equal(found, shaded(pseudocolours(desk.bodies), gray[:48, :48, :80]))
    assert said == "45 blocks\n"
    info = served.http.get(f"/api/node/{root}/view/info").json()["Extended"]
    assert (info["MaxPoint"], info["BlockSize"]) == ([95, 63, 63], [16, 16, 16])
    desk.run("composite", "gray", "view", status=1)
    desk.run("composite", "seg", "other", status=1)
    desk.run("composite", "nothing", "other", status=1)
    served.instance(root, "empty", "labelmap")
    assert desk.run("composite", "gray", "third", name="empty") == "0 blocks\n"


# ---------------------------------------------------------------------- older types of labels
@pytest.mark.parametrize("typename", ["labelarray", "labelblk"])
def test_commands_for_older_types(desk: Desk, typename: str) -> None:
    served, root = desk.segments.served, desk.segments.root
    path = served.instance(root, "old", typename, BlockSize="16,16,16")
    gray = served.instance(root, "gray", "uint8blk", BlockSize="16,16,16")
    volume = np.random.default_rng(5).integers(0, 200, (21, 30, 33), np.uint64)
    save(desk.folder, volume, 8)
    desk.run("load", "0,0,0", desk.folder / "*.png", name="old")
    assert served.http.get(f"{path}/raw/0_1_2/33_30_21/0_0_0").content == volume.tobytes()
    if typename == "labelarray":
        assert served.http.get(f"{path}/sparsevol-size/7").json()["numblocks"] > 0
    padded = np.pad(volume, ((0, 11), (0, 2), (0, 15)))
    desk.run("dump", "svcount", desk.folder / "counts", name="old")
    rows = [[int(word) for word in line.split()] for line in (desk.folder / "counts").read_text().splitlines()]
    assert sorted(rows) == sorted(counted(padded))
    desk.run("dump", "indices", desk.folder / "indices", name="old", status=int(typename == "labelblk"))
    desk.run("dump", "mappings", desk.folder / "mappings", name="old")
    assert (desk.folder / "mappings").read_text() == ""
    values = np.full((32, 32, 48), 128, np.uint8)
    assert served.http.post(f"{gray}/raw/0_1_2/48_32_32/0_0_0", content=values.tobytes()).status_code == 200
    assert desk.run("composite", "gray", "view", name="old") == "12 blocks\n"
    answer = served.http.get(f"/api/node/{root}/view/raw/0_1_2/48_32_32/0_0_0")
    assert np.array_equal(
        np.frombuffer(answer.content, "<u4").reshape(32, 32, 48), shaded(pseudocolours(padded), values)
    )
    assert "labelmap" in desk.run("export-shards", spec(desk.folder), desk.folder / "out", name="old", status=1)


def test_runs_of_a_labelvol_as_files(desk: Desk) -> None:
    served, root = desk.segments.served, desk.segments.root
    voxels, bodies = (served.instance(root, kind, kind, BlockSize="32,32,32") for kind in ("labelblk", "labelvol"))
    for path, other in ((voxels, "labelvol"), (bodies, "labelblk")):
        assert served.http.post(f"{path}/sync", json={"sync": other}).status_code == 200
    volume = np.random.default_rng(7).integers(0, 4, (32, 32, 64), np.uint64)
    for place in ("480_0_-32", "-32_1024_0"):
        served.http.post(f"{voxels}/raw/0_1_2/64_32_32/{place}", content=volume.tobytes()).raise_for_status()
    served.http.get(f"{bodies}/info?wait=true").raise_for_status()
    assert desk.run("dump", desk.folder / "out", name="labelvol") == "4 files\n"
    names = {"000_000_-01", "001_000_-01", "-01_002_000", "000_002_000"}
    assert {file.stem for file in (desk.folder / "out").iterdir()} == {f"subvols-{name}" for name in names}
    found = np.zeros((32, 32, 32), np.uint64)
    data, at = (desk.folder / "out" / "subvols-001_000_-01.dat").read_bytes(), 0
    while at < len(data):
        label, count = struct.unpack_from("<QI", data, at)
        for x, y, z, length in struct.iter_unpack("<4i", data[at + 12 : at + 12 + 16 * count]):
            assert not found[z + 32, y, x - 512 : x - 512 + length].any()
            found[z + 32, y, x - 512 : x - 512 + length] = label
        at += 12 + 16 * count
    assert np.array_equal(found, volume[:, :, 32:])
    assert "in the way" in desk.run("dump", desk.folder / "out", name="labelvol", status=1)
    assert "say which dump" in desk.run("dump", desk.folder / "other", status=1)


@pytest.mark.parametrize("typename", ["labelarray", "labelblk"])
def test_blocks_of_older_types_without_index(desk: Desk, typename: str) -> None:
    served, root = desk.segments.served, desk.segments.root
    path = served.instance(root, "old", typename, BlockSize="16,16,16")
    volume = np.random.default_rng(6).integers(0, 200, (16, 16, 16), np.uint64)
    save(desk.folder, volume, 8)
    desk.run("load", "16,0,0", desk.folder / "*.png", "proc=noindex", name="old")
    assert served.http.get(f"{path}/raw/0_1_2/16_16_16/16_0_0").content == volume.tobytes()
    assert served.http.get(f"{path}/sparsevol/7").status_code in (400, 404)


# ---------------------------------------------------------------------- fvdb
def test_a_grid_and_its_gray_values(desk: Desk) -> None:
    served, root = desk.segments.served, desk.segments.root
    image = served.instance(root, "gray", "uint8blk", BlockSize="32,32,32")
    gray = np.random.default_rng(2).integers(0, 256, (64, 64, 96), np.uint8)
    assert served.http.post(f"{image}/raw/0_1_2/96_64_64/0_0_0", content=gray.tobytes()).status_code == 200
    desk.run("fvdb", 2, desk.folder / "body.nvdb", "grayscale=gray")
    data = (desk.folder / "body.nvdb").read_bytes()
    inside = np.argwhere(desk.bodies == 2)
    assert struct.unpack_from("<Q", data, 656)[0] == len(inside) + 1
    z, y, x = inside.T
    order = np.lexsort((z, y, x, z >> 3, y >> 3, x >> 3))
    values = np.frombuffer((desk.folder / "body-gray.bin").read_bytes(), np.uint8)
    assert np.array_equal(values, gray[z, y, x][order])
    for words in ([0, "x"], [999, "x"], [2, "x", "grayscale=seg"], [2, "x", "grayscale=no"], [2, "x", "gray=gray"]):
        desk.run("fvdb", words[0], desk.folder / "x", *words[2:], status=1)
    assert not (desk.folder / "x-seg.bin").exists()
    assert desk.segments.status("fvdb/2", layout="other") == 400
    assert desk.segments.status("fvdb/2", grayscale="gray", scale="1") == 400


# ---------------------------------------------------------------------- numbers
def test_new_labels_go_on_elsewhere(desk: Desk) -> None:
    desk.run("set-nextlabel", 999, 1002)
    assert desk.segments.ask("nextlabel/3", method="POST").json() == {"start": 1000, "end": 1002}
    assert desk.segments.status("nextlabel/1", method="POST") == 400
    desk.run("set-nextlabel", 2000, 0)
    assert desk.segments.ask("nextlabel/3", method="POST").json() == {"start": 2001, "end": 2003}
    desk.run("set-nextlabel", 9, 5, status=1)
    desk.run("set-nextlabel", "x", status=1)
    desk.run("set-nextlabel", 9, token="", status=1)


def test_a_wrong_largest_label_is_found_and_mended(served: Served, tmp_path: Path) -> None:
    desk = Desk(served, tmp_path)
    segments = desk.segments
    desk.volume[desk.volume > 1 << 60] = 9
    segments.put(desk.volume)
    most = int(desk.volume.max())
    served.commit(segments.root)
    child = served.child(segments.root)
    path = f"/api/node/{child}/seg"
    stream = stream_of({(9, 9, 9): np.full((16, 16, 16), 500, np.uint64)})
    assert served.http.post(f"{path}/blocks?noindexing=true", content=stream).status_code == 200
    said = desk.run("repair-maxlabel")
    assert f"version {segments.root}: the largest label is said to be {(1 << 63) + 5}, and should be {most}" in said
    assert f"version {child}: the largest label is said to be {(1 << 63) + 5}, and should be 500" in said
    assert segments.ask("maxlabel").json() == {"maxlabel": (1 << 63) + 5}
    said = desk.run("repair-maxlabel", "--commit")
    assert "and is now" in said
    assert segments.ask("maxlabel").json() == {"maxlabel": most}
    assert served.http.get(f"{path}/maxlabel").json() == {"maxlabel": 500}
    assert segments.ask("nextlabel").json() == {"nextlabel": 501}
    assert served.http.get(f"{path}/mutations").json()[-1]["MaxLabel"] == 500
    desk.run("repair-maxlabel", token="", status=1)
    again = desk.run("repair-maxlabel")
    assert "should be" not in again
