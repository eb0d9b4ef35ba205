"""dvidpy.client against a running server."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import numpy as np
import pytest
from served import TOKEN, Serve, Served
from servers import free_port

from dvidpy.client import Refused, Server, Unreachable, Version, volumes
from dvidpy.client.boxes import Box, read_key
from dvidpy.client.line import Line
from dvidpy.client.tables import arrow_of, pandas_of

HUGE = (1 << 63) + 5
DRAW = np.random.default_rng(3)


@pytest.fixture
def server(lasting: Served) -> Any:
    found = Server(f"127.0.0.1:{lasting.port}", user="ann", token=TOKEN)
    yield found
    found.close()


@pytest.fixture
def version(server: Server) -> Version:
    return server.new_repo("client", "of tests")


@pytest.fixture
def gray(version: Version) -> volumes.Image:
    version.new_instance("uint8blk", "gray", BlockSize=[32, 16, 8], VoxelSize=[4, 4, 40], Pyramid=1)
    return version.image("gray")


# ---------------------------------------------------------------------- volumes
def test_what_is_written_is_read(gray: volumes.Image) -> None:
    voxels = DRAW.integers(0, 256, (20, 40, 50), np.uint8)
    gray[-5:15, 3:43, -20:30] = voxels
    assert np.array_equal(gray[-5:15, 3:43, -20:30], voxels)
    assert np.array_equal(gray[0, 5:9, -3:4], voxels[5, 2:6, 17:24])
    assert gray[0, 5, 0] == voxels[5, 2, 20]
    assert (gray.dtype.name, gray.block, gray.resolution) == ("uint8", (8, 16, 32), (40, 4, 4))
    assert gray.bounds == Box((-8, 0, -32), (16, 48, 32))
    whole = gray[...]
    assert whole.shape == gray.shape == (24, 48, 64)
    assert np.array_equal(np.asarray(gray), whole)
    assert np.array_equal(gray[:0], whole[:8])
    gray[0, 5, 0:4] = [1, 2, 3, 4]
    assert gray[0, 5, 0:4].tolist() == [1, 2, 3, 4]
    gray[0:2, 0:2, 0:2] = 7
    assert (gray[0:2, 0:2, 0:2] == 7).all()


def test_large_boxes_are_read_and_written_in_pieces(gray: volumes.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "PIECE", 10_000)
    voxels = DRAW.integers(0, 256, (40, 70, 90), np.uint8)
    gray[1:41, 2:72, 3:93] = voxels
    assert np.array_equal(gray[1:41, 2:72, 3:93], voxels)
    monkeypatch.setattr(volumes, "PIECE", 1 << 30)
    assert np.array_equal(gray[1:41, 2:72, 3:93], voxels)


def test_coarser_scales(version: Version, gray: volumes.Image) -> None:
    gray[0:16, 0:32, 0:64] = np.full((16, 32, 64), 9, np.uint8)
    version.commit()
    coarse = gray.scale(1)
    assert coarse.shape == (8, 16, 32)
    assert [*coarse.resolution] == [80, 8, 8]
    assert (coarse[...] == 9).all()
    with pytest.raises(ValueError, match="full resolution"):
        coarse[0:8, 0:16, 0:32] = 1
    with pytest.raises(Refused):
        gray.scale(5)[0:1, 0:1, 0:1]


def test_what_does_not_fit_is_refused(gray: volumes.Image) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        gray[0:1, 0:1, 0:1] = 256
    with pytest.raises(ValueError, match="do not fit"):
        gray[0:1, 0:1, 0:1] = 0.5
    for key in (slice(0, 4, 2), "z", (1, 2, 3, 4), 0.5):
        with pytest.raises(IndexError):
            gray[key]


def test_without_voxels_there_is_nothing(gray: volumes.Image) -> None:
    assert gray.shape == (0, 0, 0)
    assert gray[...].size == 0
    assert gray[0:2, 0:2, 0:2].tolist() == [[[0, 0], [0, 0]], [[0, 0], [0, 0]]]


def test_pieces_cover_a_box_once() -> None:
    box = Box((-5, 3, 7), (60, 41, 99))
    for most in (1, 1000, 20_000, 1 << 30):
        seen = np.zeros(box.shape, int)
        for piece in box.pieces((8, 16, 32), most):
            seen[piece.within(box.start)] += 1
            assert piece.volume <= max(most, 8 * 16 * 32)
        assert (seen == 1).all()
    assert read_key((3, slice(None), slice(None, 9)), box) == (
        Box((3, 3, 7), (4, 41, 9)),
        (0, slice(None), slice(None)),
    )


# ---------------------------------------------------------------------- labels
@pytest.fixture
def bodies(version: Version) -> Any:
    version.new_instance("labelmap", "seg", BlockSize=[16, 16, 16], MaxDownresLevel=1)
    labels = version.labelmap("seg")
    volume = np.zeros((20, 20, 40), np.uint64)
    volume[2:18, 2:18, 0:10], volume[2:18, 2:18, 10:20], volume[2:18, 2:18, 20:40] = 1, 2, HUGE
    labels[0:20, 0:20, 0:40] = volume
    return labels


def test_bodies_are_read_and_edited(bodies: Any) -> None:
    volume = bodies[0:20, 0:20, 0:40]
    assert volume.dtype == np.uint64
    assert np.unique(volume).tolist() == [0, 1, 2, HUGE]
    assert bodies.labels_at([[3, 3, 3], [3, 3, 30], [0, 0, 0]]).tolist() == [1, HUGE, 0]
    assert bodies.merge(1, 2) > 0
    assert bodies.labels_at([[3, 3, 12]]).tolist() == [1]
    assert bodies.supervoxels().labels_at([[3, 3, 12]]).tolist() == [2]
    assert np.unique(bodies.supervoxels()[0:20, 0:20, 0:40]).tolist() == [0, 1, 2, HUGE]
    assert bodies.mapping([2, HUGE, 55]).tolist() == [1, HUGE, 0]
    assert bodies.supervoxels_of(1).tolist() == [1, 2]
    assert bodies.sizes([1, 77]).tolist() == [5120, 0]
    new = bodies.cleave(1, [2])
    assert bodies.labels_at([[3, 3, 12]]).tolist() == [new]
    bodies.renumber([(500, new)])
    assert bodies.labels_at([[3, 3, 12]]).dtype == np.uint64
    found = bodies.split_supervoxel(1, np.argwhere(bodies[0:20, 0:20, 0:5] == 1))
    assert bodies.sizes([1]).tolist() == [2560]
    assert {*bodies.supervoxels_of(1).tolist()} <= {*found.values()}


def test_a_block_that_was_never_written_is_background(bodies: Any) -> None:
    assert not bodies[160:176, 160:176, 160:176].any()
    assert not bodies[161:176, 160:176, 160:176].any()


def test_labels_never_become_floats(bodies: Any) -> None:
    table = bodies.bodies()
    assert table.to_pydict() == {"body": [1, 2, HUGE], "voxels": [2560, 2560, 5120]}
    assert str(table.schema.field("body").type) == "uint64"
    assert bodies.bodies(first=2).num_rows == 2


def test_voxels_and_shapes_of_a_body(bodies: Any) -> None:
    voxels = bodies.body_voxels(2)
    assert np.array_equal(voxels, np.argwhere(bodies[0:20, 0:20, 0:40] == 2))
    assert len(bodies.scale(1).body_voxels(2)) == 8 * 8 * 5
    mesh = bodies.mesh(2)
    assert mesh.points.shape[1] == mesh.triangles.shape[1] == 3
    assert bodies.skeleton(2).count(b"\n") > 0


def test_labels_in_part_of_a_block_keep_the_others(bodies: Any) -> None:
    bodies.merge(1, 2)
    bodies[0:1, 0:1, 0:1] = 9
    assert bodies.labels_at([[0, 0, 0], [3, 3, 12]]).tolist() == [9, 1]
    assert bodies.supervoxels_of(1).tolist() == [1, 2], "supervoxels are written back as they were"


# ---------------------------------------------------------------------- records
def test_keyvalues_are_a_dictionary(version: Version) -> None:
    version.new_instance("keyvalue", "notes")
    notes = version.keyvalue("notes")
    notes["a b?"], notes["c"] = b"\x00one", b"two"
    assert (notes["a b?"], "c" in notes, "d" in notes) == (b"\x00one", True, False)
    assert list(notes) == ["a b?", "c"]
    assert notes.keys("b", "d") == ["c"]
    assert notes.many(["c", "a b?"]) == {"c": b"two", "a b?": b"\x00one"}
    del notes["c"]
    with pytest.raises(KeyError):
        notes["c"]


def test_neurons_are_tables(version: Version) -> None:
    version.new_instance("neuronjson", "neurons")
    neurons = version.neuronjson("neurons")
    rows: dict[int, dict[str, Any]] = {
        HUGE: {"type": "KC", "size": 1 << 62},
        7: {"type": "MBON", "near": [1, HUGE]},
        9: {"size": 3, "ok": True},
    }
    for body, fields in rows.items():
        neurons[body] = fields
    assert neurons[HUGE] == {"bodyid": HUGE, **rows[HUGE]}
    neurons.update(7, {"size": 5})
    table = neurons.arrow()
    assert table.column_names[0] == "bodyid"
    assert str(table.schema.field("bodyid").type) == "uint64"
    assert sorted(table["bodyid"].to_pylist()) == [7, 9, HUGE]
    frame = neurons.pandas()
    assert int(frame.loc[HUGE, "size"]) == 1 << 62
    assert frame.index.dtype == np.uint64
    assert str(frame["size"].dtype) == "int64"
    assert str(frame["ok"].dtype) == "boolean"
    assert neurons.rows(fields=["type"], where={"type": "KC"}) == [{"bodyid": HUGE, "type": "KC"}]
    del neurons[7]
    with pytest.raises(KeyError):
        neurons[7]


def test_elements_are_tables(version: Version) -> None:
    version.new_instance("annotation", "synapses")
    synapses = version.annotation("synapses")
    synapses.add(
        [
            {"Pos": [10, 20, 30], "Kind": "PreSyn", "Tags": ["t"], "Prop": {"conf": "0.5"}, "Rels": []},
            {"Pos": [500, 20, 30], "Kind": "PostSyn", "Tags": [], "Prop": {}, "Rels": []},
        ]
    )
    frame = synapses.pandas()
    assert sorted(zip(frame.z, frame.y, frame.x, frame.Kind, strict=True)) == [
        (30, 20, 10, "PreSyn"),
        (30, 20, 500, "PostSyn"),
    ]
    assert len(synapses.elements(Box((0, 0, 0), (64, 64, 64)))) == 1
    assert [one["Pos"] for one in synapses.elements(tag="t")] == [[10, 20, 30]]
    synapses.delete((30, 20, 10))
    assert len(synapses.elements()) == 1


def test_tables_hold_every_number_exactly() -> None:
    rows = [
        {"bodyid": HUGE, "n": -1, "mixed": 1, "deep": {"a": 1}, "lists": [1, 2]},
        {"bodyid": 3, "mixed": "b", "f": 0.5},
    ]
    table = arrow_of(rows)
    assert table.to_pylist()[0] == {
        "bodyid": HUGE,
        "n": -1,
        "mixed": "1",
        "deep": '{"a": 1}',
        "lists": [1, 2],
        "f": None,
    }
    frame = pandas_of(table)
    assert (frame["bodyid"].dtype, str(frame["n"].dtype)) == (np.uint64, "Int64")
    big = arrow_of([{"x": (1 << 53) + 1}, {"x": 0.5}])
    assert big["x"].to_pylist() == [str((1 << 53) + 1), "0.5"]
    assert pandas_of(arrow_of([], ["bodyid"])).empty


# ---------------------------------------------------------------------- versions
def test_versions_and_branches(server: Server, version: Version) -> None:
    version.new_instance("keyvalue", "notes")
    assert version.instances() == {"notes": "keyvalue"}
    assert not version.is_locked()
    version.commit("first", ["a line"])
    assert version.is_locked()
    child = version.new_version("next")
    side = version.new_branch("side")
    assert [one.uuid for one in version.branch()] == [child.uuid, version.uuid]
    assert version.branches() == ["master", "side"]
    side.keyvalue("notes")["a"] = b"1"
    assert server.repo(f"{version.uuid[:8]}:side").keyvalue("notes")["a"] == b"1"
    with pytest.raises(Refused, match="locked") as refusal:
        Server(server.line.server).repo(version.uuid).keyvalue("notes")["a"] = b"2"
    assert refusal.value.status == 400
    assert version.uuid in server.repos()
    assert "DVID Version" in server.info()


# ---------------------------------------------------------------------- the line
def test_nobody_answers() -> None:
    line = Line(f"127.0.0.1:{free_port()}", pauses_s=(0.0,))
    with pytest.raises(Unreachable, match="no server answers"):
        line.ask("GET", "/api/server/info")
    with pytest.raises(ValueError, match="host:port"):
        Line("host:port")


def test_a_server_that_starts_meanwhile_is_asked_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve()
    line = Line(f"127.0.0.1:{free_port()}", pauses_s=(0.5,))
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        line._base = f"http://127.0.0.1:{served.port}"

    monkeypatch.setattr("dvidpy.client.line.time.sleep", wait)
    assert "DVID Version" in line.json("GET", "/api/server/info")
    assert waited == [0.5]


def test_bars_are_shown_to_a_person_alone(
    gray: volumes.Image, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(volumes, "PIECE", 4096)
    gray[0:16, 0:32, 0:64]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    gray[0:16, 0:32, 0:64]
    assert "read gray" in capsys.readouterr().err
    quiet = Version(gray.line, gray.uuid, progress=False).image("gray")
    quiet[0:16, 0:32, 0:64]
    assert capsys.readouterr().err == ""


def test_a_pipe_is_sent_to_its_end(version: Version) -> None:
    version.new_instance("keyvalue", "notes")
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        os.write(writing, b"from a pipe")
        os.close(writing)
        version.keyvalue("notes").ask("POST", "key/a", pipe)
    assert version.keyvalue("notes")["a"] == b"from a pipe"


def test_threads_share_a_line(version: Version) -> None:
    version.new_instance("keyvalue", "notes")
    notes = version.keyvalue("notes")
    writers = [threading.Thread(target=notes.__setitem__, args=(f"k{n}", b"%d" % n)) for n in range(16)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(notes.keys()) == 16
