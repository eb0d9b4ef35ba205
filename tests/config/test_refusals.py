from __future__ import annotations

from pathlib import Path

import pytest

from dvidpy.config import ConfigError, Settings, load_settings

MEMORY = '[store.main]\nengine = "memory"\n'
LOG = '[store.log]\nengine = "filelog"\npath = "log"\n'
BLOBS = '[store.blobs]\nengine = "filestore"\npath = "blobs"\n'
OTHER = '[store.other]\nengine = "memory"\n'


def load(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text)
    return load_settings(path)


# ---------------------------------------------------------------------- what protects
@pytest.mark.parametrize("mode", ["token", "authfile", "dsg", "DSG", "unheard-of"])
@pytest.mark.parametrize("setting", ["enforce", "Enforce", "enforce_internal"])
def test_no_server_is_open_that_was_configured_closed(tmp_path: Path, setting: str, mode: str) -> None:
    with pytest.raises(ConfigError, match=f"auth.{setting.lower()} asks for protection that is not built yet"):
        load(tmp_path, f'{MEMORY}[auth]\n{setting} = "{mode}"\n')


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ('public_versions = ["abc"]', "public_versions"),
        ('proxy_address = "http://auth.example.org"', "proxy_address"),
        ('no_enforce = true\nproxy_address = "http://auth.example.org"', "proxy_address"),
        ('enforce = "none"\nenforce_internal = "token"', "enforce_internal"),
        ('enfroce = "token"', "enfroce"),
    ],
)
def test_nor_in_any_other_way(tmp_path: Path, text: str, setting: str) -> None:
    with pytest.raises(ConfigError, match=f"auth.{setting} asks for protection"):
        load(tmp_path, f"{MEMORY}[auth]\n{text}\n")


@pytest.mark.parametrize("text", ["enforce = 5", "public_versions = 'abc'", "no_enforce = 'perhaps'"])
def test_what_cannot_be_understood_of_it_is_refused_too(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"config.toml: auth\."):
        load(tmp_path, f"{MEMORY}[auth]\n{text}\n")


@pytest.mark.parametrize("section", ["[atuh]", "[Auht]", "[auths]"])
def test_a_misspelt_section_that_may_protect_is_refused(tmp_path: Path, section: str) -> None:
    with pytest.raises(ConfigError, match=r"did you mean \[auth\]"):
        load(tmp_path, f"{MEMORY}{section}\nenforce = 'token'\n")


@pytest.mark.parametrize(
    "text", ["", "enforce = 'none'", "enforce = 'None'\nenforce_internal = 'none'", "public_versions = []"]
)
def test_what_protects_nothing_is_served(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, f"{MEMORY}[auth]\n{text}\n").warnings == ()


def test_a_store_that_must_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"store\.main\.ReadOnly is not built yet"):
        load(tmp_path, '[store.main]\nengine = "badger"\npath = "x"\nReadOnly = true\n')


# ---------------------------------------------------------------------- stores
@pytest.mark.parametrize("engine", ["ngprecomputed", "gbucket", "swift", "kvautobus", "bigtable"])
def test_engines_that_are_not_built_are_refused_by_name(tmp_path: Path, engine: str) -> None:
    with pytest.raises(ConfigError, match=f"store.far: the engine '{engine}' is not built yet"):
        load(tmp_path, f'{MEMORY}[store.far]\nengine = "{engine}"\nref = "bucket"\n')


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[store.main]\nengine = "florp"\n', "unknown store engine 'florp'"),
        ('[store.main]\nengine = "leveldb"\n', "store.main: a leveldb store needs a path"),
        (MEMORY + '[store.log]\nengine = "filelog"\n', "store.log: a filelog store needs a path"),
        (LOG + BLOBS, "no .store.NAME. with a key-value engine"),
        (MEMORY + OTHER, "several stores, so backend.default must name one"),
        (MEMORY + OTHER + '[backend.metadata]\nstore = "main"\n', "backend.default must name one"),
        (MEMORY + '[backend.default]\nstore = "gone"\n', "backend.default names the store 'gone'"),
        (MEMORY + '[backend.keyvalue]\nstore = "gone"\n', "backend.keyvalue names the store 'gone'"),
        (MEMORY + LOG + '[backend.keyvalue]\nstore = "log"\n', "backend.keyvalue names .*'log', whose engine"),
        (MEMORY + BLOBS + '[backend.keyvalue]\nstore = "blobs"\n', "whose engine is not one of leveldb"),
        (MEMORY + '[backend.default]\nstore = "main"\nlog = "gone"\n', "backend.default.log names .*'gone'"),
        (MEMORY + '[backend.default]\nstore = "main"\nlog = "main"\n', "whose engine is not one of filelog"),
        (MEMORY + '[mutations]\njsonstore = "main"\n', "mutations.jsonstore .* not one of filelog"),
        (MEMORY + '[mutations]\nblobstore = "gone"\n', "mutations.blobstore names the store 'gone'"),
        (MEMORY + LOG + '[mutations]\nblobstore = "log"\n', "mutations.blobstore .* filestore"),
        (MEMORY + '[backend.default]\nlog = "log"\n', "backend.default.store: Field required"),
    ],
)
def test_stores_that_cannot_be(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(tmp_path, text)


def test_a_single_store_is_the_default(tmp_path: Path) -> None:
    assert load(tmp_path, MEMORY + LOG + BLOBS).default_store() == "main"
