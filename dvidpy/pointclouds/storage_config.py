"""Where a store of point clouds lies, and what is needed to get there."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

PROVIDERS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "azure": "azure"}
"""Provider of a URL's scheme."""
ARGUMENTS = {
    "s3": ("s3_region", "s3_access_key_id", "s3_secret_access_key", "s3_session_token", "s3_endpoint_url"),
    "gcs": ("gcs_project_id", "gcs_credentials"),
    "azure": ("azure_connection_string",),
}
"""Arguments of the command line that only one provider understands."""
EXTRA = ("s3_session_token", "s3_endpoint_url")
"""Arguments that stand in `extra_config`."""


def scheme_of(base_path: str) -> str:
    """Scheme of a URL, or `local`."""
    return urlparse(base_path).scheme or "local"


@dataclass
class StorageConfig:
    """A folder of a disk or of an object store (`s3://`, `gs://`, `azure://`), with its credentials.

    `extra_config` may hold `s3_session_token`, `s3_endpoint_url`, `gcs_endpoint_url`, `azure_endpoint_url` and
    `GOOGLE_CLOUD_PROJECT`. Raises ValueError where a provider lacks what it cannot do without.
    """

    base_path: str
    s3_region: str | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: str | None = None
    gcs_project_id: str | None = None
    gcs_credentials: str | dict[str, Any] | None = None
    azure_storage_connection_string: str | None = None
    extra_config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.storage_type = scheme_of(self.base_path)
        provider = PROVIDERS.get(self.storage_type)
        if provider == "s3" and not self.s3_region:
            raise ValueError("s3_region is required for S3 storage")
        if provider == "gcs" and not self.gcs_project_id and "GOOGLE_CLOUD_PROJECT" not in self.extra_config:
            raise ValueError("gcs_project_id is required for GCS storage")
        if provider == "azure" and not self.azure_storage_connection_string:
            raise ValueError("azure_storage_connection_string is required for Azure storage")

    def get_duckdb_config(self) -> dict[str, Any]:
        """The settings by the names that DuckDB's extensions have for them; {} for a local folder."""
        settings: dict[str, Any] = {}
        provider = PROVIDERS.get(self.storage_type)
        if provider == "s3":
            settings = {name: getattr(self, name) for name in ARGUMENTS["s3"] if name not in EXTRA}
        elif provider == "gcs":
            credentials = "gcs_key_path" if isinstance(self.gcs_credentials, str) else "gcs_credentials"
            settings = {"gcs_project_id": self.gcs_project_id, credentials: self.gcs_credentials}
        elif provider == "azure":
            settings = {"azure_storage_connection_string": self.azure_storage_connection_string}
        return {name: value for name, value in settings.items() if value} | self.extra_config

    @classmethod
    def add_storage_args(cls, parser: argparse.ArgumentParser) -> None:
        """Add the arguments that `from_args` reads."""
        parser.add_argument("--base-path", required=True, help="Folder of the store, or s3://, gs:// or azure:// URL")
        group = parser.add_argument_group("S3 Storage Options")
        group.add_argument("--s3-region", help="Region")
        group.add_argument("--s3-access-key-id", help="Access key")
        group.add_argument("--s3-secret-access-key", help="Secret of the access key")
        group.add_argument("--s3-session-token", help="Session token")
        group.add_argument("--s3-endpoint-url", help="Server that is not Amazon's")
        group = parser.add_argument_group("Google Cloud Storage Options")
        group.add_argument("--gcs-project-id", help="Project")
        group.add_argument("--gcs-credentials", help="JSON file of a service account")
        group = parser.add_argument_group("Azure Storage Options")
        group.add_argument("--azure-connection-string", help="Connection string of the storage account")

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> StorageConfig:
        """The configuration that arguments of a command line say; ValueError where providers are mixed."""
        given = {
            provider: {name: value for name in names if (value := getattr(args, name, None))}
            for provider, names in ARGUMENTS.items()
        }
        # as PoCADuck judges: a token or an endpoint alone names no provider
        named = [provider for provider, values in given.items() if values.keys() - set(EXTRA)]
        _demand_one_provider(named, args.base_path)
        values = {name: value for one in given.values() for name, value in one.items()}
        extra = {name: values.pop(name) for name in EXTRA if name in values}
        if "azure_connection_string" in values:
            values["azure_storage_connection_string"] = values.pop("azure_connection_string")
        return cls(base_path=args.base_path, extra_config=extra, **values)


def _demand_one_provider(named: list[str], base_path: str) -> None:
    if len(named) > 1:
        raise ValueError(f"Conflicting storage parameters provided for: {', '.join(named)}; one provider can be used")
    scheme = scheme_of(base_path)
    if named and scheme == "local":
        raise ValueError(f"Local path provided but {named[0]} parameters specified; the path has to be a URL")
    if named and PROVIDERS.get(scheme, named[0]) != named[0]:
        raise ValueError(f"{PROVIDERS[scheme].upper()} URL provided but {named[0]} parameters specified")
