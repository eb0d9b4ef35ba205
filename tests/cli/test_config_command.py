from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dvidpy.api.redaction import HIDDEN
from dvidpy.cli.commands import app
from dvidpy.config import load_settings

REFERENCE = Path(__file__).parents[1] / "config" / "reference.toml"


def show(*arguments: object, **environment: str) -> Result:
    given = {"DVID_ADMIN_TOKEN": "", "DVIDPY_HOST": "", **environment}
    return CliRunner().invoke(app, ["config", "show", *map(str, arguments)], env=given)


def test_without_a_file_the_settings_of_a_folder(tmp_path: Path) -> None:
    said = show("--data", tmp_path / "data")
    assert said.exit_code == 0
    shown = tomllib.loads(said.stdout)
    assert shown["server"]["httpAddress"] == "127.0.0.1:8000"
    assert shown["server"]["shutdownDelay"] == 5
    assert shown["store"]["main"]["path"] == str(tmp_path / "data" / "leveldb")
    assert "email" not in shown
    assert list(tmp_path.iterdir()) == []


def test_all_of_the_reference_without_its_secrets(tmp_path: Path) -> None:
    config = tmp_path / "dvid.toml"
    config.write_text(REFERENCE.read_text())
    said = show(config, DVID_ADMIN_TOKEN="pepper-token")
    assert said.exit_code == 0
    assert "pepper" not in said.stdout + said.stderr
    shown = tomllib.loads(said.stdout)
    assert shown["server"]["startWebhook"] == shown["email"]["password"] == HIDDEN
    assert shown["server"]["adminToken"] == HIDDEN
    assert shown["server"]["fullwrite"] is True
    assert shown["store"]["raid6"]["engine"] == "badger"
    assert shown["backend"]["labelmap"] == {"store": "ssd", "log": "labelmutationlog"}
    assert shown["logging"]["logfile"] == str(tmp_path / "dvid.log")
    assert shown["mutcache"]["segmentation"]["path"] == str(tmp_path / "mutcache")
    assert "warning: [kafka] has no effect yet\n" in said.stderr
    assert list(tmp_path.iterdir()) == [config]


def test_what_is_shown_means_the_same(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[server]\nnote = "x"\n[store.main]\nengine = "leveldb"\npath = "data"\n')
    again = tmp_path / "elsewhere.toml"
    again.write_text(show(config).stdout)
    first, second = load_settings(config), load_settings(again)
    assert (first.server, first.stores, first.logging) == (second.server, second.stores, second.logging)
    assert second.warnings == ()


def test_warnings_name_what_may_be_meant(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[server]\nhttpAdress = ":1"\n[store.main]\nengine = "memory"\n')
    said = show(config)
    assert said.exit_code == 0
    assert said.stderr == "warning: server.httpAdress is not known; did you mean httpAddress?\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[auth]\nenforce = "dsg"\n[store.main]\nengine = "memory"\n', "auth.enforce asks for protection"),
        ('[store.main]\nengine = "gbucket"\n', "'gbucket' is not built yet"),
        ('[server]\nhttpAddress = "nowhere"\n[store.main]\nengine = "memory"\n', "is not host:port"),
        ('[store.main]\nengine = "badger"\npath = "foreign"\n', "files of another program"),
        ("[", "config.toml: "),
    ],
)
def test_what_cannot_be_used_fails_with_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "letter.txt").write_bytes(b"")
    config = tmp_path / "config.toml"
    config.write_text(text)
    said = show(config)
    assert said.exit_code == 1
    assert complaint in said.stderr
    assert said.stderr.count("\n") == 1
