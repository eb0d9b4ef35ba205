"""`dvidpy import` and `dvidpy export`: volumes of other formats, there and back."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from served import TOKEN, Served
from typer.testing import CliRunner

from dvidpy.cli import transferring
from dvidpy.cli.commands import app
from dvidpy.cli.outside import formats
from dvidpy.cli.outside.record import Record
from dvidpy.cli.transferring import Part
from dvidpy.client import Server, Version
from dvidpy.client.boxes import Box

MISSING = [name for name in ("tensorstore", "h5py", "nrrd", "tifffile") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)} of dvidpy[volumes]: make install")
LABELS = ["l.zarr", "l.n5", "l.precomputed", "l.h5", "l.nrrd", "l.tif", "l.tiff-folder", "l.zarr2"]
IMAGES = [*LABELS, "i.png-folder"]
BIG = (1 << 60) + 3


class Desk:
    """A repo, a folder, and the commands."""

    def __init__(self, served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(transferring, "PIECE", 40_000)
        self.served = served
        self.version: Version = Server(f"127.0.0.1:{served.port}", token=TOKEN).new_repo("desk")

    def run(self, *words: str, status: int = 0) -> str:
        environment = {"DVIDPY_SERVER": f"127.0.0.1:{self.served.port}", "DVID_ADMIN_TOKEN": TOKEN}
        said = CliRunner().invoke(app, [words[0], self.version.uuid, *words[1:]], env=environment)
        assert said.exit_code == status, said.output
        return said.output

    def out(self, name: str, place: str, *words: str) -> None:
        self.run("export", name, _place(place), *_format(place), *words)

    def back(self, name: str, place: str, *words: str) -> None:
        self.run("import", name, _place(place), *_format(place), *words)


def _place(place: str) -> str:
    return place.replace("-folder", "").replace(".tiff", "").replace(".png", "") if "folder" in place else place


def _format(place: str) -> list[str]:
    for form in ("tiff", "png"):
        if place.endswith(f".{form}-folder"):
            return ["--format", form]
    return ["--format", "zarr2"] if place.endswith("zarr2") else []


@pytest.fixture
def desk(lasting: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(lasting, tmp_path, monkeypatch)


def noise(dtype: str = "uint8", shape: tuple[int, int, int] = (40, 70, 90)) -> NDArray[Any]:
    return np.random.default_rng(1).integers(0, 250, shape).astype(dtype)


def bodies() -> NDArray[np.uint64]:
    volume = np.zeros((40, 70, 90), np.uint64)
    volume[2:30, 5:60, 5:40], volume[10:38, 20:66, 45:85], volume[0, 0, :] = 7, BIG, 3
    return volume


@pytest.mark.parametrize("place", IMAGES)
def test_images_go_out_and_come_back(desk: Desk, place: str) -> None:
    desk.version.new_instance("uint8blk", "gray", BlockSize=[32, 32, 32])
    voxels = noise()
    desk.version.image("gray")[64:104, 0:70, -32:58] = voxels
    desk.out("gray", place, "--box", "-32,0,64:58,70,104")
    desk.back("again", place, "--new", "uint8blk", "--offset", "5,6,7")
    again = desk.version.image("again")
    assert again.bounds == Box((7, 6, 5), (47, 76, 95))
    assert np.array_equal(again[...], voxels)
    assert list(Path().glob(".*.dvidpy")) == []


@pytest.mark.parametrize("place", LABELS)
def test_labels_go_out_and_come_back_with_all_that_belongs_to_them(desk: Desk, place: str) -> None:
    desk.version.new_instance("labelmap", "seg", BlockSize=[32, 32, 32], VoxelSize=[4, 4, 40])
    volume = bodies()
    desk.version.labelmap("seg")[64:104, 0:70, -32:58] = volume
    desk.out("seg", place, "--box", "-32,0,64:58,70,104")
    desk.version.new_instance("labelmap", "again", BlockSize=[32, 32, 32], MaxDownresLevel=1)
    knows = place.endswith((".zarr", ".n5", ".precomputed", ".h5", ".nrrd"))
    desk.back("again", place, *([] if knows else ["--offset=-32,0,64"]))
    again = desk.version.labelmap("again")
    assert again.bounds.start == (64, 0, -32)
    assert np.array_equal(again[...], volume)
    assert again.sizes([3, 7, BIG]).tolist() == [np.count_nonzero(volume == label) for label in (3, 7, BIG)]
    assert again.scale(1)[40, 20, 0] == 7
    assert len(again.body_voxels(BIG)) == np.count_nonzero(volume == BIG)


@pytest.mark.parametrize("form", ["zarr", "precomputed"])
def test_shards_hold_the_same(desk: Desk, form: str) -> None:
    desk.version.new_instance("labelmap", "seg")
    volume = np.random.default_rng(2).integers(1, 5, (70, 130, 200)).astype(np.uint64) + np.uint64(BIG)
    desk.version.labelmap("seg")[0:70, 0:130, 0:200] = volume
    desk.out("seg", f"s.{form}", "--sharded", "--box", "0,0,0:200,130,70")
    desk.back("again", f"s.{form}", "--new", "labelmap")
    assert np.array_equal(desk.version.labelmap("again")[0:70, 0:130, 0:200], volume)
    files = [one for one in Path(f"s.{form}").rglob("*") if one.is_file()]
    assert len(files) <= 4


@pytest.mark.parametrize("kind", ["uint16", "uint32", "float32"])
def test_other_numbers(desk: Desk, kind: str) -> None:
    desk.version.new_instance(f"{kind}blk", "gray", BlockSize=[16, 16, 16])
    voxels = noise(kind, (16, 32, 48))
    desk.version.image("gray")[0:16, 0:32, 0:48] = voxels
    for place in ("i.zarr", "i.precomputed", "i.h5", "i.tif"):
        desk.out("gray", place)
        desk.back(f"from-{place[2:]}", place, "--new", f"{kind}blk")
        assert np.array_equal(desk.version.image(f"from-{place[2:]}")[...], voxels)


def test_scales_and_supervoxels(desk: Desk) -> None:
    desk.version.new_instance("labelmap", "seg", MaxDownresLevel=1)
    desk.version.labelmap("seg")[0:40, 0:70, 0:90] = bodies()
    desk.version.labelmap("seg").merge(7, BIG)
    for words, expected in (([], {0, 3, 7}), (["--supervoxels"], {0, 3, 7, BIG}), (["--scale", "1"], {0, 3, 7})):
        desk.out("seg", f"l{len(expected)}{len(words)}.h5", *words)
        found = formats.open_outside(f"l{len(expected)}{len(words)}.h5", "", "")
        assert {*np.unique(found.read(Box((0, 0, 0), found.shape))).tolist()} == expected
        found.close()


@pytest.mark.parametrize("place", ["l.zarr", "l.n5", "l.precomputed"])
def test_all_scales_go_out(desk: Desk, place: str) -> None:
    """Coarser ones as the server has them, at their places; what comes back is the finest, and makes its own."""
    desk.version.new_instance("labelmap", "seg", BlockSize=[32, 32, 32], MaxDownresLevel=2, VoxelSize=[4, 4, 40])
    seg = desk.version.labelmap("seg")
    seg[64:104, 0:70, -32:58] = bodies()
    desk.out("seg", place, "--scales", "all", "--box", "-32,0,64:58,70,103")
    for scale in range(3):
        name = str(scale) if place.endswith("precomputed") else f"s{scale}"
        found = formats.open_outside(place, "", name)
        box = Box((64 >> scale, 0, -32 >> scale), (-(-103 >> scale), -(-70 >> scale), -(-58 >> scale)))
        assert (found.shape, found.offset) == (box.shape, box.start)
        assert found.resolution == tuple(side << scale for side in (40, 4, 4))
        assert np.array_equal(found.read(Box((0, 0, 0), found.shape)), seg.scale(scale).read(box))
    desk.back("again", place, "--new", "labelmap")
    assert np.array_equal(desk.version.labelmap("again")[64:103, 0:70, -32:58], bodies()[:39])
    assert desk.version.labelmap("again").info()["Extended"]["VoxelSize"] == [4, 4, 40]
    desk.out("seg", f"two.{place}", "--scale", "1", "--scales", "1")
    assert "from 1 to 3" in desk.run("export", "seg", f"x.{place}", "--scales", "4", status=1)


@pytest.mark.parametrize("form", ["zarr", "precomputed"])
def test_what_the_server_shows_comes_in_by_its_address(desk: Desk, form: str) -> None:
    """Of this server or another one: a zarr with several scales is a group, of which the finest is taken."""
    desk.version.new_instance("labelmap", "seg", BlockSize=[32, 32, 32], MaxDownresLevel=1, VoxelSize=[4, 4, 40])
    desk.version.labelmap("seg")[0:40, 0:70, 0:90] = bodies()
    address = f"http://127.0.0.1:{desk.served.port}/api/node/{desk.version.uuid}/seg/{form}"
    desk.run("import", "again", address, "--format", form, "--new", "labelmap")
    assert np.array_equal(desk.version.labelmap("again")[0:40, 0:70, 0:90], bodies())


@pytest.mark.parametrize("place", ["l.zarr", "l.n5", "l.precomputed"])
def test_several_scales_go_on_where_they_broke_off(desk: Desk, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.version.new_instance("labelmap", "seg", BlockSize=[32, 32, 32], MaxDownresLevel=1)
    desk.version.labelmap("seg")[0:40, 0:70, 0:90] = bodies()
    add = Record.add

    def break_off(record: Record, piece: Part) -> None:
        if piece.scale == 1:
            raise OSError("the line is cut")
        add(record, piece)

    monkeypatch.setattr(Record, "add", break_off)
    words = ("--scales", "all", "--box", "0,0,0:90,70,40", "--workers", "1")  # one piece after the other
    assert "the line is cut" in desk.run("export", "seg", place, *words, status=1)
    monkeypatch.setattr(Record, "add", add)
    desk.version.labelmap("seg")[0:8, 0:8, 0:8] = 9  # of the finest scale, which is done
    desk.out("seg", place, *words)
    desk.back("again", place, "--new", "labelmap")
    assert np.array_equal(desk.version.labelmap("again")[0:40, 0:70, 0:90], bodies())


def test_scales_of_an_image_are_its_pyramid(desk: Desk) -> None:
    zarr = pytest.importorskip("zarr", reason="needs zarr: make readers")
    desk.version.new_instance("uint8blk", "gray", BlockSize=[32, 32, 32], VoxelSize=[8, 8, 8], Pyramid=1)
    gray = desk.version.image("gray")
    gray[0:64, 0:64, 0:64] = noise(shape=(64, 64, 64))
    gray.ask("GET", "info", query={"wait": "true"})
    desk.out("gray", "g.zarr", "--scales", "all")
    group = zarr.open_group("g.zarr", mode="r")
    assert [*group.attrs["ome"]["multiscales"][0]["datasets"]][1]["path"] == "s1"
    for scale in range(2):
        assert np.array_equal(group[f"s{scale}"][:], gray.scale(scale)[...])


def test_resolution_and_scales_follow_from_the_source(desk: Desk) -> None:
    desk.version.new_instance("uint8blk", "gray", VoxelSize=[4, 4, 40])
    desk.version.image("gray")[0:4, 0:4, 0:300] = 1
    desk.out("gray", "i.precomputed", "--box", "0,0,0:300,4,4")
    desk.back("seg", "i.precomputed", "--new", "labelmap")
    extended = desk.version.labelmap("seg").info()["Extended"]
    assert extended["VoxelSize"] == [4, 4, 40]
    assert desk.version.labelmap("seg").scale(1)[0:2, 0:2, 0:150].all()


@pytest.mark.parametrize("place", ["i.zarr", "i.tif", "i.h5", "i.nrrd"])
def test_what_breaks_off_goes_on_where_it_was(desk: Desk, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.version.new_instance("uint8blk", "gray", BlockSize=[32, 32, 32])
    voxels = noise()
    gray = desk.version.image("gray")
    gray[0:40, 0:70, 0:90] = voxels
    done: list[Box] = []
    add = Record.add

    def break_off(record: Record, piece: Box) -> None:
        if len(done) == 2:
            raise OSError("the line is cut")
        done.append(piece)
        add(record, piece)

    words = ("--box", "0,0,0:90,70,40", "--workers", "1")
    monkeypatch.setattr(Record, "add", break_off)
    assert "the line is cut" in desk.run("export", "gray", place, *words, status=1)
    assert Path(f".{place}.dvidpy").exists()
    monkeypatch.setattr(Record, "add", add)
    gray[0:8, 0:8, 0:8] = 0  # of a piece that is done: it is not read again
    desk.out("gray", place, *words)
    assert not Path(f".{place}.dvidpy").exists()
    found = formats.open_outside(place, "", "")
    assert np.array_equal(found.read(Box((0, 0, 0), found.shape)), voxels)
    found.close()
    done.clear()
    monkeypatch.setattr(Record, "add", break_off)
    desk.run("import", "again", place, "--new", "uint8blk", "--workers", "1", status=1)
    monkeypatch.setattr(Record, "add", add)
    desk.back("again", place, "--workers", "1")
    assert np.array_equal(desk.version.image("again")[0:40, 0:70, 0:90], voxels)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "gray", "x.stl"], "--format is one of"),
        (["export", "gray", "x", "--format", "stl"], "'stl' is no format"),
        (["export", "gray", "x.h5", "--sharded"], "hdf5 has no shards"),
        (["export", "gray", "x.h5", "--scales", "all"], "hdf5 has one scale"),
        (["export", "gray", "x.zarr", "--scales", "2"], "a number from 1 to 1"),
        (["export", "gray", "x.h5", "--box", "1,2"], "no offset"),
        (["export", "gray", "x.h5", "--box", "1,2,3:1,2,3"], "no box"),
        (["export", "gray", "x.h5", "--supervoxels"], "no supervoxels"),
        (["export", "gray", "there.h5"], "there already"),
        (["export", "notes", "x.h5"], "no volume of voxels"),
        (["export", "empty", "x.h5"], "nothing to export"),
        (["export", "floats", "x", "--format", "png"], "8 or 16 bits"),
        (["export", "gray", "nowhere/x.h5"], "No such file"),
        (["import", "gray", "there.h5"], "signature"),
        (["import", "gray", "x.zarr"], "x.zarr"),
        (["import", "gray", "x.tif"], "No such file"),
        (["import", "new", "slices", "--new", "keyvalue"], "no volume of voxels"),
        (["import", "gray", "slices", "--offset", "one"], "no offset"),
        (["import", "gone", "slices"], "gone"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(desk: Desk, words: list[str], said: str) -> None:
    version = desk.version
    for typename, name in (
        ("uint8blk", "gray"),
        ("uint8blk", "empty"),
        ("float32blk", "floats"),
        ("keyvalue", "notes"),
    ):
        version.new_instance(typename, name)
    version.image("gray")[0:2, 0:2, 0:2] = 1
    version.image("floats")[0:2, 0:2, 0:2] = 1
    Path("there.h5").write_bytes(b"no hdf5")
    desk.run("export", "gray", "slices", "--format", "png")
    output = desk.run(*words, status=1)
    assert said in output
    assert output.startswith("dvidpy: ")
    assert len(output.splitlines()) == 1 or "tensorstore" in output.lower() or "x.zarr" in output


def test_volumes_that_do_not_fit_are_refused(desk: Desk) -> None:
    desk.version.new_instance("uint16blk", "deep")
    desk.version.image("deep")[0:2, 0:2, 0:2] = 300
    desk.out("deep", "d.h5")
    desk.version.new_instance("uint8blk", "gray")
    assert "do not fit" in desk.run("import", "gray", "d.h5", status=1)


def test_without_the_libraries_it_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    Path("x.h5").write_bytes(b"")
    assert "dvidpy[volumes]" in desk.run("import", "gray", "x.h5", status=1)
