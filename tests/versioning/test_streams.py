"""Large values pass through a server in bounded memory, and clients may vanish on the way."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import requests
from servers import ServerProcess

from dvidpy.versioning.check import check_datastore, sweep_orphans
from dvidpy.versioning.datastore import Datastore

MiB = 1 << 20
BUFFERS = 40 * MiB
"""What requests may take beside the store's own buffers, whatever the size of the value."""
STORE = 3 * 64 * MiB
"""LevelDB's write buffers: one that fills, one that is being written, and the record that comes next."""
Chunk = Callable[[int], bytes]


def _zeroes(_: int) -> bytes:
    return bytes(MiB)


def _noise(number: int) -> bytes:
    noise = _NOISE[number % 16 :] + _NOISE[: number % 16]
    return number.to_bytes(8, "big") + noise[8:]


_NOISE = os.urandom(MiB)


def _chunks(chunk: Chunk, size: int) -> Iterator[bytes]:
    return (chunk(number) for number in range(size // MiB))


def _digest(pieces: Iterator[bytes]) -> str:
    digest = hashlib.blake2b()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


@pytest.fixture
def notes(server_process: ServerProcess, session: requests.Session) -> str:
    """Address of a keyvalue instance."""
    root = session.post(f"{server_process.url}/api/repos", timeout=10).json()["root"]
    settings = {"typename": "keyvalue", "dataname": "notes"}
    session.post(f"{server_process.url}/api/repo/{root}/instance", json=settings, timeout=10).raise_for_status()
    address = f"{server_process.url}/api/node/{root}/notes"
    session.post(f"{address}/key/small", data=b"warm", timeout=10).raise_for_status()
    return address


def _there_and_back(server: ServerProcess, session: requests.Session, notes: str, chunk: Chunk, size: int) -> int:
    """Bytes of memory that the server took for it."""
    expected = _digest(_chunks(chunk, size))
    with server.watched() as seen:
        session.post(f"{notes}/key/big", data=_chunks(chunk, size), timeout=600).raise_for_status()
        with session.get(f"{notes}/key/big", stream=True, timeout=600) as answer:
            assert answer.headers["Content-Length"] == str(size)
            assert _digest(answer.iter_content(MiB)) == expected
        span = {"Range": f"bytes={size - 5}-{size - 1}"}
        assert session.get(f"{notes}/key/big", headers=span, timeout=60).content == chunk(size // MiB - 1)[-5:]
    print(f"{size // MiB} MiB took {(max(seen) - seen[0]) // MiB} MiB")
    return max(seen) - seen[0]


def test_64_megabytes_stream_through(server_process: ServerProcess, session: requests.Session, notes: str) -> None:
    """They pack well, so what is measured is what the requests take."""
    assert _there_and_back(server_process, session, notes, _zeroes, 64 * MiB) < BUFFERS


def test_noise_comes_back_as_it_was(server_process: ServerProcess, session: requests.Session, notes: str) -> None:
    assert _there_and_back(server_process, session, notes, _noise, 32 * MiB) < BUFFERS + 2 * 32 * MiB


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("chunk", "bound"), [(_zeroes, BUFFERS), (_noise, BUFFERS + STORE)])
def test_a_gigabyte_streams_through(
    server_process: ServerProcess, session: requests.Session, notes: str, chunk: Chunk, bound: int
) -> None:
    assert _there_and_back(server_process, session, notes, chunk, 1024 * MiB) < bound


# ---------------------------------------------------------------------- clients that vanish
def _half_a_post(notes: str, key: str) -> socket.socket:
    """A connection that has sent 3 of 8 announced megabytes."""
    address = urlsplit(notes)
    line = socket.create_connection((address.hostname, address.port))
    head = f"POST {address.path}/key/{key} HTTP/1.1\r\nHost: test\r\nContent-Length: {8 * MiB}\r\n\r\n"
    line.sendall(head.encode() + _noise(0) + _noise(1) + _noise(2))
    return line


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_an_upload_whose_client_vanishes_leaves_nothing(
    server_process: ServerProcess, session: requests.Session, notes: str
) -> None:
    session.post(f"{notes}/key/big", data=b"before", timeout=10).raise_for_status()
    for _ in range(5):
        _half_a_post(notes, "big").close()
    commit = notes.replace("/notes", "/commit")
    session.post(commit, json={"note": "x"}, timeout=60).raise_for_status()
    assert session.get(f"{notes}/key/big", timeout=10).content == b"before"
    _demand_no_orphans(server_process)


def test_a_download_whose_client_vanishes_holds_nothing(
    server_process: ServerProcess, session: requests.Session, notes: str
) -> None:
    session.post(f"{notes}/key/big", data=_chunks(_noise, 16 * MiB), timeout=60).raise_for_status()
    for _ in range(5):
        with session.get(f"{notes}/key/big", stream=True, timeout=60) as answer:
            assert next(answer.iter_content(1000))
    session.delete(f"{notes}/key/big", timeout=60).raise_for_status()
    load = session.get(f"{notes}/keys", timeout=60)
    assert load.json() == ["small"]


def test_a_killed_upload_leaves_orphans_that_are_swept(
    server_process: ServerProcess, session: requests.Session, notes: str
) -> None:
    with _half_a_post(notes, "big"):
        _wait(lambda: sum(file.stat().st_size for file in server_process.data.glob("leveldb/*")) > 2 * MiB)
        server_process.kill()
    with closing(Datastore(server_process.settings)) as datastore:
        report = check_datastore(datastore)
        assert report.faults == []
        assert 1 <= report.counts["orphaned parts"] <= 3
        assert sweep_orphans(datastore) == report.counts["orphaned parts"]
        assert check_datastore(datastore).counts["orphaned parts"] == 0
    server_process.start()


# ---------------------------------------------------------------------- a commit in the middle
def test_a_commit_waits_for_no_slow_client_and_nothing_is_written_afterwards(
    server_process: ServerProcess, session: requests.Session, notes: str
) -> None:
    """An upload that ends after the commit is refused, and leaves nothing."""
    committed = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield bytes(2 * MiB)
        session.post(notes.replace("/notes", "/commit"), json={"note": "x"}, timeout=60).raise_for_status()
        committed.set()
        yield bytes(2 * MiB)

    answer = requests.post(f"{notes}/key/big", data=slowly(), timeout=60)
    assert committed.is_set()
    assert (answer.status_code, "locked" in answer.text) == (400, True)
    assert session.get(f"{notes}/keys", timeout=10).json() == ["small"]
    assert [said["Key"] for said in session.get(f"{notes}/mutations", timeout=10).json()] == ["small"]
    _demand_no_orphans(server_process)


def test_a_commit_waits_for_no_slow_volume(
    server_process: ServerProcess, session: requests.Session, notes: str
) -> None:
    """A volume that ends after the commit is refused, and leaves nothing."""
    node = notes.removesuffix("/notes")
    repo = node.replace("/node/", "/repo/")
    settings = {"typename": "uint8blk", "dataname": "gray"}
    session.post(f"{repo}/instance", json=settings, timeout=10).raise_for_status()
    committed = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield bytes([7]) * 64**3
        session.post(f"{node}/commit", json={"note": "x"}, timeout=60).raise_for_status()
        committed.set()
        yield bytes([7]) * 64**3

    answer = requests.post(f"{node}/gray/raw/0_1_2/64_64_128/0_0_0", data=slowly(), timeout=60)
    assert committed.is_set()
    assert (answer.status_code, "locked" in answer.text) == (400, True)
    assert session.get(f"{node}/gray/info", timeout=10).json()["Extents"]["MinPoint"] is None
    assert not any(session.get(f"{node}/gray/raw/0_1_2/64_64_128/0_0_0", timeout=10).content)


def test_edits_and_uploads_while_a_version_is_committed(
    server_process: ServerProcess, session: requests.Session, notes: str
) -> None:
    """Whatever was answered 200 is in the version, and whatever was refused is not."""
    accepted: list[str] = []
    refused: list[tuple[str, int]] = []

    def edit(name: str, size: int) -> None:
        with requests.Session() as own:
            for number in range(1000):
                key = f"{name}-{number:04d}"
                answer = own.post(f"{notes}/key/{key}", data=bytes(size), timeout=60)
                if answer.status_code != 200:
                    refused.append((key, answer.status_code))
                    return
                accepted.append(key)

    threads = [threading.Thread(target=edit, args=(f"{name}", size)) for name, size in enumerate((9, 9, 2 * MiB))]
    for thread in threads:
        thread.start()
    _wait(lambda: len(accepted) > 30)
    session.post(notes.replace("/notes", "/commit"), json={"note": "x"}, timeout=60).raise_for_status()
    for thread in threads:
        thread.join()
    assert session.get(f"{notes}/keys", timeout=10).json() == sorted([*accepted, "small"])
    assert len(refused) == 3
    assert {status for _, status in refused} <= {400, 503}
    _demand_no_orphans(server_process)


def _demand_no_orphans(server: ServerProcess) -> None:
    server.stop()
    with closing(Datastore(server.settings)) as datastore:
        report = check_datastore(datastore)
        assert (report.faults, report.counts["orphaned parts"]) == ([], 0)
