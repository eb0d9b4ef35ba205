from __future__ import annotations

import threading

import numpy as np
import requests
from servers import ServerProcess

MIB = 1 << 20


def new_instance(url: str, session: requests.Session) -> str:
    root = session.post(f"{url}/api/repos", json={}, timeout=30).json()["root"]
    body = {"typename": "uint8blk", "dataname": "g", "BlockSize": "64,64,64"}
    assert session.post(f"{url}/api/repo/{root}/instance", json=body, timeout=30).ok
    return f"{url}/api/node/{root}/g"


def test_large_answers_stream(server_process: ServerProcess, session: requests.Session) -> None:
    path = new_instance(server_process.url, session)
    asked = f"{path}/raw/0_1_2/1024_1024_512/-7_-7_-7"
    with server_process.watched() as seen, session.get(asked, stream=True, timeout=60) as answer:
        assert answer.headers["content-length"] == str(512 * MIB)
        assert sum(map(len, answer.iter_content(MIB))) == 512 * MIB
    assert max(seen) - seen[0] < 256 * MIB


def test_a_large_volume_takes_a_few_times_its_size(server_process: ServerProcess, session: requests.Session) -> None:
    path = new_instance(server_process.url, session)
    voxels = np.random.default_rng(1).integers(0, 256, 96 * MIB, np.uint8).tobytes()
    with server_process.watched() as seen:
        assert session.post(f"{path}/raw/0_1_2/512_512_384/0_0_0", data=voxels, timeout=60).ok
    assert max(seen) - seen[0] < 6 * len(voxels)
    assert session.get(f"{path}/raw/0_1_2/512_512_384/0_0_0", timeout=60).content == voxels


def test_readers_see_a_volume_wholly_or_not_at_all(server_process: ServerProcess, session: requests.Session) -> None:
    path = new_instance(server_process.url, session)
    place = f"{path}/raw/0_1_2/256_256_128/0_0_0"
    seen: set[tuple[int, ...]] = set()
    over = threading.Event()

    def read() -> None:
        with requests.Session() as own:
            while not over.is_set():
                found = np.frombuffer(own.get(place, timeout=30).content, np.uint8)
                seen.add(tuple(np.unique(found)))

    reader = threading.Thread(target=read)
    reader.start()
    for value in range(1, 9):
        assert session.post(place, data=bytes([value]) * (256 * 256 * 128), timeout=30).ok
    over.set()
    reader.join()
    assert all(len(values) == 1 for values in seen)
    assert seen
