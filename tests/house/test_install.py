"""scripts/install.sh finds a Python that fits, or names the one command that installs what is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from house.tree import REPOSITORY

FITTING = """#!/bin/sh
case $2 in
    *version_info*) echo 3.11;;
    *ensurepip*) ;;
    venv) mkdir -p $4/bin; cp $0 $4/bin/python;;
    pip) echo Traceback of a compiler; echo 'ERROR: there is no such package'; exit 1;;
esac
"""
"""A Python that makes environments in which nothing can be installed."""
NEWER = FITTING.replace("3.11", "3.13")
OLD = FITTING.replace("3.11", "3.9")
WITHOUT_ENSUREPIP = FITTING.replace("*ensurepip*) ", "*ensurepip*) exit 1 ")
SHIM = "#!/bin/sh\necho 'command not found' >&2; exit 127\n"
TOOLS = ("sh", "dirname", "grep", "tail", "mkdir", "cp")


def install(folder: Path, system: str = "Linux", **commands: str) -> tuple[int, str]:
    """Exit status and what is said, where only these commands are there."""
    path = folder / "bin"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool) or "")
    for name, text in ({"uname": f"#!/bin/sh\necho {system}\n"} | commands).items():
        place = path / name.replace("python3_", "python3.")
        place.unlink(missing_ok=True)
        place.write_text(text)
        place.chmod(0o755)
    script = [str(path / "sh"), str(REPOSITORY / "scripts" / "install.sh"), str(folder / "venv")]
    environment = {"PATH": str(path)}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_shim_without_its_python_is_passed_over(tmp_path: Path) -> None:
    _, said = install(tmp_path, python3_11=SHIM, python3_12=FITTING.replace("3.11", "3.12"))
    assert "Python 3.12 (python3.12)" in said


def test_one_that_fits_goes_before_a_newer_one(tmp_path: Path) -> None:
    _, said = install(tmp_path, python3=NEWER, python3_12=FITTING.replace("3.11", "3.12"))
    assert "Python 3.12 (python3.12)" in said


@pytest.mark.parametrize(
    ("system", "commands", "command"),
    [
        ("Linux", {}, "sudo apt-get install python3 python3-venv"),
        ("Linux", {"python3": OLD}, "sudo apt-get install python3 python3-venv"),
        ("Linux", {"python3": WITHOUT_ENSUREPIP}, "sudo apt-get install python3-venv"),
        ("Darwin", {}, "brew install python@3.12 leveldb"),
        ("Darwin", {"python3": OLD}, "brew install python@3.12 leveldb"),
    ],
)
def test_what_is_missing_is_named_with_one_command(
    tmp_path: Path, system: str, commands: dict[str, str], command: str
) -> None:
    status, said = install(tmp_path, system, **commands)
    assert status == 1
    assert said.count("install ") == 1
    assert f"\n    {command}\n" in said
    assert not (tmp_path / "venv").exists()


@pytest.mark.skipif(Path("/usr/include/leveldb").exists(), reason="the machine has LevelDB's headers")
@pytest.mark.parametrize(
    ("system", "python", "command"),
    [
        ("Linux", NEWER, "sudo apt-get install libleveldb-dev g++ python3-dev"),
        ("Darwin", FITTING, "brew install python@3.12 leveldb"),
    ],
)
def test_without_wheel_the_system_s_leveldb_is_needed(tmp_path: Path, system: str, python: str, command: str) -> None:
    status, said = install(tmp_path, system, python3=python)
    assert status == 1
    assert f"\n    {command}\n" in said


def test_with_leveldb_a_newer_python_will_do(tmp_path: Path) -> None:
    header = tmp_path / "include" / "leveldb" / "db.h"
    header.parent.mkdir(parents=True)
    header.touch()
    _, said = install(tmp_path, brew=f"#!/bin/sh\necho {tmp_path}\n", python3=NEWER, **{"c++": "#!/bin/sh\n"})
    assert "Python 3.13 (python3)" in said


def test_what_cannot_be_installed_is_said_in_two_lines(tmp_path: Path) -> None:
    status, said = install(tmp_path, python3=FITTING)
    assert status == 1
    assert "ERROR: there is no such package\ndvidpy: the packages could not be installed" in said
    assert "Traceback" not in said
    assert "Traceback" in (tmp_path / "venv" / "install.log").read_text()


def test_what_cannot_be_built_is_said_with_the_command(tmp_path: Path) -> None:
    header = tmp_path / "include" / "leveldb" / "db.h"
    header.parent.mkdir(parents=True)
    header.touch()
    _, said = install(tmp_path, brew=f"#!/bin/sh\necho {tmp_path}\n", python3=NEWER, **{"c++": "#!/bin/sh\n"})
    assert "plyvel could not be built" in said
    assert "Traceback" not in said
