"""Files of a store: of a disk, or objects of S3, Google Cloud Storage and Azure, all through Arrow's file systems."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pyarrow import fs

from dvidpy.pointclouds.storage_config import PROVIDERS, StorageConfig


class Place:
    """Root of a store. Paths are relative to it, with `/`; what is written shows as a whole or not at all."""

    def __init__(self, config: StorageConfig) -> None:
        self.config = config
        self.local = PROVIDERS.get(config.storage_type) is None
        self.root = self._key(config.base_path).rstrip("/")
        self.files = _file_system(config)

    def _key(self, path: str) -> str:
        """A path or URL as the file system names it."""
        parsed = urlparse(path)
        if self.local:
            return str(Path(parsed.path if parsed.scheme == "file" else path).absolute())
        return f"{parsed.netloc}{parsed.path}"

    def shown(self, path: str) -> str:
        """The path as the one who gave `base_path` would write it."""
        return f"{self.config.base_path.rstrip('/')}/{path}"

    def given(self, path: str) -> str:
        """A path or URL that somebody gave, relative to the store if it lies in it, so that the store can be moved."""
        if not self.local and not urlparse(path).scheme:
            return path
        key = self._key(path)
        inside = key.startswith(f"{self.root}/")
        return key.removeprefix(f"{self.root}/") if inside else (key if self.local else path)

    def at(self, path: str) -> str:
        """The path as the file system names it; whole paths and URLs stay what they are."""
        if urlparse(path).scheme:
            return self._key(path)
        return path if self.local and path.startswith("/") else f"{self.root}/{path}".rstrip("/")

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return bool(self.files.get_file_info(self.at(path)).type == fs.FileType.File)

    def make_folder(self, path: str) -> None:
        """Make a folder on a disk; object stores have none."""
        if self.local:
            Path(self.at(path)).mkdir(parents=True, exist_ok=True)

    def names(self, folder: str = "", *, recursive: bool = False) -> list[str]:
        """Paths of the files below a folder, in order; none where there is no such folder."""
        base = self.at(folder).rstrip("/")
        found = self.files.get_file_info(fs.FileSelector(base, recursive=recursive, allow_not_found=True))
        return sorted(info.path.removeprefix(f"{self.root}/") for info in found if info.type == fs.FileType.File)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return int(self.files.get_file_info(self.at(path)).size)

    def open(self, path: str) -> Any:
        """A file to read from anywhere in it; FileNotFoundError."""
        return self.files.open_input_file(self.at(path))

    def read(self, path: str) -> bytes:
        """All of a file; FileNotFoundError."""
        with self.open(path) as file:
            return bytes(file.read())

    def write(self, path: str, content: bytes | memoryview) -> None:
        """Write a small file."""
        with self.writing(path) as stream:
            stream.write(content)

    def delete(self, path: str) -> None:
        """Remove a file."""
        self.files.delete_file(self.at(path))

    @contextmanager
    def writing(self, path: str) -> Iterator[Any]:
        """A stream to write a file with. On a disk it gets its name when all is written and synced."""
        target = self.at(path)
        if not self.local:
            with self.files.open_output_stream(target) as stream:
                yield stream
            return
        with new_file(Path(target)) as unnamed, self.files.open_output_stream(str(unnamed)) as stream:
            yield stream

    @contextmanager
    def writing_locally(self, path: str) -> Iterator[Path]:
        """Name of a file of a disk, to be made by the caller; then it becomes `path`, there or in the object store."""
        if self.local:
            with new_file(Path(self.at(path))) as unnamed:
                yield unnamed
            return
        with tempfile.TemporaryDirectory() as folder:
            unnamed = Path(folder, "file")
            yield unnamed
            fs.copy_files(str(unnamed), self.at(path), fs.LocalFileSystem(), self.files)

    @contextmanager
    def reading_locally(self, path: str) -> Iterator[Path]:
        """Name of a file of a disk with the content of `path`: the file itself, or a copy for as long as it is read."""
        if self.local:
            yield Path(self.at(path))
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "file")
            fs.copy_files(self.at(path), str(copy), self.files, fs.LocalFileSystem())
            yield copy


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A file beside the target, to be made; takes the target's name, synced, when all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unnamed = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        yield unnamed
        _sync(unnamed)
        unnamed.replace(target)
        _sync(target.parent)
    finally:
        unnamed.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file_system(config: StorageConfig) -> Any:
    provider = PROVIDERS.get(config.storage_type)
    if provider is not None:
        return {"s3": _s3, "gcs": _gcs, "azure": _azure}[provider](config)
    if config.storage_type not in ("local", "file"):
        raise ValueError(f"there is no storage of the kind {config.storage_type!r}")
    return fs.LocalFileSystem()


def _endpoint(url: str | None) -> dict[str, str]:
    if not url:
        return {}
    scheme, _, host = url.rpartition("://")
    return {"endpoint_override": host, "scheme": scheme or "https"}


def _s3(config: StorageConfig) -> Any:
    # as Amazon's own libraries find a server that is not Amazon's; Arrow's does not
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return fs.S3FileSystem(
        access_key=config.s3_access_key_id,
        secret_key=config.s3_secret_access_key,
        session_token=config.extra_config.get("s3_session_token"),
        region=config.s3_region,
        **_endpoint(config.extra_config.get("s3_endpoint_url") or named),
    )


def _gcs(config: StorageConfig) -> Any:
    project = config.gcs_project_id or config.extra_config["GOOGLE_CLOUD_PROJECT"]
    endpoint = config.extra_config.get("gcs_endpoint_url")
    given: dict[str, Any] = {"anonymous": True} if endpoint and not config.gcs_credentials else {}
    if config.gcs_credentials:
        given = _google_token(config.gcs_credentials)
    return fs.GcsFileSystem(project_id=project, **given, **_endpoint(endpoint))


def _google_token(credentials: str | dict[str, Any]) -> dict[str, Any]:
    """A token of a service account. It is good for an hour, as Google gives them."""
    from google.auth.transport.requests import Request
    from google.oauth2.service_account import Credentials

    scopes = ["https://www.googleapis.com/auth/devstorage.read_write"]
    if isinstance(credentials, str):
        account: Any = Credentials.from_service_account_file(credentials, scopes=scopes)  # type: ignore[no-untyped-call]
    else:
        account = Credentials.from_service_account_info(credentials, scopes=scopes)  # type: ignore[no-untyped-call]
    account.refresh(Request())
    return {"access_token": account.token, "credential_token_expiration": account.expiry}


def _azure(config: StorageConfig) -> Any:
    pairs = [part.partition("=") for part in (config.azure_storage_connection_string or "").split(";") if part]
    said = {name: value for name, _, value in pairs}
    if "AccountName" not in said:
        raise ValueError("azure_storage_connection_string names no AccountName")
    given: dict[str, Any] = {"account_name": said["AccountName"]}
    if "AccountKey" in said:
        given["account_key"] = said["AccountKey"]
    if "SharedAccessSignature" in said:
        given["sas_token"] = said["SharedAccessSignature"]
    if "BlobEndpoint" in said:
        # a server that is not Azure's serves both interfaces at one place, unless it says otherwise
        for kind, url in (("blob", said["BlobEndpoint"]), ("dfs", said.get("DfsEndpoint", said["BlobEndpoint"]))):
            scheme, _, rest = url.partition("://")
            given |= {f"{kind}_storage_scheme": scheme, f"{kind}_storage_authority": rest.split("/")[0]}
    return fs.AzureFileSystem(**given)
