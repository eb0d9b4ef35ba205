"""A TOML file -> frozen Settings. Every setting has its paragraph in docs/configuration.md.

Setting names ignore letter case; relative paths are relative to the file. Only the command line reads the
environment and hands it in here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dvidpy.errors import StoreError


class ConfigError(StoreError):
    """The configuration cannot be used; the message says which setting and why."""


class Section(BaseModel):
    """A section of the file; unknown settings are kept aside and warned of."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class ServerSettings(Section):
    """[server]"""

    http_address: str = Field(default="127.0.0.1:8000", alias="httpaddress")
    host: str = ""
    note: str = ""
    cors_domains: tuple[str, ...] = Field(default=(), alias="corsdomains")
    allow_timing: bool = Field(default=False, alias="allowtiming")
    readonly: bool = False
    fullwrite: bool = False
    admin_token: str = Field(default="", alias="admintoken")
    allow_labelmap_split: bool = Field(default=False, alias="allowlabelmapsplit")
    no_labelmap_split: bool = Field(default=False, alias="nolabelmapsplit")
    block_list_file: str = Field(default="", alias="blocklistfile")
    interactive_ops_before_block: int = Field(default=0, alias="interactiveopsbeforeblock", ge=0)
    max_throttled_ops: int = Field(default=1, alias="maxthrottledops", ge=1)
    max_request_bytes: int = Field(default=1 << 31, alias="maxrequestbytes", ge=1)
    """Largest body that is taken whole, and largest array an answer is built from, in bytes."""
    workers: int = Field(default=0, ge=0)
    """Threads for heavy work; 0 for as many as there are cores."""
    max_waiting: int = Field(default=256, alias="maxwaiting", ge=1)
    """Requests that may wait for such a thread; more are answered 503."""


class StoreSettings(Section):
    """[store.NAME]"""

    engine: str
    path: str = ""


class BackendSettings(Section):
    """[backend.KEY]"""

    store: str
    log: str = ""


class MutationSettings(Section):
    """[mutations]"""

    jsonstore: str = ""
    blobstore: str = ""
    httpstore: str = ""


class Settings(BaseModel):
    """Everything the server is told."""

    model_config = ConfigDict(frozen=True)

    server: ServerSettings = Field(default_factory=ServerSettings)
    stores: dict[str, StoreSettings]
    backends: dict[str, BackendSettings] = {}
    mutations: MutationSettings = MutationSettings()
    source: str = ""
    """Where the file lies; empty when there is none."""
    text: str = ""
    """The file itself."""
    ignored: tuple[str, ...] = ()
    """Settings that have no effect."""

    def default_store(self) -> str:
        """Name of the store for metadata and for whatever has no store of its own."""
        for key in ("metadata", "default"):
            if key in self.backends:
                return self.backends[key].store
        return next(name for name, store in self.stores.items() if store.engine not in LOG_ENGINES)

    def store_for(self, name: str, root: str, tags: Mapping[str, str], typename: str) -> str:
        """Store of a new instance: by "name:uuid", "tag:value", type, then the default."""
        candidates = [f"{name}:{root}", *(f"{tag}:{value}" for tag, value in tags.items()), typename, "default"]
        for key in candidates:
            if key in self.backends:
                return self.backends[key].store
        return self.default_store()


LOG_ENGINES = ("filelog", "filestore")
"""Engines that are folders of files and hold no key-value pairs."""
_KNOWN = ("server", "store", "backend", "mutations")


def default_settings(data: Path, **server: Any) -> Settings:
    """Settings without a file: one LevelDB in a folder."""
    return Settings(
        server=ServerSettings(**server),
        stores={"main": StoreSettings(engine="leveldb", path=str(data / "leveldb"))},
    )


def load_settings(path: Path) -> Settings:
    """Read a TOML file; ConfigError where it cannot be read or makes no sense."""
    try:
        text = path.read_text(encoding="utf-8")
        given = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        return _settings(given, path.resolve(), text)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _settings(given: dict[str, Any], path: Path, text: str) -> Settings:
    stores = {name: _store(section, path.parent) for name, section in given.get("store", {}).items()}
    backends = {key: BackendSettings(**_lower(section)) for key, section in given.get("backend", {}).items()}
    settings = Settings(
        server=ServerSettings(**_server(_lower(given.get("server", {})), path.parent)),
        stores=stores,
        backends=backends,
        mutations=MutationSettings(**_lower(given.get("mutations", {}))),
        source=str(path),
        text=text,
        ignored=tuple(_ignored(given)),
    )
    _check_names(settings, path)
    return settings


def _check_names(settings: Settings, path: Path) -> None:
    """Every store that is named must exist; there must be one for the data."""
    if not any(store.engine not in LOG_ENGINES for store in settings.stores.values()):
        raise ConfigError(f"{path}: no [store.NAME] with a key-value engine")
    named = {f"backend.{key}": backend.store for key, backend in settings.backends.items()}
    for setting, value in named.items():
        if value not in settings.stores:
            raise ConfigError(f"{path}: {setting} names the store {value!r}, which is not configured")


def _lower(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in section.items()}


def _server(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    if section.get("blocklistfile"):
        section["blocklistfile"] = str(folder / section["blocklistfile"])
    if "rwmode" in section:
        section.setdefault("readonly", section["rwmode"] == "readonly")
        section.setdefault("fullwrite", section["rwmode"] == "fullwrite")
    return section


def _store(section: Mapping[str, Any], folder: Path) -> StoreSettings:
    settings = StoreSettings(**_lower(section))
    return settings.model_copy(update={"path": str(folder / settings.path)}) if settings.path else settings


def _ignored(given: Mapping[str, Any]) -> list[str]:
    """Names of sections and [server] settings without effect."""
    known = {field.alias or name for name, field in ServerSettings.model_fields.items()} | {"rwmode"}
    sections = [f"[{name}]" for name in given if name not in _KNOWN]
    return sections + [f"server.{key}" for key in given.get("server", {}) if key.lower() not in known]
