"""The sockets of a server before it serves."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from servers import free_port

from dvidpy.cli.sockets import listening_sockets
from dvidpy.errors import StoreError

BEFORE_ANYTHING = """
import socket, sys
import dvidpy.app
from dvidpy.cli.serve import run
from dvidpy.config import ServerSettings, Settings, StoreSettings

def build_app(*_, **__):
    socket.create_connection(("127.0.0.1", {port})).close()
    sys.exit("somebody came")

dvidpy.app.build_app = build_app
memory = StoreSettings(engine="memory")
run(Settings(server=ServerSettings(http_address="127.0.0.1:{port}"), stores={{"main": memory}}))
"""


def accepts(opened: ExitStack, host: str, port: int) -> bool:
    """Whether a connection to it waits to be served."""
    try:
        opened.enter_context(socket.create_connection((host, port), timeout=10))
    except ConnectionRefusedError:
        return False
    return True


def test_who_comes_before_a_store_is_open_is_not_refused() -> None:
    command = [sys.executable, "-c", BEFORE_ANYTHING.format(port=free_port())]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.stderr.splitlines()[-1] == "somebody came"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_a_host_is_listened_to_at_all_its_addresses(host: str) -> None:
    port = free_port()
    with ExitStack() as opened:
        families = [opened.enter_context(made).family for made in listening_sockets(host, port)]
        assert len(families) == len(set(families))
        assert socket.AF_INET in families
        assert accepts(opened, "127.0.0.1", port)
        if socket.AF_INET6 in families:
            assert accepts(opened, "::1", port)


def test_an_address_that_the_machine_has_not_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as those of IPv6 where it is switched off, as in many containers."""
    port = free_port()
    elsewhere, here = ((socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("192.0.2.1", "127.0.0.1"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [elsewhere, here])
    with ExitStack() as opened:
        (made,) = (opened.enter_context(one) for one in listening_sockets("both", port))
        assert made.getsockname() == ("127.0.0.1", port)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [elsewhere])
    with pytest.raises(StoreError, match=rf"cannot listen on elsewhere:{port}: "):
        listening_sockets("elsewhere", port)


def test_a_port_that_is_taken_at_one_address_is_left_at_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, free = taken.getsockname()[1], free_port()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", one)) for one in (free, port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with pytest.raises(StoreError, match=rf"cannot listen on \*:{port}: Address already in use"):
            listening_sockets("", port)
        monkeypatch.undo()
        with ExitStack() as opened:
            assert not accepts(opened, "127.0.0.1", free)


def test_a_host_that_is_none() -> None:
    with pytest.raises(StoreError, match=r"cannot listen on no such host:8000: "):
        listening_sockets("no such host", 8000)


def test_a_server_whose_port_is_taken_ends_with_one_line_and_opens_no_store(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = ["--host", "127.0.0.1", "--port", str(taken.getsockname()[1]), "--data", str(tmp_path / "data")]
        command = [sys.executable, "-m", "dvidpy", "serve", *place]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    (line,) = said.stderr.splitlines()
    assert line.startswith(f"dvidpy: cannot listen on 127.0.0.1:{place[3]}: Address already in use")
    assert not (tmp_path / "data").exists()


def test_little_is_loaded_before_it_listens(tmp_path: Path) -> None:
    """neuclease's tests connect a second after the start, on machines that do much else."""
    words = ("serve", "--host", "127.0.0.1", "--port", "0", "--data", str(tmp_path))
    program = f"""
import sys
from dvidpy.cli import sockets
from dvidpy.__main__ import main

def listening(host, port):
    print(*{{name.partition(".")[0] for name in sys.modules}})
    raise SystemExit(0)

sockets.listening_sockets = listening
sys.argv = ["dvidpy", *{words!r}]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"DVIDPY_NO_TUNING": "1"},
    )
    loaded = {*done.stdout.split()}
    assert "dvidpy" in loaded
    assert not loaded & {"numpy", "numba", "plyvel", "fastapi", "uvicorn", "httpx", "structlog"}
