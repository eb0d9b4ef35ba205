"""What stops a start: above all, what was configured closed is never served open."""

from __future__ import annotations

from collections.abc import Iterator

from dvidpy.config.sections import AuthSettings, ConfigError, StoreSettings
from dvidpy.config.settings import FILE_ENGINES, KEY_VALUE_ENGINES, Settings

NOT_BUILT = ("ngprecomputed", "gbucket", "swift", "kvautobus", "bigtable")
"""Engines of the reference that are not built yet."""


def refuse(settings: Settings) -> None:
    """ConfigError for the first thing that cannot be."""
    _refuse_auth(settings.auth)
    for name, store in settings.stores.items():
        _refuse_store(name, store)
    if not settings.key_value_stores():
        raise ConfigError("no [store.NAME] with a key-value engine")
    for setting, named, engines in _named_stores(settings):
        if named not in settings.stores:
            raise ConfigError(f"{setting} names the store {named!r}, which is not configured")
        if settings.stores[named].engine not in engines:
            raise ConfigError(f"{setting} names the store {named!r}, whose engine is not one of {', '.join(engines)}")
    if "default" not in settings.backends and len(settings.key_value_stores()) > 1:
        raise ConfigError("there are several stores, so backend.default must name one")


def _refuse_auth(auth: AuthSettings) -> None:
    closed = {
        "enforce": auth.enforce.lower() not in ("", "none"),
        "enforce_internal": auth.enforce_internal.lower() not in ("", "none"),
        "public_versions": bool(auth.public_versions),
        "proxy_address": bool(auth.proxy_address),
        **dict.fromkeys(auth.model_extra or {}, True),  # it may be one of the others, misspelt
    }
    found = next((name for name, protects in closed.items() if protects), None)
    if found is not None:
        raise ConfigError(
            f"auth.{found} asks for protection that is not built yet, and what was configured closed is not served "
            "open; without [auth], or with enforce = 'none' alone, everybody may read and write"
        )


def _refuse_store(name: str, store: StoreSettings) -> None:
    engine = store.engine
    if engine in NOT_BUILT:
        raise ConfigError(f"store.{name}: the engine {engine!r} is not built yet")
    if engine not in KEY_VALUE_ENGINES + FILE_ENGINES:
        known = ", ".join(sorted(KEY_VALUE_ENGINES + FILE_ENGINES))
        raise ConfigError(f"store.{name}: unknown store engine {engine!r}; there are {known}")
    if not store.path and engine != "memory":
        raise ConfigError(f"store.{name}: a {engine} store needs a path")
    if store.read_only:
        raise ConfigError(f"store.{name}.ReadOnly is not built yet; server.readonly protects all stores")


def _named_stores(settings: Settings) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(setting, store it names, engines that store may have)."""
    for key, backend in settings.backends.items():
        yield f"backend.{key}", backend.store, KEY_VALUE_ENGINES
        if backend.log:
            yield f"backend.{key}.log", backend.log, ("filelog",)
    if settings.mutations.jsonstore in settings.stores:
        yield "mutations.jsonstore", settings.mutations.jsonstore, ("filelog",)
    if settings.mutations.blobstore:
        yield "mutations.blobstore", settings.mutations.blobstore, (*KEY_VALUE_ENGINES, "filestore")
