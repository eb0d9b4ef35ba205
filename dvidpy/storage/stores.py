"""Engines by name, and opening them. To add a backend: one module beside this one and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dvidpy.errors import StoreError
from dvidpy.storage.kv import KeyValueStore

Opener = Callable[[str, Mapping[str, Any]], KeyValueStore]


def _leveldb(path: str, options: Mapping[str, Any]) -> KeyValueStore:
    from dvidpy.storage.leveldb import LevelStore

    if not path:
        raise StoreError("a leveldb store needs a path")
    return LevelStore(Path(path))


def _memory(path: str, options: Mapping[str, Any]) -> KeyValueStore:
    from dvidpy.storage.memory import MemoryStore

    return MemoryStore()


ENGINES: dict[str, Opener] = {"leveldb": _leveldb, "memory": _memory}


def open_store(engine: str, path: str, options: Mapping[str, Any]) -> KeyValueStore:
    """An open store; StoreError for an unknown engine or a store that cannot be opened."""
    if engine not in ENGINES:
        raise StoreError(f"unknown store engine {engine!r}; there are {', '.join(sorted(ENGINES))}")
    return ENGINES[engine](path, options)
