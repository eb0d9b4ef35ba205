"""Stores on an object store that runs here, and what is needed to get to one."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pointclouds.clouds import demand_clouds, store_of, volume
from servers import free_port

from dvidpy.pointclouds import (
    Ingestor,
    Query,
    StorageConfig,
    consolidate_optimized_indices,
    optimize_point_clouds,
    storage_config,
)
from dvidpy.pointclouds.places import Place

S3: dict[str, Any] = {"s3_region": "us-east-1", "s3_access_key_id": "key", "s3_secret_access_key": "secret"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, Any]]:
    """What a StorageConfig needs for a bucket of a server for S3."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                requests.put(f"{url}/points", timeout=5).raise_for_status()
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield {**S3, "extra_config": {"s3_endpoint_url": url}}
    finally:
        server.terminate()
        server.wait()


def test_a_store_lives_in_s3(bucket: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    config = StorageConfig("s3://points/some/store", **bucket)
    monkeypatch.setattr("pointclouds.clouds.StorageConfig", lambda _: config)
    labels_zyx = volume()
    store_of("", labels_zyx, max_points_per_file=5000)
    demand_clouds(config, labels_zyx)
    with Ingestor(config, "again") as ingestor:
        ingestor.delete_block("0_0_0")
    assert Ingestor.consolidate_indexes(config) == "s3://points/some/store/unified_index.db"
    with Query(config) as query:
        assert sum(query.get_point_count(label) for label in query.get_labels()) == labels_zyx.size - 512
        assert len(query.get_points(7, box=((0, 0, 0), (8, 8, 8)))) == 0
        assert query.get_points(7, timing=True)[1]["file_details"][0]["file_path"].startswith("s3://points/some/store/")


def test_a_store_in_s3_is_optimised(bucket: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    config = StorageConfig("s3://points/other", **bucket)
    monkeypatch.setattr("pointclouds.clouds.StorageConfig", lambda _: config)
    store_of("", volume())
    for _ in range(2):
        metadata = optimize_point_clouds(config, "s3://points/other/unified_index.db", verbose=False)
    assert metadata == "s3://points/other/optimized/optimize_default/metadata.json"
    consolidate_optimized_indices(config, verbose=False)
    with Query(config) as query:
        assert query.using_optimized_data
        assert query.index_path == "s3://points/other/optimized/optimized_index.db"
    demand_clouds(config, volume())


def test_the_environment_may_name_the_server(bucket: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket["extra_config"]["s3_endpoint_url"])
    place = Place(StorageConfig("s3://points/environment", **S3))
    place.write("a/b", b"c")
    assert place.names(recursive=True) == ["a/b"]


def test_a_store_that_is_not_there_is_told(bucket: dict[str, Any]) -> None:
    with pytest.raises(FileNotFoundError, match="consolidate_indexes"):
        Query(StorageConfig("s3://points/nowhere", **bucket))


# ---------------------------------------------------------------------- configuration
@pytest.mark.parametrize(
    ("url", "given", "missing"),
    [
        ("s3://b/p", {}, "s3_region"),
        ("gs://b/p", {}, "gcs_project_id"),
        ("gcs://b/p", {}, "gcs_project_id"),
        ("azure://b/p", {}, "azure_storage_connection_string"),
        ("az://b/p", {}, "azure_storage_connection_string"),
    ],
)
def test_what_a_provider_cannot_do_without_is_demanded(url: str, given: dict[str, Any], missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        StorageConfig(url, **given)


def test_settings_by_the_names_of_duckdb() -> None:
    assert StorageConfig("folder").get_duckdb_config() == {}
    assert StorageConfig("s3://b", s3_region="r", extra_config={"a": 1}).get_duckdb_config() == {
        "s3_region": "r",
        "a": 1,
    }
    assert StorageConfig("gs://b", gcs_project_id="p", gcs_credentials="file").get_duckdb_config() == {
        "gcs_project_id": "p",
        "gcs_key_path": "file",
    }
    account = {"type": "service_account"}
    said = StorageConfig("gs://b", gcs_project_id="p", gcs_credentials=account).get_duckdb_config()
    assert said["gcs_credentials"] == account
    azure = StorageConfig("az://b", azure_storage_connection_string="c").get_duckdb_config()
    assert azure == {"azure_storage_connection_string": "c"}


def parsed(*words: str) -> StorageConfig:
    parser = argparse.ArgumentParser()
    StorageConfig.add_storage_args(parser)
    return StorageConfig.from_args(parser.parse_args(words))


def test_arguments_say_a_configuration() -> None:
    assert parsed("--base-path", "folder") == StorageConfig("folder")
    region = ["--base-path", "s3://b", "--s3-region", "r", "--s3-access-key-id", "k", "--s3-secret-access-key", "s"]
    config = parsed(*region, "--s3-session-token", "t", "--s3-endpoint-url", "http://e")
    extra = {"s3_session_token": "t", "s3_endpoint_url": "http://e"}
    assert config == StorageConfig("s3://b", "r", "k", "s", extra_config=extra)
    azure = parsed("--base-path", "az://b", "--azure-connection-string", "c")
    assert azure == StorageConfig("az://b", azure_storage_connection_string="c")
    google = parsed("--base-path", "gs://b", "--gcs-project-id", "p", "--gcs-credentials", "f")
    assert google == StorageConfig("gs://b", gcs_project_id="p", gcs_credentials="f")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["folder", "--s3-region", "r"], "Local path provided but s3 parameters"),
        (["s3://b", "--s3-region", "r", "--gcs-project-id", "p"], "Conflicting storage parameters.*s3, gcs"),
        (["s3://b", "--gcs-project-id", "p"], "S3 URL provided but gcs parameters"),
        (["gs://b", "--azure-connection-string", "c"], "GCS URL provided but azure parameters"),
        (["az://b", "--s3-region", "r"], "AZURE URL provided but s3 parameters"),
    ],
)
def test_arguments_of_several_providers_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parsed("--base-path", *words)


# ---------------------------------------------------------------------- file systems
def test_a_file_url_is_a_folder(tmp_path: Any) -> None:
    config = StorageConfig(f"file://{tmp_path}/store")
    place = Place(config)
    place.write("a/b", b"c")
    assert (tmp_path / "store" / "a" / "b").read_bytes() == place.read("a/b") == b"c"
    assert place.names(recursive=True) == ["a/b"]


def test_what_nobody_stores_in_is_refused() -> None:
    with pytest.raises(ValueError, match="ftp"):
        Place(StorageConfig("ftp://b/p"))
    with pytest.raises(ValueError, match="AccountName"):
        Place(StorageConfig("az://b/p", azure_storage_connection_string="BlobEndpoint=x"))


def test_every_scheme_has_its_provider() -> None:
    assert set(storage_config.PROVIDERS.values()) == set(storage_config.ARGUMENTS)
