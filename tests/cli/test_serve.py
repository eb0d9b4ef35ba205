"""A whole server in a process of its own, as a configuration describes it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from servers import free_port

REFERENCE = Path(__file__).parents[1] / "config" / "reference.toml"
MEMORY = '[store.main]\nengine = "memory"\n'


class Running:
    """`dvidpy serve CONFIG`, answering."""

    def __init__(self, folder: Path, text: str, *options: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        config = folder / "dvid.toml"
        config.write_text(text)
        self.errors = folder / "stderr"
        arguments = ["serve", str(config), "--host", "127.0.0.1", "--port", str(port), *options]
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen([sys.executable, "-m", "dvidpy", *arguments], stderr=errors)
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self.process.poll() is None, self.errors.read_text()
            try:
                requests.get(f"{self.url}/healthz", timeout=60)
            except requests.ConnectionError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("the server does not answer")

    def end(self) -> float:
        """SIGTERM; the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return time.monotonic() - started

    def post(self, path: str, data: Any = b"") -> requests.Response:
        answer = requests.post(self.url + path, data if isinstance(data, bytes) else json.dumps(data), timeout=30)
        assert answer.status_code == 200, answer.text
        return answer

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.errors.read_text().splitlines() if line.startswith("{")]


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as started:

        def begin(text: str, *options: str) -> Running:
            server = Running(tmp_path, text, *options)
            started.callback(server.end)
            return server

        yield begin


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


# ---------------------------------------------------------------------- configurations of the reference
def test_a_configuration_of_the_reference_is_served_whole(start: Start, tmp_path: Path) -> None:
    """All sections. What has effect is seen; what has none is said once."""
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "index.html").write_text("console")
    (tmp_path / "blocklist.txt").write_text("u=pest,please stop\n")
    server = start(REFERENCE.read_text())
    root = server.post("/api/repos", {"alias": "brain"}).json()["root"]
    for name, typename, tags in (("notes", "keyvalue", ""), ("gray", "uint8blk", ""), ("m", "keyvalue", "type=meshes")):
        server.post(f"/api/repo/{root}/instance", {"typename": typename, "dataname": name, "Tags": tags})
    server.post(f"/api/node/{root}/notes/key/a", b"1")
    reference = server.post(f"/api/node/{root}/notes/blobstore", b"a blob").json()["reference"]
    for path in (f"/api/server/blobstore/{reference}", f"/api/node/{root}/m/blobstore/{reference}"):
        assert requests.get(server.url + path, timeout=9).content == b"a blob"
    assert requests.get(f"{server.url}/absent", timeout=9).text == "console"
    assert requests.get(f"{server.url}/api/server/info?u=pest", timeout=9).status_code == 429
    assert requests.get(f"{server.url}/api/server/note", timeout=9).text == "Two lines\nof a note.\n"
    assert (tmp_path / "dvid.pid").read_text() == f"{server.process.pid}\n"
    shown = requests.get(f"{server.url}/api/server/config", timeout=9).text
    assert "pepper" not in shown
    assert "/hook" not in shown
    log = [json.loads(line)["event"] for line in (tmp_path / "dvid.log").read_text().splitlines()]
    for said in ("[email]", "[mirror.all]", "mutations.httpstore", "server.rpcAddress"):
        assert log.count(f"{said} has no effect yet") == 1
    storage = requests.get(f"{server.url}/api/storage", timeout=9).json()
    where = {i["Name"]: (int(n), store) for store, s in storage.items() for n, i in s["Instances"].items()}
    assert where == {"notes": (100, "raid6"), "gray": (101, "ssd"), "m": (102, "old")}
    assert [path.read_bytes() for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == [b"a blob"]
    server.end()
    assert not (tmp_path / "dvid.pid").exists()
    again = start(REFERENCE.read_text())
    assert requests.get(f"{again.url}/api/node/{root}/notes/key/a", timeout=9).content == b"1"
    assert requests.get(f"{again.url}/api/server/blobstore/{reference}", timeout=9).content == b"a blob"


def test_the_configuration_of_the_clients_own_tests_starts(start: Start, tmp_path: Path) -> None:
    """An empty folder that was made beforehand, a web client that is not there, a log in a file."""
    (tmp_path / "datastore").mkdir()
    server = start(
        f"""
        [server]
        httpAddress = ":8000"
        rpcAddress = ":8001"
        webClient = "{tmp_path}/http/dvid-web-console"

        [logging]
        logfile = "{tmp_path}/dvid.log"
        max_log_size = 500 # MB
        max_log_age = 30   # days

        [mutations]
        jsonstore = "mutationlog"
        blobstore = "mutable"

        [backend]
            [backend.default]
            store = "mutable"
            log = "mutationlog"

        [store]
            [store.mutable]
            engine = "basholeveldb"
            path = "{tmp_path}/datastore"

            [store.mutationlog]
            engine = "filelog"
            path = "{tmp_path}/mutationlog"
        """,
        "--fullwrite",
    )
    root = server.post("/api/repos", {"alias": "test"}).json()["root"]
    server.post(f"/api/repo/{root}/instance", {"typename": "keyvalue", "dataname": "notes"})
    server.post(f"/api/node/{root}/commit", {"note": "done"})
    server.post(f"/api/node/{root}/notes/key/a", b"written all the same")
    assert len(list((tmp_path / "mutationlog" / "mutable").glob("*.jsonl"))) == 1
    assert server.end() < 10


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[auth]\nenforce = "token"\n' + MEMORY, "auth.enforce asks for protection that is not built yet"),
        ('[logging]\nlogfile = "absent/../dvid.toml/x"\n' + MEMORY, "logging.logfile cannot be written"),
        ('[server]\npidFile = "absent/pid"\n' + MEMORY, "server.pidFile cannot be written"),
        ('[store.main]\nengine = "badger"\npath = "."\n', "files of another program"),
    ],
)
def test_what_cannot_be_served_ends_with_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    config = tmp_path / "dvid.toml"
    config.write_text(text)
    command = [sys.executable, "-m", "dvidpy", "serve", str(config), "--host", "127.0.0.1", "--port", str(free_port())]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    assert complaint in said.stderr
    assert "Traceback" not in said.stderr


