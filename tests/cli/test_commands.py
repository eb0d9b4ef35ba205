from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dvidpy.cli.commands import app
from dvidpy.config import default_settings
from dvidpy.kernels.jit import KERNELS, warm
from dvidpy.storage.keys import DATA, cell, part_key
from dvidpy.versioning.datastore import Datastore

runner = CliRunner()


def test_types_lists_names_and_addresses() -> None:
    said = runner.invoke(app, ["types"])
    assert said.exit_code == 0
    assert "keyvalue\tgithub.com/janelia-flyem/dvid/datatype/keyvalue\n" in said.stdout


def test_warm_compiles_every_kernel() -> None:
    said = runner.invoke(app, ["warm"])
    assert said.exit_code == 0
    names = warm()
    assert len(names) == len(KERNELS) > 0
    assert all(name in said.stdout for name in names)


# ---------------------------------------------------------------------- check
@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folder of a store that nothing is in."""
    with closing(Datastore(default_settings(tmp_path))):
        return tmp_path


def put(data: Path, key: bytes, value: bytes) -> None:
    with closing(Datastore(default_settings(data))) as datastore:
        datastore.main.store.batch([(key, value)], sync=True)


def test_check_of_a_sound_store(data: Path) -> None:
    said = runner.invoke(app, ["check", "--data", str(data)])
    assert said.exit_code == 0
    assert said.stdout.startswith("0 faults; ")


def test_check_of_a_folder_by_its_name(data: Path) -> None:
    said = runner.invoke(app, ["check", str(data)])
    assert (said.exit_code, said.stdout[:10]) == (0, "0 faults; ")


def test_check_makes_no_store_where_there_is_none(tmp_path: Path) -> None:
    missing, config = tmp_path / "missing", tmp_path / "a.toml"
    config.write_text('[store.main]\nengine = "leveldb"\npath = "missing"\n')
    for words in (["--data", str(missing)], [str(tmp_path)], [str(config)]):
        said = runner.invoke(app, ["check", *words])
        assert (said.exit_code, "there is no store in" in said.stderr) == (1, True), words
    assert not missing.exists()


def test_check_lists_faults_and_fails(data: Path) -> None:
    put(data, DATA + bytes(4) + b"\x01key" + cell(1), b"\x00value")
    said = runner.invoke(app, ["check", "--data", str(data)])
    assert said.exit_code == 1
    assert "belongs to no instance" in said.stderr
    assert said.stdout.startswith("1 faults; ")


def test_sweep_removes_orphaned_parts(data: Path) -> None:
    put(data, part_key(1, b"u" * 16, 0), b"\x00part")
    assert "1 orphaned parts" in runner.invoke(app, ["check", "--data", str(data)]).stdout
    said = runner.invoke(app, ["check", "--sweep", "--data", str(data)])
    assert said.exit_code == 0
    assert "1 orphaned parts removed" in said.stdout
    assert "1 orphaned parts" not in runner.invoke(app, ["check", "--data", str(data)]).stdout


def test_check_refuses_a_store_in_use(data: Path) -> None:
    with closing(Datastore(default_settings(data))):
        said = runner.invoke(app, ["check", "--data", str(data)])
    assert said.exit_code == 1
    assert said.stderr.startswith("dvidpy: cannot open the store in ")


# ---------------------------------------------------------------------- serve
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no [store.NAME] with a key-value engine"),
        ("[store", "Expected"),
        ('[store.a]\nengine = "leveldb"\npath = "x"\n[backend.default]\nstore = "b"\n', "names the store 'b'"),
        ('[store.a]\nengine = "florp"\n', "unknown store engine 'florp'"),
        ('[server]\nhttpAddress = "nowhere"\n[store.a]\nengine = "memory"\n', "is not host:port"),
        ('[server]\nblockListFile = "absent"\n[store.a]\nengine = "memory"\n', "unable to load the block list"),
        ('[server]\nmaxWaiting = 0\n[store.a]\nengine = "memory"\n', "server.maxWaiting"),
    ],
)
def test_serve_refuses_a_bad_configuration_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(text)
    said = subprocess.run(
        [sys.executable, "-m", "dvidpy", "serve", str(config)], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 1
    assert complaint in said.stderr
    assert "Traceback" not in said.stderr


def test_the_server_is_found_behind_no_configuration(tmp_path: Path) -> None:
    said = runner.invoke(app, ["serve", str(tmp_path / "absent.toml")], env={"DVIDPY_NO_TUNING": "1"})
    assert said.exit_code == 1
    assert "absent.toml" in said.stderr


# ---------------------------------------------------------------------- what is loaded when
@pytest.mark.parametrize("module", ["dvidpy.cli", "dvidpy.app", "dvidpy.cli.demo"])
def test_rarely_used_libraries_load_later(module: str) -> None:
    heavy = ("numba", "PIL", "blosc", "isal", "cramjam", "google.protobuf", "schemathesis", "hypothesis", "requests")
    program = f"import sys, {module}; print(*[name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout.split() == []
