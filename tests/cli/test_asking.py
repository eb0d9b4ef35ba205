"""Commands that ask a running server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from served import TOKEN, Serve, Served
from servers import free_port
from typer.testing import CliRunner

from dvidpy.cli import client
from dvidpy.cli.client import Client, CommandError
from dvidpy.cli.commands import app
from dvidpy.config import default_settings
from dvidpy.versioning.datastore import Datastore


class Terminal:
    """Runs commands against a server, as an admin."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.environment = {"DVIDPY_SERVER": f"127.0.0.1:{served.port}", "DVID_ADMIN_TOKEN": TOKEN}

    def run(self, *words: str, stdin: bytes = b"", status: int = 0) -> Any:
        said = CliRunner().invoke(app, list(words), input=stdin, env=self.environment)
        assert said.exit_code == status, said.output
        return said

    def say(self, *words: str, stdin: bytes = b"") -> str:
        return str(self.run(*words, stdin=stdin).stdout).strip()

    def refused(self, *words: str, stdin: bytes = b"") -> str:
        said: Result = self.run(*words, stdin=stdin, status=1)
        assert said.stderr.startswith("dvidpy: ")
        assert len(said.stderr.splitlines()) == 1
        return said.stderr

    def instances(self, root: str) -> list[str]:
        return sorted(self.served.http.get(f"/api/repo/{root}/info").json()["DataInstances"])


@pytest.fixture
def terminal(served: Served) -> Terminal:
    return Terminal(served)


# ---------------------------------------------------------------------- repos
@pytest.mark.parametrize(
    ("words", "alias", "description"),
    [
        ([], "", ""),
        (["garden"], "garden", ""),
        (["garden", "many plants"], "garden", "many plants"),
        (["garden", "passcode=thorn"], "garden", ""),
        (["uuid=" + "3" * 32, "garden", "plants"], "garden", "plants"),
        (["a=b", "c=d"], "a=b", "c=d"),
    ],
)
def test_a_repo_is_made(terminal: Terminal, words: list[str], alias: str, description: str) -> None:
    root = terminal.say("repos", "new", *words)
    info = json.loads(terminal.say("repo", root, "info"))
    assert (info["Root"], info["Alias"], info["Description"]) == (root, alias, description)
    if any(word.startswith("uuid=") for word in words):
        assert root == "3" * 32


def test_a_repo_with_options_is_deleted(terminal: Terminal) -> None:
    root = terminal.say("repos", "new", "--uuid", "4" * 32, "--passcode", "thorn", "garden")
    assert root == "4" * 32
    assert "passcode" in terminal.refused("repos", "delete", root)
    assert "passcode" in terminal.refused("repos", "delete", root, "rose")
    assert terminal.say("repos", "delete", root, "thorn").endswith(f"Started deletion of repo {root}.")
    assert "Could not find UUID" in terminal.refused("repos", "delete", root, "thorn", "--imsure")


