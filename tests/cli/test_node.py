"""Commands about one instance: regions, tiles, reloads, tables of annotations."""

from __future__ import annotations

import json
import struct
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated import element
from served import TOKEN, Served
from typer.testing import CliRunner

from dvidpy.cli import node_orders
from dvidpy.cli.commands import app

SIDE = 16
LEVELS = {"0": {"Resolution": [8, 8, 8], "TileSize": [16, 16, 16]}}


class Terminal:
    """Runs `dvidpy node ROOT …` as an admin."""

    def __init__(self, served: Served) -> None:
        self.served, self.root = served, served.repo()
        self.environment = {"DVIDPY_SERVER": f"127.0.0.1:{served.port}", "DVID_ADMIN_TOKEN": TOKEN}

    def run(self, *words: str, stdin: bytes = b"", status: int = 0) -> str:
        said = CliRunner().invoke(app, ["node", self.root, *words], input=stdin, env=self.environment)
        assert said.exit_code == status, said.output
        return str(said.output)

    def make(self, typename: str, name: str, **settings: str) -> str:
        return self.served.instance(self.root, name, typename, **settings)

    def get(self, path: str) -> Any:
        answer = self.served.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def terminal(served: Served) -> Terminal:
    return Terminal(served)


def gray(terminal: Terminal) -> str:
    """Four blocks along x, two along y: values 0 and 255, then 7 in the second, fourth and last one; one is missing."""
    path = terminal.make("uint8blk", "gray", BlockSize=f"{SIDE},{SIDE},{SIDE}")
    voxels = np.zeros((SIDE, 2 * SIDE, 4 * SIDE), np.uint8)
    voxels[:, :, ::2] = 255
    for block in (1, 3):
        voxels[3, 5, block * SIDE + 2] = 7
    voxels[SIDE - 1, 2 * SIDE - 1, 4 * SIDE - 1] = 7
    for y, width in ((0, 4), (SIDE, 2)):
        part = np.ascontiguousarray(voxels[:, y : y + SIDE, -width * SIDE :])
        place = f"raw/0_1_2/{width * SIDE}_{SIDE}_{SIDE}/{(4 - width) * SIDE - SIDE}_{y}_0"
        assert terminal.served.http.post(f"{path}/{place}", content=part.tobytes()).status_code == 200
    return path


# ---------------------------------------------------------------------- channels
def test_a_v3d_raw_file_is_loaded(terminal: Terminal, tmp_path: Path) -> None:
    path = terminal.make("multichan16", "m", BlockSize="4,4,4")
    file = tmp_path / "brain.v3draw"
    file.write_bytes(b"raw_image_stack_by_hpengL" + struct.pack("<H4I", 2, 3, 2, 1, 2) + bytes(range(24)))
    assert "2 channels of 3 x 2 x 1 voxels" in terminal.run("m", "load", "local", str(file))
    assert terminal.served.http.get(f"{path}/v3draw").content == file.read_bytes()
    assert "cannot be read" in terminal.run("m", "load", "local", str(tmp_path / "none"), status=1)
    assert "one V3D Raw file" in terminal.run("m", "load", "local", "a", "b", status=1)
    file.write_bytes(b"something else")
    assert "V3D Raw file ends early" in terminal.run("m", "load", "remote", str(file), status=1)


# ---------------------------------------------------------------------- regions
@pytest.mark.parametrize("read", [SIDE**3, 64 << 20])
def test_blocks_that_are_not_background_become_a_region(
    terminal: Terminal, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_orders, "READ", read)
    gray(terminal)
    assert "3 blocks" in terminal.run("gray", "roi", "tissue", "0,255")
    assert terminal.get(f"/api/node/{terminal.root}/tissue/roi") == [[0, 0, 0, 0], [0, 0, 2, 2], [0, 1, 2, 2]]
    assert terminal.get(f"/api/node/{terminal.root}/tissue/info")["Extended"]["BlockSize"] == [SIDE] * 3
    assert "6 blocks" in terminal.run("gray", "roi", "tissue", "0")
    assert terminal.get(f"/api/node/{terminal.root}/tissue/roi") == [[0, 0, -1, 2], [0, 1, 1, 2]]


def test_regions_that_cannot_be_made_are_told(terminal: Terminal) -> None:
    terminal.make("uint8blk", "empty")
    terminal.make("uint16blk", "deep")
    terminal.make("roi", "coarse", BlockSize="64,64,64")
    terminal.make("keyvalue", "notes")
    assert "0 blocks" in terminal.run("empty", "roi", "nothing", "0")
    for values in ("x", "256", "-1", "", "1,,2"):
        assert "no values" in terminal.run("empty", "roi", "nothing", "--", values, status=1)
    assert "uint16blk" in terminal.run("deep", "roi", "nothing", "0", status=1)
    assert "other blocks" in terminal.run("empty", "roi", "coarse", "0", status=1)
    assert "a keyvalue, not an roi" in terminal.run("empty", "roi", "notes", "0", status=1)


