from __future__ import annotations

from pathlib import Path

import pytest
import requests
from conftest import demand_sound
from servers import ServerProcess
from starlette.testclient import TestClient

from dvidpy.storage.keys import DATA, cell
from dvidpy.versioning.datastore import Datastore


@pytest.mark.parametrize("engine", ["leveldb", "memory"], indirect=True)
def test_client_speaks_to_a_whole_server(client: TestClient, repo: str) -> None:
    client.post(f"/api/repo/{repo}/instance", json={"typename": "keyvalue", "dataname": "notes"})
    client.post(f"/api/node/{repo}/notes/key/a", content=b"value")
    assert client.get(f"/api/node/{repo}/notes/key/a").content == b"value"


def test_server_process_answers_and_ends(server_process: ServerProcess, session: requests.Session) -> None:
    assert session.get(f"{server_process.url}/api/server/info", timeout=10).status_code == 200
    with server_process.watched() as seen:
        assert session.get(f"{server_process.url}/healthz", timeout=10).text == "ok\n"
    assert min(seen) > 1 << 20
    server_process.kill()
    assert not server_process.running
    server_process.start()
    assert session.get(f"{server_process.url}/healthz", timeout=10).text == "ok\n"


def test_a_fault_in_a_store_is_noticed(datastore: Datastore) -> None:
    stray = DATA + b"\x00\x00\x00\x09" + b"\x01key" + cell(1)
    datastore.main.store.batch([(stray, b"")])
    with pytest.raises(AssertionError, match="belongs to no instance"):
        demand_sound(datastore)
    datastore.main.store.batch((), [stray])


def test_shared_is_a_folder_or_skips_by_name(shared: Path) -> None:
    assert shared.is_dir()