def test_a_person_is_asked_before_a_deletion(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    root = terminal.say("repos", "new", "garden")
    terminal.say("repo", root, "new", "keyvalue", "notes")
    monkeypatch.setattr(sys.modules["dvidpy.cli.repos"], "person_is_there", lambda: True)
    for words in (("repos", "delete", root), ("repo", root, "delete", "notes")):
        assert "cannot be undone" in terminal.run(*words, stdin=b"n\n", status=1).output
    assert terminal.instances(root) == ["notes"]
    terminal.run("repo", root, "delete", "notes", stdin=b"y\n")
    terminal.run("repos", "delete", root, "--imsure")


# ---------------------------------------------------------------------- one repo
def test_instances_come_and_go(terminal: Terminal) -> None:
    root = terminal.say("repos", "new")
    terminal.say("repo", root, "new", "uint8blk", "gray", "BlockSize=16,16,16", "VoxelSize=8,8,40")
    info = terminal.served.http.get(f"/api/node/{root}/gray/info").json()
    assert (info["Extended"]["BlockSize"], info["Extended"]["VoxelSize"]) == ([16] * 3, [8, 8, 40])
    terminal.say("repo", root[:8], "rename", "gray", "raw")
    assert terminal.instances(root) == ["raw"]
    terminal.say("repo", root, "new", "keyvalue", "notes")
    data = terminal.served.http.get(f"/api/node/{root}/notes/info").json()["Base"]["DataUUID"]
    terminal.say("repo", root, "delete", data)
    assert terminal.instances(root) == ["raw"]
    terminal.say("repo", root, "delete", "raw")
    assert terminal.instances(root) == []
    assert "no data instance" in terminal.refused("repo", root, "delete", "raw")
    assert "not key=value" in terminal.refused("repo", root, "new", "keyvalue", "notes", "versioned")
    assert "florp" in terminal.refused("repo", root, "new", "florp", "notes")


def test_versions_are_made(terminal: Terminal) -> None:
    root = terminal.say("repos", "new")
    assert "not committed" in terminal.refused("repo", root, "newversion")
    terminal.served.commit(root)
    next_one = terminal.say("repo", root, "newversion", "--note", "next")
    side = terminal.say("repo", root, "branch", "side", "5" * 32)
    assert side == "5" * 32
    for uuid in (next_one, side):
        terminal.served.commit(uuid)
    merged = terminal.say("repo", next_one, "merge", side, "--note", "both")
    nodes = terminal.served.http.get(f"/api/repo/{root}/info").json()["DAG"]["Nodes"]
    assert nodes[next_one]["Note"] == "done"
    assert nodes[side]["Branch"] == "side"
    assert len(nodes[merged]["Parents"]) == 2


# ---------------------------------------------------------------------- keys
def test_a_value_is_put_from_standard_input(terminal: Terminal) -> None:
    root = terminal.say("repos", "new")
    terminal.say("repo", root, "new", "keyvalue", "notes")
    for key, value in (("a", b"spring"), ("b/c d?", b"\x00\xff"), ("large", bytes(3 << 20))):
        terminal.say("node", root, "notes", "put", key, stdin=value)
        path = f"/api/node/{root}/notes/key/{key.replace('/', '%2F').replace(' ', '%20').replace('?', '%3F')}"
        assert terminal.served.http.get(path).content == value
    assert "one KEY" in terminal.refused("node", root, "notes", "put", "a", "b", stdin=b"x")


def test_a_committed_version_is_written_with_force_alone(terminal: Terminal) -> None:
    root = terminal.say("repos", "new")
    terminal.say("repo", root, "new", "keyvalue", "notes")
    terminal.served.commit(root)
    assert "locked node" in terminal.refused("node", root, "notes", "put", "a", stdin=b"1")
    terminal.say("node", root, "notes", "put", "a", "--force", stdin=b"1")
    assert terminal.served.http.get(f"/api/node/{root}/notes/key/a").content == b"1"


# ---------------------------------------------------------------------- the server
def test_the_server_is_ended(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[bool] = []
    monkeypatch.setattr(terminal.served.server, "stop", lambda: stopped.append(True))
    assert terminal.say("shutdown") == "The server is ending."
    terminal.environment["DVID_ADMIN_TOKEN"] = "wrong"
    assert "404" in terminal.refused("shutdown")
    assert stopped == [True]


def test_nobody_answers() -> None:
    said = CliRunner().invoke(app, ["repos", "new", "--server", f"127.0.0.1:{free_port()}"])
    assert said.exit_code == 1
    assert said.stderr.startswith("dvidpy: no server answers at 127.0.0.1:")


@pytest.mark.parametrize("address", ["host:port", "127.0.0.1:99999", "[::1"])
def test_addresses_that_are_none(address: str) -> None:
    said = CliRunner().invoke(app, ["shutdown", "--server", address])
    assert said.exit_code == 1
    assert said.stderr == f"dvidpy: {address!r} is not host:port\n"


def test_a_server_of_another_kind_is_told_in_one_line(served: Served) -> None:
    with pytest.raises(CommandError, match="is no JSON"):
        Client(f"http://127.0.0.1:{served.port}/").json("GET", "/api/help")


def test_a_busy_server_is_asked_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve()
    said: list[int] = []

    def free_again(seconds: float) -> None:
        said.append(served.server.throttle_limit)
        served.server.throttle_limit = 1

    monkeypatch.setattr(time, "sleep", free_again)
    root = served.repo()
    kv = served.instance(root)
    served.server.throttle_limit = 0
    asked = Client(f"127.0.0.1:{served.port}").ask("GET", f"{kv}/mutations", query={"throttle": "true"})
    assert (asked, said) == (b"[]", [0])
    served.server.throttle_limit = 0
    monkeypatch.setattr(client, "PATIENCE_S", -1.0)
    with pytest.raises(CommandError, match="throttled"):
        Client(f"127.0.0.1:{served.port}").ask("GET", f"{kv}/mutations", query={"throttle": "true"})


# ---------------------------------------------------------------------- without a server
def test_about_and_help() -> None:
    runner = CliRunner()
    assert "leveldb" in runner.invoke(app, ["about"]).stdout
    assert runner.invoke(app, ["help", "keyvalue"]).stdout.startswith("API for")
    assert "imsure" in runner.invoke(app, ["repos", "delete", "--help"]).stdout
    assert "--sweep" in runner.invoke(app, ["help", "check"]).stdout
    assert "delete" in runner.invoke(app, ["help", "repos"]).stdout
    assert "serve" in runner.invoke(app, ["help"]).stdout
    wrong = runner.invoke(app, ["help", "florp"])
    assert (wrong.exit_code, "florp" in wrong.stderr) == (1, True)


def test_repair_says_what_to_do() -> None:
    said = CliRunner().invoke(app, ["repair", "basholeveldb", "folder"])
    assert said.exit_code == 1
    assert "dvidpy check" in said.stderr


@pytest.mark.parametrize("words", [["florp"], ["repo", "3f"], ["repos", "delete"], ["node", "3f", "gray", "load"]])
def test_wrong_usage_is_status_2(words: list[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "dvidpy", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 2
    assert "Traceback" not in said.stderr


def test_logs_are_rewritten_by_check(tmp_path: Path) -> None:
    with closing(Datastore(default_settings(tmp_path / "new"))):
        pass
    said = CliRunner().invoke(app, ["check", "--repair", "--data", str(tmp_path / "new")])
    assert (said.exit_code, said.stdout.splitlines()[0]) == (0, "0 mutation logs rewritten")
