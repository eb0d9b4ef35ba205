"""Fixtures for everybody. Whatever opens a datastore proves at the end that it holds what it should.

`datastore` the versions without HTTP; `client` the whole server in this process; `server_process` one in its own.
`@pytest.mark.parametrize("engine", ["leveldb", "memory"], indirect=True)` runs a test on both engines.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import settings as hypothesis_settings
from servers import ServerProcess
from starlette.testclient import TestClient

from dvidpy.api.front import Front
from dvidpy.app import build_app
from dvidpy.config import ServerSettings, Settings, StoreSettings
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

pytest.register_assert_rewrite("contracts.kv_contract")
pytest_plugins = ["served", "browsing"]

REPOSITORY = Path(__file__).parent.parent
SETTLE_S = 30.0

hypothesis_settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis_settings.register_profile("long", deadline=None, max_examples=2000, print_blob=True)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long bytes make no name: a packer may write others in each process, and then the names of tests differ."""
    return f"{argname}-bytes" if isinstance(val, bytes) and len(val) > 32 else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `long` runs only where `-m` names it."""
    if "long" not in config.option.markexpr:
        skip = pytest.mark.skip(reason="long: run by `make test-long`")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)


# ---------------------------------------------------------------------- stores and servers
@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "leveldb"))


@pytest.fixture
def settings(engine: str, tmp_path: Path) -> Settings:
    store = StoreSettings(engine=engine, path=str(tmp_path / "leveldb") if engine == "leveldb" else "")
    return Settings(server=ServerSettings(workers=2), stores={"main": store})


@pytest.fixture
def datastore(settings: Settings) -> Iterator[Datastore]:
    """Open stores, without HTTP."""
    load_types()
    with closing(Datastore(settings)) as opened:
        yield opened
        demand_sound(opened)


@pytest.fixture
def app(settings: Settings) -> Front:
    """The ASGI application; use `client`, which opens and closes it."""
    return build_app(settings, log_requests=False)


@pytest.fixture
def client(app: Front) -> Iterator[TestClient]:
    """The whole server in this process, asked from 127.0.0.1: `client.post("/api/repos")`."""
    application: Any = app  # starlette types a scope as a mutable mapping, the front as a dictionary
    with TestClient(application, base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as opened:
        yield opened
        demand_sound(app._server.datastore)


@pytest.fixture
def repo(client: TestClient) -> str:
    """Uuid of the open root version of a new repo."""
    return str(client.post("/api/repos", json={"alias": "test"}).json()["root"])


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[ServerProcess]:
    """A running `dvidpy serve`; a test may kill and start it."""
    server = ServerProcess(tmp_path)
    server.start()
    try:
        yield server
    finally:
        server.stop()
    with closing(Datastore(server.settings)) as opened:
        demand_sound(opened)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Connections to a server process."""
    with requests.Session() as opened:
        yield opened


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data and recordings of the reference; a user's clone has none."""
    folder = Path(os.environ.get("DVIDPY_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the folder {folder.name} beside the repository, or DVIDPY_SHARED")
    return folder


# ---------------------------------------------------------------------- the proof at the end
def demand_sound(datastore: Datastore) -> None:
    """Background work is done, and `dvidpy check` has nothing to say."""
    until = time.monotonic() + SETTLE_S
    for queue in datastore.queues():
        while queue.length() > queue.failed and time.monotonic() < until:
            time.sleep(0.01)
    report = check_datastore(datastore)
    assert report.faults == []
