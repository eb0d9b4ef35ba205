from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from dvidpy.cli.settings import settings_from, split_address
from dvidpy.config import NAMED, SINGLE, ConfigError, Settings, default_settings, load_settings


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
    [backend.default]
    store = "fast"
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
    assert settings.warnings == ()
    assert settings.stores["log"].path == str(tmp_path / "log")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[server]\nport = 1\n", "no \\[store.NAME\\] with a key-value engine"),
        ('[store.log]\nengine = "filelog"\npath = "x"\n', "no \\[store.NAME\\] with a key-value engine"),
        (MEMORY + '[backend.default]\nstore = "other"\n', "backend.default names the store 'other'"),
        ("[server]\nmaxThrottledOps = 0\n" + MEMORY, "server.maxThrottledOps: .*greater than or equal to 1"),
        ("[server]\nreadonly = 'perhaps'\n" + MEMORY, "server.readonly: "),
        ("[store.main]\n", "store.main.engine: Field required"),
        ("[server\n", "config.toml: "),
        ("server = 1\n", "server is no section"),
        ("store = 1\n", r"store is no section \[store.NAME\]"),
        ("[store]\nengine = 'leveldb'\n", "store.engine is no section"),
        (MEMORY + "[server]\nreadOnly = true\nreadonly = false\n", "server says readonly twice"),
        (MEMORY + "[server]\n[Server]\n", "the file says Server twice"),
        (MEMORY + "[server]\nrwmode = 'read-only'\n", "server.rwmode: "),
        (MEMORY + "[server]\nshutdownDelay = -1\n", "server.shutdownDelay: "),
        (MEMORY + "[server]\ninstance_id_gen = 'dense'\n", "server.instance_id_gen: "),
        (MEMORY + "[server]\ninstance_id_start = 4294967296\n", "server.instance_id_start: "),
        (MEMORY + "[server]\nmin_mutation_id_start = 'x'\n", "server.min_mutation_id_start: "),
        (MEMORY + "[server]\nstartWebhook = 'file:///etc/passwd'\n", "server.startWebhook: .*is no http"),
        (MEMORY + "[server]\ncorsDomains = '*'\n", "server.corsDomains: "),
        (MEMORY + "[server]\nwebClient = 5\n", "server.webClient: "),
        (MEMORY + "[logging]\nmax_log_size = -1\n", "logging.max_log_size: "),
        (MEMORY + "[cache.labelmap]\nsize = 'large'\n", "cache.labelmap.size: "),
        (MEMORY + "[mirror.all]\nservers = 'x'\n", "mirror.all.servers: "),
        (MEMORY + "[groupcache]\ngb = 'x'\n", "groupcache.gb: "),
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


def test_paths_are_relative_to_the_file_or_to_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/elsewhere")
    settings = load(
        tmp_path,
        """
        [server]
        pidFile = "run/pid"
        webClient = "~/client"
        [logging]
        logfile = "../dvid.log"
        [mutations]
        jsonstore = "json"
        [mutcache.segmentation]
        path = "cache"
        [store.main]
        engine = "leveldb"
        path = "~store"
        """,
    )
    assert settings.server.pid_file == str(tmp_path / "run" / "pid")
    assert settings.server.web_client == "/elsewhere/client"
    assert settings.logging.logfile == str(tmp_path / ".." / "dvid.log")
    assert settings.mutations.jsonstore == str(tmp_path / "json")
    assert settings.others["mutcache"]["segmentation"].path == str(tmp_path / "cache")  # type: ignore[attr-defined]
    assert settings.stores["main"].path == str(tmp_path / "~store")


def test_names_of_sections_ignore_letter_case_too(tmp_path: Path) -> None:
    settings = load(tmp_path, "[SERVER]\nNOTE = 'x'\n[Store.Main]\nENGINE = 'memory'\n")
    assert settings.server.note == "x"
    assert list(settings.stores) == ["Main"]
    assert settings.warnings == ()


def test_every_setting_of_the_reference_is_known_and_kept(tmp_path: Path) -> None:
    """What has no effect is kept too: its name, and a value of the right kind."""
    settings = load(tmp_path, (Path(__file__).parent / "reference.toml").read_text())
    assert settings.server.model_extra == settings.kafka.model_extra == settings.email.model_extra == {}
    assert settings.server.min_mutation_id_start == 1000100000
    assert settings.server.web_redirect_path == "/index.html"
    assert settings.email.port == 25
    assert settings.kafka.buffer_size == 1000000
    assert settings.groupcache.gb == 60
    assert settings.others["cache"]["labelmap"].size == 1000  # type: ignore[attr-defined]
    assert set(settings.others["mirror"]) == {
        "all",
        "bc95398cb3ae40fcab2529c7bca1ad0d:99ef22cd85f143f58a623bd22aad0ef7",
    }
    assert not [warning for warning in settings.warnings if "not known" in warning]


def test_no_setting_is_left_out_there() -> None:
    text = (Path(__file__).parent / "reference.toml").read_text()
    known_here = {"maxRequestBytes", "maxThrottledOps", "maxWaiting", "neuroglancer", "workers"}
    ours = known_here | {"adminToken", "fullwrite", "readonly"}
    known = {name for model in (SINGLE | NAMED).values() for name in model.names().values()}
    assert known - ours == {name for name in known if re.search(rf"^ *{name} =", text, re.MULTILINE)}


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", False),
        ("allowLabelmapSplit = true", True),
        ("allowLabelmapSplit = true\nnoLabelmapSplit = true", False),
        ("noLabelmapSplit = false", False),
    ],
)
def test_labelmap_splits_are_allowed_only_where_nothing_forbids(tmp_path: Path, text: str, allowed: bool) -> None:
    assert load(tmp_path, f"[server]\n{text}\n" + MEMORY).server.labelmap_split is allowed


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
