"""Stores in Google Cloud Storage and Azure, on servers for these that run here: `make stores` installs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from pointclouds.clouds import demand_clouds, store_of, volume
from pyarrow import fs
from servers import free_port

from dvidpy.pointclouds import Ingestor, Query, StorageConfig, consolidate_optimized_indices, optimize_point_clouds

BIN = Path(sys.executable).parent
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Of the account that every Azurite has."""


@contextmanager
def running(command: list[str], ready: Callable[[], Any]) -> Iterator[None]:
    """A server, from the moment it answers."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                ready()
                break
            except requests.ConnectionError:
                assert time.monotonic() < until
                time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def google() -> Iterator[StorageConfig]:
    program = shutil.which("fake-gcs-server", path=str(BIN)) or shutil.which("fake-gcs-server")
    if program is None:
        pytest.skip("needs fake-gcs-server: make stores")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [program, "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]

    def ready() -> None:
        requests.post(f"{url}/storage/v1/b?project=p", json={"name": "points"}, timeout=5).raise_for_status()

    with running([*command, "-public-host", f"127.0.0.1:{port}"], ready):
        yield StorageConfig("gs://points/some/store", gcs_project_id="p", extra_config={"gcs_endpoint_url": url})


@pytest.fixture(scope="module")
def azure() -> Iterator[StorageConfig]:
    script = BIN.parent / "node" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    node = shutil.which("node")
    if node is None or not script.exists():
        pytest.skip("needs node and azurite: make stores")
    port = free_port()
    place, url = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1"]
    with running([node, str(script), *options, "--blobPort", str(port)], lambda: requests.get(url, timeout=5)):
        at = {
            f"{kind}_storage_{part}": said
            for kind in ("blob", "dfs")
            for part, said in (("authority", place), ("scheme", "http"))
        }
        fs.AzureFileSystem(account_name="devstoreaccount1", account_key=KEY, **at).create_dir("points")
        said = f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint={url}/devstoreaccount1"
        yield StorageConfig("az://points/some/store", azure_storage_connection_string=said)


@pytest.mark.parametrize("provider", ["google", "azure"])
def test_a_store_lives_there(provider: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    config = request.getfixturevalue(provider)
    monkeypatch.setattr("pointclouds.clouds.StorageConfig", lambda _: config)
    labels_zyx = volume()
    store_of("", labels_zyx, max_points_per_file=5000)
    demand_clouds(config, labels_zyx)
    index = f"{config.base_path}/unified_index.db"
    for _ in range(2):
        optimize_point_clouds(config, index, verbose=False)
    consolidate_optimized_indices(config, verbose=False)
    with Query(config) as query:
        assert query.using_optimized_data
        assert query.index_path == f"{config.base_path}/optimized/optimized_index.db"
    demand_clouds(config, labels_zyx)
    with Ingestor(config, "again") as ingestor:
        ingestor.delete_block("0_0_0")
    assert Ingestor.consolidate_indexes(config) == index
    with Query(config) as query:
        assert not query.using_optimized_data
        assert sum(query.get_point_count(label) for label in query.get_labels()) == labels_zyx.size - 512
        assert len(query.get_points(7, box=((0, 0, 0), (8, 8, 8)))) == 0
