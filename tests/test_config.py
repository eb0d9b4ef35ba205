from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from dvidpy.cli.settings import settings_from, split_address
from dvidpy.config import ConfigError, Settings, default_settings, load_settings


def load(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(dedent(text))
    return load_settings(path)


MEMORY = '[store.main]\nengine = "memory"\n'
TWO = """
    [store.fast]
    engine = "leveldb"
    path = "fast"
    [store.slow]
    engine = "leveldb"
    path = "/somewhere/slow"
    [store.log]
    engine = "filelog"
    path = "log"
    """


def test_names_ignore_letter_case_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [server]
        HTTPaddress = ":9000"
        corsDomains = ["*", "example.org"]
        blockListFile = "blocked.txt"
        AdminToken = "sesame"
        """
        + TWO,
    )
    assert settings.server.http_address == ":9000"
    assert settings.server.cors_domains == ("*", "example.org")
    assert settings.server.block_list_file == str(tmp_path / "blocked.txt")
    assert settings.server.admin_token == "sesame"
    assert settings.stores["fast"].path == str(tmp_path / "fast")
    assert settings.stores["slow"].path == "/somewhere/slow"
    assert settings.ignored == ()


def test_what_has_no_effect_is_named(tmp_path: Path) -> None:
    settings = load(tmp_path, "[server]\nrpcAddress = ':8001'\n" + MEMORY + "[kafka]\nservers = []\n[email]\n")
    assert settings.ignored == ("[kafka]", "[email]", "server.rpcAddress")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[server]\nport = 1\n", "no \\[store.NAME\\] with a key-value engine"),
        ('[store.log]\nengine = "filelog"\npath = "x"\n', "no \\[store.NAME\\] with a key-value engine"),
        (MEMORY + '[backend.default]\nstore = "other"\n', "backend.default names the store 'other'"),
        ("[server]\nmaxThrottledOps = 0\n" + MEMORY, "maxthrottledops: .*greater than or equal to 1"),
        ("[server]\nreadonly = 'perhaps'\n" + MEMORY, "readonly: "),
        ("[store.main]\n", "engine: Field required"),
        ("[server\n", "config.toml: "),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_settings(tmp_path / "absent.toml")


@pytest.mark.parametrize(("mode", "expected"), [("readonly", (True, False)), ("fullwrite", (False, True))])
def test_rwmode_is_another_word_for_the_modes(tmp_path: Path, mode: str, expected: tuple[bool, bool]) -> None:
    server = load(tmp_path, f"[server]\nrwmode = '{mode}'\n" + MEMORY).server
    assert (server.readonly, server.fullwrite) == expected


# ---------------------------------------------------------------------- which store
def test_the_store_of_an_instance_by_name_then_tag_then_type_then_default(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [store.a]
        engine = "memory"
        [store.b]
        engine = "memory"
        [store.c]
        engine = "memory"
        [store.d]
        engine = "memory"
        [backend."notes:abc"]
        store = "a"
        [backend."kind:meshes"]
        store = "b"
        [backend.uint8blk]
        store = "c"
        [backend.default]
        store = "d"
        """,
    )
    tags = {"kind": "meshes"}
    assert settings.store_for("notes", "abc", tags, "uint8blk") == "a"
    assert settings.store_for("notes", "abd", tags, "uint8blk") == "b"
    assert settings.store_for("notes", "abd", {}, "uint8blk") == "c"
    assert settings.store_for("notes", "abd", {}, "keyvalue") == "d"
    assert settings.default_store() == "d"


def test_metadata_goes_before_default_and_the_first_store_comes_last(tmp_path: Path) -> None:
    metadata = '[backend.metadata]\nstore = "slow"\n[backend.default]\nstore = "fast"\n'
    assert load(tmp_path, dedent(TWO) + metadata).default_store() == "slow"
    assert load(tmp_path, TWO).default_store() == "fast"
    assert load(tmp_path, TWO).store_for("x", "y", {}, "keyvalue") == "fast"


# ---------------------------------------------------------------------- the command line
def test_the_command_line_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVID_ADMIN_TOKEN", "from the environment")
    load(tmp_path, "[server]\nhttpAddress = '10.0.0.1:9000'\nadminToken = 'from the file'\n" + MEMORY)
    config = tmp_path / "config.toml"
    server = settings_from(
        config, Path("unused"), host="127.0.0.1", port=9001, readonly=True, cors="a.org,b.org"
    ).server
    assert server.http_address == "127.0.0.1:9001"
    assert server.admin_token == "from the environment"
    assert server.readonly
    assert server.cors_domains == ("a.org", "b.org")


def test_an_empty_host_listens_everywhere_unless_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path, "[server]\nhttpAddress = ':9000'\n" + MEMORY)
    monkeypatch.delenv("DVIDPY_HOST", raising=False)
    assert settings_from(tmp_path / "config.toml", Path("unused")).server.http_address == ":9000"
    monkeypatch.setenv("DVIDPY_HOST", "127.0.0.1")
    assert settings_from(tmp_path / "config.toml", Path("unused")).server.http_address == "127.0.0.1:9000"


def test_without_a_file_one_leveldb_in_a_folder(tmp_path: Path) -> None:
    settings = default_settings(tmp_path)
    assert settings.server.http_address == "127.0.0.1:8000"
    assert {name: (s.engine, s.path) for name, s in settings.stores.items()} == {
        "main": ("leveldb", str(tmp_path / "leveldb"))
    }


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), (":0", ("", 0)), ("[::1]:65535", ("::1", 65535))],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize("address", ["", "host", "host:", "host:port", ":65536", ":-1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ConfigError, match="is not host:port"):
        split_address(address)
