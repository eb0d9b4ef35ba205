"""Everything the server is told, and what follows: which store an instance and its log go to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from dvidpy.config.sections import (
    AuthSettings,
    BackendSettings,
    EmailSettings,
    GroupcacheSettings,
    KafkaSettings,
    LoggingSettings,
    MutationSettings,
    Section,
    ServerSettings,
    StoreSettings,
)

KEY_VALUE_ENGINES = ("leveldb", "memory", "basholeveldb", "badger")
"""Engines that hold values. The last two are the reference's; their folders are kept as leveldb."""
FILE_ENGINES = ("filelog", "filestore")
"""Engines that are folders of files and hold no values: mutation logs, and blobs."""


class Spec(NamedTuple):
    """What the store of an instance is chosen by."""

    name: str
    root: str
    """Root uuid of its repo."""
    data: str
    """Uuid of the data."""
    tags: Mapping[str, str]
    type: str


class Settings(BaseModel):
    """Everything the server is told."""

    model_config = ConfigDict(frozen=True)

    server: ServerSettings = Field(default_factory=ServerSettings)
    auth: AuthSettings = AuthSettings()
    email: EmailSettings = EmailSettings()
    logging: LoggingSettings = LoggingSettings()
    mutations: MutationSettings = MutationSettings()
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    groupcache: GroupcacheSettings = GroupcacheSettings()
    stores: dict[str, StoreSettings]
    backends: dict[str, BackendSettings] = {}
    others: dict[str, dict[str, Section]] = {}
    """Sections cache, mutcache and mirror by their names: they have no effect yet."""
    source: str = ""
    """Where the file lies; empty when there is none."""
    text: str = ""
    """The file itself."""
    warnings: tuple[str, ...] = ()
    """What the file says that is not known or has no effect: sentences for the log."""

    def key_value_stores(self) -> dict[str, StoreSettings]:
        """The stores that can hold values."""
        return {name: store for name, store in self.stores.items() if store.engine not in FILE_ENGINES}

    def default_store(self) -> str:
        """Name of the store for metadata."""
        for key in ("metadata", "default"):
            if key in self.backends:
                return self.backends[key].store
        return next(iter(self.key_value_stores()))

    def store_for(self, spec: Spec) -> str:
        """Store of a new instance."""
        return next((rule.store for rule in self._rules(spec)), self.default_store())

    def log_for(self, spec: Spec) -> str:
        """Name of the filelog store for the mutation log of a new instance; empty where none is named."""
        return next((rule.log for rule in self._rules(spec) if rule.log), "")

    def may_lie_in(self, store: str, spec: Spec, neighbours: Collection[str]) -> bool:
        """Whether this configuration can have sent an existing instance into a store.

        A client may have changed its tags or its name since: any rule for tags counts, and any rule for the name of
        an instance that is none of its repo's `neighbours`.
        """
        exact = self._exact_rule(spec)
        if exact is not None:
            return exact.store == store
        taken = {f"{name}:{spec.root}" for name in neighbours}
        possible = {rule.store for key, rule in self.backends.items() if ":" in key and key not in taken}
        return store in possible | {self.store_for(spec._replace(tags={}))}

    def log_folder(self, log: str) -> Path | None:
        """Folder of the JSON lines of instances whose log has a name; None for one beside their store."""
        chosen = self.mutations.jsonstore
        if chosen and chosen not in self.stores:
            return Path(chosen)
        found = self.stores.get(chosen or log)
        return Path(found.path) if found is not None else None

    def _exact_rule(self, spec: Spec) -> BackendSettings | None:
        return self.backends.get(spec.data) or self.backends.get(f"{spec.name}:{spec.root}")

    def _rules(self, spec: Spec) -> Iterator[BackendSettings]:
        """Rules that fit, the first first: uuid of the data, name and root, tags, datatype, default."""
        tags = (f"{tag}:{value}" for tag, value in spec.tags.items())
        for key in (spec.data, f"{spec.name}:{spec.root}", *tags, spec.type, "default"):
            if key in self.backends:
                yield self.backends[key]


def default_settings(data: Path, **server: Any) -> Settings:
    """Settings without a file: one LevelDB in a folder."""
    return Settings(
        server=ServerSettings(**server),
        stores={"main": StoreSettings(engine="leveldb", path=str(data / "leveldb"))},
    )