# ---------------------------------------------------------------------- the end
@pytest.mark.parametrize("delay", ["shutdownDelay = 0", "shutdownDelay = 30", ""])
def test_an_idle_server_ends_within_a_second(start: Start, delay: str) -> None:
    server = start(f"[server]\n{delay}\npidFile = 'pid'\n" + MEMORY)
    with requests.Session() as kept:  # a connection that is kept, and idle
        kept.get(f"{server.url}/api/server/info", timeout=9)
        seconds = server.end()
    assert seconds < 3  # the machine may be busy
    assert server.process.returncode in (0, -signal.SIGTERM)
    assert not (server.errors.parent / "pid").exists()


def test_a_busy_server_ends_when_its_time_is_over(start: Start) -> None:
    server = start("[server]\nshutdownDelay = 1\n" + MEMORY)
    root = server.post("/api/repos", {"alias": "x"}).json()["root"]
    server.post(f"/api/repo/{root}/instance", {"typename": "keyvalue", "dataname": "notes"})
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as line:
        head = f"POST /api/node/{root}/notes/key/a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nbegun"
        line.sendall(head.encode())
        time.sleep(0.3)
        assert 0.9 < server.end() < 8


def test_the_pid_file_of_a_server_started_since_stays(start: Start, tmp_path: Path) -> None:
    server = start("[server]\npidFile = 'pid'\n" + MEMORY)
    assert (tmp_path / "pid").read_text() == f"{server.process.pid}\n"
    (tmp_path / "pid").write_text("1\n")
    server.end()
    assert (tmp_path / "pid").read_text() == "1\n"


