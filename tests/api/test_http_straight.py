"""Blocks that go from their files to the client without passing through the process, through raw sockets."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from served import TOKEN, Served, running

from dvidpy.api import straight
from dvidpy.api.straight import Straight
from dvidpy.config import ServerSettings, Settings, StoreSettings
from dvidpy.datatypes import parts
from dvidpy.datatypes.imageblk import block_streams
from dvidpy.datatypes.voxels.kinds import Voxels

SIDE, BLOCK = 192, 64
PATH = f"subvolblocks/{SIDE}_{SIDE}_{SIDE}/0_0_0?compression=uncompressed"
LENGTH = (SIDE // BLOCK) ** 3 * (16 + BLOCK**3)
END = b"\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def files(folder: Path) -> Iterator[Served]:
    """A server with one worker, whose blocks are in files."""
    stores = {"main": StoreSettings(engine="leveldb", path=str(folder))}
    with running(Settings(server=ServerSettings(workers=1, admin_token=TOKEN), stores=stores)) as served:
        yield served


@pytest.fixture(scope="module")
def volume() -> Voxels:
    """Noise, but for one block that is packed."""
    volume = np.random.default_rng(4).integers(0, 256, (SIDE, SIDE, SIDE), np.uint8)
    volume[64:128, 0:64, 128:192] = 7
    return volume


@pytest.fixture(scope="module")
def gray(files: Served, volume: Voxels) -> str:
    path = files.instance(files.repo(), "gray", "uint8blk", BlockSize="64,64,64")
    assert files.http.post(f"{path}/raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0", content=volume.tobytes()).status_code == 200
    return path


def stream_of(volume: Voxels) -> bytes:
    pieces = []
    for z, y, x in np.ndindex(*(side // BLOCK for side in volume.shape)):
        block = volume[z * 64 : z * 64 + 64, y * 64 : y * 64 + 64, x * 64 : x * 64 + 64]
        pieces.append(struct.pack("<4i", x, y, z, block.size) + block.tobytes())
    return b"".join(pieces)


def ask(files: Served, path: str, more: bytes = b"", room: int = 0) -> socket.socket:
    line = socket.socket()
    if room:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    line.settimeout(20)
    line.connect(("127.0.0.1", files.port))
    line.sendall(b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), more))
    return line


def take(line: socket.socket, size: int) -> bytes:
    """So many bytes, fewer where the line ends before."""
    got = bytearray()
    while len(got) < size and (piece := line.recv(size - len(got))):
        got += piece
    return bytes(got)


def head_of(line: socket.socket) -> bytes:
    got = b""
    while not got.endswith(END):
        got += line.recv(1)
    return got.lower()


def open_files() -> int:
    """Files and connections of this process, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_the_kernel_sends_what_the_volume_is(
    files: Served, gray: str, volume: Voxels, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, sent = stream_of(volume), []
    straight = Straight.send
    monkeypatch.setattr(Straight, "send", lambda *all_: sent.append(1) or straight(*all_))  # type: ignore[func-returns-value]
    assert files.http.get(f"{gray}/{PATH}").content == expected
    assert sent or os.uname().sysname != "Linux"
    monkeypatch.setattr(parts, "TOGETHER", 3 << 18)
    monkeypatch.setattr(block_streams, "FEW", 1)
    assert files.http.get(f"{gray}/{PATH}").content == expected
    monkeypatch.setattr(Straight, "may", lambda *_: False)
    assert files.http.get(f"{gray}/{PATH}").content == expected


def test_of_an_older_version_and_behind_a_merge(files: Served, volume: Voxels) -> None:
    root = files.repo()
    gray = files.instance(root, "gray", "uint8blk", BlockSize="64,64,64")
    size = f"{SIDE}_{SIDE}_{BLOCK}"
    whole, other = volume[:64], 255 - volume[:64, :64, :64]
    path = f"subvolblocks/{size}/0_0_0?compression=uncompressed"
    assert files.http.post(f"{gray}/raw/0_1_2/{size}/0_0_0", content=whole.tobytes()).status_code == 200
    files.commit(root)
    one, two = files.child(root), files.child(root, "branch", branch="b")
    assert files.http.post(f"/api/node/{one}/gray/raw/0_1_2/64_64_64/64_0_0", content=other.tobytes()).is_success
    expected = whole.copy()
    expected[:, :64, 64:128] = other
    assert files.http.get(f"/api/node/{one}/gray/{path}").content == stream_of(expected)
    assert files.http.get(f"/api/node/{two}/gray/{path}").content == stream_of(whole)
    files.commit(one)
    files.commit(two)
    merged = files.http.post(f"/api/repo/{root}/merge", json={"mergeType": "conflict-free", "parents": [one, two]})
    assert files.http.get(f"/api/node/{merged.json()['child']}/gray/{path}").content == stream_of(expected)


def test_a_slow_reader_gets_all_and_holds_no_worker(files: Served, gray: str, volume: Voxels) -> None:
    expected = stream_of(volume)
    second = b"GET /api/server/note HTTP/1.1\r\n\r\n"
    with ask(files, f"{gray}/{PATH}", room=1 << 15) as line:
        assert b"content-length: %d" % LENGTH in head_of(line)
        line.sendall(second)  # asked before the first answer is taken
        began = time.monotonic()
        for _ in range(3):
            assert files.http.get(f"{gray}/raw/0_1_2/128_128_128/0_0_0").content == volume[:128, :128, :128].tobytes()
        assert time.monotonic() - began < 10  # the only worker did not wait for the slow one
        got = bytearray()
        while len(got) < LENGTH:
            got += take(line, min(1 << 18, LENGTH - len(got)))
            time.sleep(0.002)
        assert got == expected
        assert head_of(line).startswith(b"http/1.1 200")


def test_an_answer_in_chunks_is_whole_and_leaves_the_line_open(files: Served) -> None:
    path = files.instance(files.repo(), "seg", "labelmap", BlockSize="64,64,64")
    labels = np.full((64, 64, 128), 7, np.uint64)
    assert files.http.post(f"{path}/raw/0_1_2/128_64_64/0_0_0", content=labels.tobytes()).status_code == 200
    with ask(files, f"{path}/blocks/128_64_64/0_0_0?compression=uncompressed") as line:
        line.sendall(b"GET /api/server/note HTTP/1.1\r\n\r\n")
        assert b"transfer-encoding: chunked" in head_of(line)
        body = bytearray()
        while size := int(head_line(line), 16):
            body += take(line, size)
            assert take(line, 2) == b"\r\n"
        assert take(line, 2) == b"\r\n"
        blocks = [struct.pack("<4i", x, 0, 0, labels.nbytes // 2) + labels[:, :, :64].tobytes() for x in (0, 1)]
        assert body == b"".join(blocks)
        assert head_of(line).startswith(b"http/1.1 200")


def head_line(line: socket.socket) -> bytes:
    got = b""
    while not got.endswith(b"\r\n"):
        got += line.recv(1)
    return got


BOX = "raw/0_1_2/96_96_96/0_0_0"


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that workers sent of whole answers, one by one."""
    sent, push = [], straight._Sending.push

    def counted(self: straight._Sending) -> int:
        sent.append(push(self))
        return sent[-1]

    monkeypatch.setattr(straight._Sending, "push", counted)
    return sent


def test_a_worker_sends_a_whole_answer(files: Served, gray: str, volume: Voxels, ahead: list[int]) -> None:
    """As soon as one of its kind was long; one behind the other on a connection, however soon they are asked for."""
    path = f"{gray}/{BOX}"
    wanted = volume[:96, :96, :96].tobytes()
    assert files.http.get(path).content == wanted
    with ask(files, path) as line:
        line.sendall(b"GET %b HTTP/1.1\r\n\r\n" % path.encode() * 3)
        for _ in range(4):
            assert b"content-length: %d\r\n" % len(wanted) in head_of(line)
            assert take(line, len(wanted)) == wanted
    assert files.http.get(path, headers={"Origin": "http://a", "Connection": "close"}).content == wanted
    assert any(count > len(wanted) for count in ahead)


def test_what_the_client_does_not_take_is_sent_by_the_loop(
    files: Served, gray: str, volume: Voxels, ahead: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{gray}/{BOX}"
    wanted = volume[:96, :96, :96].tobytes()
    assert files.http.get(path).content == wanted
    own_socket = straight._own_socket

    def narrow(transport: object) -> socket.socket:
        own = own_socket(transport)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
        return own

    monkeypatch.setattr(straight, "_own_socket", narrow)
    with ask(files, path, room=1 << 14) as line:
        time.sleep(0.1)
        head_of(line)
        assert take(line, len(wanted)) == wanted
    assert 0 < min(ahead) < len(wanted)
    ask(files, path, room=1 << 14).close()
    assert files.http.get(path).content == wanted


def test_who_wants_no_second_answer(files: Served, gray: str) -> None:
    with ask(files, f"{gray}/{PATH}", b"Connection: close\r\n") as line:
        head_of(line)
        assert len(take(line, LENGTH + 1)) == LENGTH


def test_downloads_that_are_broken_off_leave_nothing_open(files: Served, gray: str) -> None:
    before = open_files()
    for number in range(40):
        with ask(files, f"{gray}/{PATH}", room=1 << 15) as line:
            line.recv(100 << (number % 8))
    files.wait_until(lambda: (files.server.metrics.active, files.server.pool.under_way) == (0, 0))
    files.wait_until(lambda: open_files() <= before + 2)


def test_a_file_that_ends_early_cuts_the_answer(files: Served, gray: str, folder: Path, volume: Voxels) -> None:
    assert len(files.http.get(f"{gray}/{PATH}").content) == LENGTH
    (file,) = folder.glob("*.long")
    whole = file.read_bytes()
    try:
        os.truncate(file, len(whole) * 2 // 3)
        with ask(files, f"{gray}/{PATH}") as line:
            head = head_of(line)
            assert head.startswith(b"http/1.1 500") or len(take(line, LENGTH)) < LENGTH
    finally:
        file.write_bytes(whole)
    assert files.http.get(f"{gray}/{PATH}").content == stream_of(volume)