# ---------------------------------------------------------------------- tiles
def test_tiles_are_made_of_levels_in_a_file_or_from_standard_input(terminal: Terminal, tmp_path: Path) -> None:
    gray(terminal)
    file = tmp_path / "levels.json"
    file.write_text(json.dumps(LEVELS))
    for number, words in enumerate(([str(file)], ["-"], [f"filename={file}"])):
        path = terminal.make("imagetile", f"tiles{number}", source="gray")
        stdin = file.read_bytes() if words == ["-"] else b""
        said = terminal.run(
            f"tiles{number}", "generate", *words, "Planes=xy;yz", "zrange=3,4", "xrange=5,5", stdin=stdin
        )
        assert "Started to make tiles" in said
        until = time.monotonic() + 30
        while "Generating" in terminal.get(f"{path}/info")["Extended"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        http = terminal.served.http
        there = [
            http.get(f"{path}/tile/{tile}?noblanks=true").status_code
            for tile in ("xy/0/0_0_3", "xy/0/0_0_5", "xz/0/0_3_0")
        ]
        assert there == [200, 404, 404]


def test_tiles_without_levels_have_the_usual_ones(terminal: Terminal) -> None:
    gray(terminal)
    terminal.make("imagetile", "tiles", source="gray")
    assert "Started" in terminal.run("tiles", "generate")
    for words in (["a", "b"], ["/nowhere.json"], ["depth=3"], ["planes=qq"], ["zrange=9"]):
        assert terminal.run("tiles", "generate", *words, status=1).startswith("dvidpy: ")


# ---------------------------------------------------------------------- elements
def test_elements_are_listed_again_and_deleted(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    path = terminal.make("annotation", "a")
    assert (
        terminal.served.http.post(f"{path}/blocks", json={"0,0,0": [element((1, 2, 3), "Gap", ["t"])]}).status_code
        == 200
    )
    assert terminal.get(f"{path}/tag/t") == []
    for words in ([], ["check"], ["check=true", "inmemory=false"], ["check", "inmemory"]):
        assert "Started" in terminal.run("a", "reload", *words)
    terminal.get(f"{path}/info?wait=true")
    until = time.monotonic() + 30
    while not terminal.get(f"{path}/tag/t"):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert "no setting" in terminal.run("a", "reload", "depth=3", status=1)
    assert "key=value" in terminal.run("a", "reload", "now", status=1)
    monkeypatch.setattr(sys.modules["dvidpy.cli.repos"], "person_is_there", lambda: True)
    assert "cannot be undone" in terminal.run("a", "delete-all", stdin=b"n\n", status=1)
    assert len(terminal.get(f"{path}/tag/t")) == 1
    terminal.run("a", "delete-all", "--imsure")
    assert terminal.get(f"{path}/tag/t") == []
    assert terminal.get(f"{path}/all-elements") == {}


# ---------------------------------------------------------------------- tables
def test_annotations_come_in_and_changes_go_out(terminal: Terminal, tmp_path: Path) -> None:
    path, kv = terminal.make("neuronjson", "n"), terminal.make("keyvalue", "old")
    terminal.run("n", "put", "23", stdin=b'{"bodyid": 23, "type": "KC"}')
    file = tmp_path / "some.json"
    file.write_text('[{"bodyid": 23, "side": "L"}, {"bodyid": 24, "side": "R"}]')
    assert "Ingested 2" in terminal.run("n", "ingest-neuronjson", str(file), "--user", "me")
    assert "Ingested 1" in terminal.run("n", "ingest-neuronjson", "-", stdin=b'[{"bodyid": 25}]')
    assert terminal.served.http.post(f"{kv}/key/26", content=b'{"type": "PN"}').status_code == 200
    assert "Imported 1 annotations and 0 schemas; skipped 0" in terminal.run("n", "import-kv", "old")
    found = terminal.get(f"{path}/key/23?show=user")
    assert (found["type"], found["side"], found["side_user"]) == ("KC", "L", "me")
    terminal.served.commit(terminal.root)
    child = terminal.served.http.post(f"/api/node/{terminal.root}/newversion", json={}).json()["child"]
    assert terminal.served.http.delete(f"/api/node/{child}/n/key/24").status_code == 200
    folder = tmp_path / "deep" / "changes"
    assert "2 versions" in terminal.run("n", "version-changes", str(folder))
    assert json.loads((folder / f"{child}.json").read_text()) == [{"bodyid": 24, "tombstone": True}]
    assert [one["bodyid"] for one in json.loads((folder / f"{terminal.root}.json").read_text())] == [23, 24, 25, 26]
    assert "no data instance" in terminal.run("nothing", "version-changes", str(folder), status=1)
    assert "cannot be read" in terminal.run("n", "ingest-neuronjson", str(tmp_path / "none.json"), status=1)


def test_changes_of_an_unversioned_table_are_written_once(terminal: Terminal, tmp_path: Path) -> None:
    terminal.make("neuronjson", "n", versioned="false")
    terminal.run("n", "put", "23", stdin=b'{"bodyid": 23}')
    terminal.served.commit(terminal.root)
    terminal.served.http.post(f"/api/node/{terminal.root}/newversion", json={})
    assert "1 versions" in terminal.run("n", "version-changes", str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [f"{terminal.root}.json"]
