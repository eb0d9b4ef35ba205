from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from servers import TRIES, free_port

from dvidpy.cli.spelling import UsageError, spelled

DVID = Path(sys.executable).parent / "dvid"
TOML = """
[server]
httpAddress = "127.0.0.1:{port}"
rpcAddress = ":8001"
[store.main]
engine = "leveldb"
path = "{folder}/store"
[backend.default]
store = "main"
"""


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("serve x.toml", "serve x.toml"),
        ("-verbose -fullwrite serve x.toml", "serve x.toml --fullwrite --verbose"),
        ("--verbose --readonly=true serve x.toml", "serve x.toml --readonly --verbose"),
        ("-readonly=false serve x.toml", "serve x.toml"),
        ("-numcpu 3 serve x.toml", "serve x.toml --numcpu 3"),
        ("-numcpu=3 serve", "serve --numcpu 3"),
        ("-http localhost:9000 serve x.toml", "serve x.toml --host localhost --port 9000"),
        ("-http :9000 serve x.toml", "serve x.toml --port 9000"),
        ("serve -readonly x.toml -verbose", "serve --readonly x.toml --verbose"),
        ("serve --readonly x.toml --host 127.0.0.1", "serve --readonly x.toml --host 127.0.0.1"),
        ("-stdin node 3f notes put key", "node 3f notes put key"),
        ("-verbose repos new garden", "repos new garden"),
        ("-h", "--help"),
        ("-verbose -help serve x", "--help"),
        ("--version", "--version"),
        ("-florp serve", "-florp serve"),
        ("types", "types"),
        ("", ""),
    ],
)
def test_the_spelling_of_the_reference_in_our_words(words: str, ours: str) -> None:
    assert spelled(words.split()).words == ours.split()


def test_flags_without_effect_leave_a_note() -> None:
    meant = spelled(
        ["-rpc", ":8001", "-monitor", "-cpuprofile=a", "-memprofile", "b", "-sleep", "2", "serve", "x.toml"]
    )
    assert meant.words == ["serve", "x.toml"]
    assert meant.sleep_s == 2
    assert [note.partition(" ")[0] for note in meant.notes] == ["-rpc", "-monitor", "-cpuprofile", "-memprofile"]


def test_the_address_of_other_commands_is_the_server() -> None:
    assert spelled(["-http", "127.0.0.1:9", "repo", "3f", "info"]).server == "127.0.0.1:9"


@pytest.mark.parametrize("words", ["-readonly -fullwrite serve x", "-numcpu", "-sleep soon serve x"])
def test_flags_that_make_no_sense(words: str) -> None:
    with pytest.raises(UsageError):
        spelled(words.split())
    said = subprocess.run([DVID, *words.split()], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 2
    assert said.stderr.startswith("dvidpy: ")
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("words", [[], ["-help"], ["help"], ["--help"], ["-h"]])
def test_help_is_no_error(words: list[str]) -> None:
    said = subprocess.run([DVID, *words], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0
    assert "serve" in said.stdout
    assert said.stdout.strip().startswith("Usage: dvid ")


def _started(folder: Path) -> tuple[subprocess.Popen[bytes], str, float]:
    """As other people's tests start the reference: by its name on PATH. Process, address, seconds to the answer."""
    for _ in range(TRIES):
        port = free_port()
        config = folder / "x.toml"
        config.write_text(TOML.format(port=port, folder=folder))
        environment = os.environ | {"PATH": f"{DVID.parent}:{os.environ['PATH']}"}
        started = time.monotonic()
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["dvid", "-verbose", "-fullwrite", "serve", str(config)], env=environment, stdout=log, stderr=log
            )
        while process.poll() is None and time.monotonic() < started + 60:
            try:
                requests.get(f"http://127.0.0.1:{port}/api/help", timeout=60)
            except requests.ConnectionError:
                time.sleep(0.01)
            else:
                return process, f"http://127.0.0.1:{port}/api", time.monotonic() - started
        process.kill()
        process.wait()
    raise RuntimeError("the server does not start")


def test_a_server_is_started_as_the_reference_is(tmp_path: Path) -> None:
    process, api, _ = _started(tmp_path)
    try:
        root = requests.post(f"{api}/repos", json={}, timeout=10).json()["root"]
        assert requests.get(f"{api}/server/info", timeout=10).json()["Mode"] == "allow writes on committed nodes"
        asked = subprocess.run(
            [DVID, "-http", api.split("/")[2], "repo", root, "new", "keyvalue", "notes"],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert "notes" in asked.stdout
        over = subprocess.run(
            [DVID, "shutdown", "--server", api.split("/")[2]], capture_output=True, text=True, timeout=60, check=True
        )
        assert over.stdout == "The server is ending.\n"
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