def test_a_server_that_cannot_listen_leaves_the_pid_file_of_the_one_that_does(start: Start, tmp_path: Path) -> None:
    server = start("[server]\npidFile = 'pid'\n" + MEMORY)
    command = [sys.executable, "-m", "dvidpy", "serve", str(tmp_path / "dvid.toml"), "--host", "127.0.0.1"]
    port = server.url.rpartition(":")[2]
    assert subprocess.run([*command, "--port", port], capture_output=True, timeout=60, check=False).returncode != 0
    assert (tmp_path / "pid").read_text() == f"{server.process.pid}\n"


# ---------------------------------------------------------------------- web hooks
class Hook:
    """A server that is told of starts."""

    def __init__(self, status: int, seconds: float) -> None:
        self.heard: list[tuple[str, str, str]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                hook.heard.append((self.path, self.headers["content-type"], body))
                time.sleep(seconds)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def listening(status: int = 200, seconds: float = 0) -> Iterator[Hook]:
    hook = Hook(status, seconds)
    thread = threading.Thread(target=hook.server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        hook.server.shutdown()
        thread.join()
        hook.server.server_close()


def hooked(url: str) -> str:
    return (
        f'[server]\nhost = "brain"\nnote = "a note"\nrpcAddress = ":8001"\nstartWebhook = "{url}/start?token=pepper"\n'
        f'startJaneliaConfig = "{url}/config"\n{MEMORY}'
    )


def test_the_start_is_told_as_the_reference_tells_it(start: Start) -> None:
    with listening() as hook:
        server = start(hooked(hook.url))
        until(lambda: len(hook.heard) == 2)
    address = server.url.removeprefix("http://")
    expected = {"Host": "brain", "Note": "a note", "HTTP Address": address, "RPC Address": ":8001"}
    told = {path: (kind, body) for path, kind, body in hook.heard}
    assert told["/start?token=pepper"][0] == "application/json"
    assert json.loads(told["/start?token=pepper"][1]) == expected
    assert told["/config"][0] == "application/x-www-form-urlencoded"
    assert json.loads(parse_qs(told["/config"][1])["config"][0]) == expected
    server.end()
    assert not [line for line in server.log() if "told" in line["event"]]


def test_whoever_does_not_like_it_is_named_in_the_log(start: Start) -> None:
    with listening(500) as hook:
        server = start(hooked(hook.url))
        until(lambda: sum("did not like it" in line["event"] for line in server.log()) == 2)
    assert {line["status"] for line in server.log() if "setting" in line} == {500}
    assert "pepper" not in server.errors.read_text()


def test_nobody_there_is_no_reason_not_to_serve(start: Start) -> None:
    server = start(hooked(f"http://127.0.0.1:{free_port()}"))
    until(lambda: sum("nobody could be told" in line["event"] for line in server.log()) == 2)
    assert requests.get(f"{server.url}/api/server/note", timeout=9).text == "a note"


def test_a_slow_one_delays_neither_start_nor_end(start: Start) -> None:
    with listening(seconds=6) as hook:
        server = start(hooked(hook.url))
        until(lambda: len(hook.heard) == 2)
        assert requests.get(f"{server.url}/api/server/note", timeout=5).text == "a note"
        assert server.end() < 6


# ---------------------------------------------------------------------- the block list
def test_the_block_list_is_read_again_from_beside_the_configuration(start: Start, tmp_path: Path) -> None:
    (tmp_path / "blocked.txt").write_text("")
    server = start("[server]\nblockListFile = 'blocked.txt'\n" + MEMORY)
    asked = f"{server.url}/api/server/info?u=pest"
    assert requests.get(asked, timeout=9).status_code == 200
    (tmp_path / "blocked.txt").write_text("u=pest,stop\n")
    server.post("/api/server/reload-blocklist")
    assert requests.get(asked, timeout=9).status_code == 429
