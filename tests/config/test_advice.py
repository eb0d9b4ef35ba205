from __future__ import annotations

from pathlib import Path

import pytest

from dvidpy.config import Settings, load_settings

MEMORY = '[store.main]\nengine = "memory"\n'


def load(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text + MEMORY)
    return load_settings(path)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("[server]\nhttpAdress = ':9'\n", "server.httpAdress is not known; did you mean httpAddress?"),
        ("[server]\nHTTPADDRES = ':9'\n", "server.HTTPADDRES is not known; did you mean httpAddress?"),
        ("[server]\nreadonyl = true\n", "server.readonyl is not known; did you mean readonly?"),
        ("[server]\nxyzzy = 1\n", "server.xyzzy is not known"),
        ("[muttions]\n", "the section [muttions] is not known; did you mean [mutations]?"),
        ("[quux]\n", "the section [quux] is not known"),
        ("[logging]\nlogfiles = 'x'\n", "logging.logfiles is not known; did you mean logfile?"),
        ("[backend.default]\nstore = 'main'\nlogs = 'x'\n", "backend.default.logs is not known; did you mean log?"),
    ],
)
def test_what_is_not_known_is_named_with_what_may_be_meant(tmp_path: Path, text: str, warning: str) -> None:
    assert load(tmp_path, text).warnings == (warning,)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("[server]\nrpcaddress = ':8001'\n", "server.rpcAddress has no effect yet"),
        ("[mutations]\nhttpstore = 'kafka:x'\n", "mutations.httpstore has no effect yet"),
        ("[auth]\ndsg_address = 'https://x'\n", "auth.dsg_address has no effect yet"),
        ("[kafka]\nservers = []\n", "[kafka] has no effect yet"),
        ("[email]\n", "[email] has no effect yet"),
        ("[groupcache]\ngb = 1\n", "[groupcache] has no effect yet"),
        ("[cache.labelmap]\nsize = 1\n", "[cache.labelmap] has no effect yet"),
        ("[mutcache.segmentation]\npath = 'x'\n", "[mutcache.segmentation] has no effect yet"),
        ("[mirror.all]\nservers = []\n", "[mirror.all] has no effect yet"),
        ("[store.x]\nengine = 'filelog'\npath = 'x'\ninmemory = [':main']\n", "store.x.inmemory has no effect yet"),
    ],
)
def test_what_has_no_effect_yet_is_named_once(tmp_path: Path, text: str, warning: str) -> None:
    assert load(tmp_path, text).warnings == (warning,)


def test_a_web_client_that_is_not_there_is_no_reason_not_to_serve(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, "[server]\nwebClient = 'absent'\n").warnings
    assert warning == f"server.webClient names {tmp_path / 'absent'}, which is no folder: no web client is served"


def test_of_two_that_contradict_the_one_that_counts_is_named(tmp_path: Path) -> None:
    text = "[server]\nallowLabelmapSplit = true\nnoLabelmapSplit = true\n"
    assert load(tmp_path, text).warnings == ("server.noLabelmapSplit goes before server.allowLabelmapSplit",)


def test_what_is_right_is_not_commented_on(tmp_path: Path) -> None:
    assert load(tmp_path, "[server]\nnote = 'x'\n[logging]\nlogfile = 'x'\n").warnings == ()
