"""Engines by name, and opening them. To add a backend: one module beside this one and one line here.

`basholeveldb` and `badger` are engines of the reference: a configuration that names them is served, on a LevelDB in
their folder, unless the folder already holds such a store.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from dvidpy.errors import StoreError
from dvidpy.storage import folders
from dvidpy.storage.kv import KeyValueStore

Opener = Callable[[str], KeyValueStore]


def _leveldb(path: str, *, known_as: str) -> KeyValueStore:
    from dvidpy.storage.leveldb import LevelStore

    if not path:
        raise StoreError(f"a {known_as} store needs a path")
    folders.claim(Path(path), known_as=known_as)
    return LevelStore(Path(path))


def _memory(path: str) -> KeyValueStore:
    from dvidpy.storage.memory import MemoryStore

    return MemoryStore()


LEVELDB = ("leveldb", "basholeveldb", "badger")
"""Engines whose folders are kept by LevelDB."""
ENGINES: dict[str, Opener] = {"memory": _memory, **{name: partial(_leveldb, known_as=name) for name in LEVELDB}}


def open_store(engine: str, path: str) -> KeyValueStore:
    """An open store; StoreError for an unknown engine or a store that cannot be opened."""
    if engine not in ENGINES:
        raise StoreError(f"unknown store engine {engine!r}; there are {', '.join(sorted(ENGINES))}")
    return ENGINES[engine](path)


def demand_ours(engine: str, path: str) -> None:
    """StoreError where the folder of a store is somebody else's; nothing is opened or written."""
    if engine in LEVELDB:
        folders.demand_ours(Path(path), known_as=engine)


def mark_as_ours(engine: str, path: str) -> None:
    """Mark the folder of an open store that was found to be ours, but has no mark yet."""
    if engine in LEVELDB:
        folders.mark(Path(path))
