"""In which folders the JSON lines of a store lie: beside it, or where the configuration says.

The lines are derived from the records in the store. Where the configuration names another folder than it did, they are
written there again, all of them, at the next start.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from dvidpy.config import Settings
from dvidpy.errors import StoreError
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.log import JsonLines
from dvidpy.versioning.catalogue import Catalogue
from dvidpy.versioning.metadata import LOG_MARK, LOG_PLACES, write_number


def open_lines(
    settings: Settings, name: str, store: KeyValueStore, catalogue: Catalogue, scratch: Path | None
) -> JsonLines:
    """The JSON-lines files of a store; `scratch` is a folder for a store that has no place of its own."""
    logs = {rule.log for rule in settings.backends.values()} | {i.log for i in catalogue.instances().values()} | {""}
    folders = _folders(settings, name, logs, scratch)
    _remember(store, Path(settings.stores[name].path or "/"), folders)
    default = folders[""]

    def place(file: str) -> Path:
        instance = catalogue.of_data(file.partition("-")[0])
        return folders.get(instance.log, default) if instance is not None else _where(file, folders)

    try:
        return JsonLines(default, *set(folders.values()) - {default}, place=place)
    except OSError as error:
        raise StoreError(f"cannot open the log of mutations in {default}: {error}") from error


def _folders(settings: Settings, name: str, logs: set[str], scratch: Path | None) -> dict[str, Path]:
    """Name of a log -> folder; that of the empty name is for all that have no log."""
    beside = scratch / name if scratch else _beside(Path(settings.stores[name].path))
    found = {log: settings.log_folder(log) for log in sorted(logs)}
    return {log: folder / name if folder else beside for log, folder in found.items()}


def _beside(path: Path) -> Path:
    return path.parent / f"{path.name}-mutations"


def _where(file: str, folders: Mapping[str, Path]) -> Path:
    """The folder that has the file of an instance that is gone."""
    return next((folder for folder in folders.values() if (folder / f"{file}.jsonl").exists()), folders[""])


def _remember(store: KeyValueStore, path: Path, folders: Mapping[str, Path]) -> None:
    """Keep the folders, relative to the store: so both may be moved together. Where one differs, start over."""
    now = {log: os.path.relpath(folder, path) for log, folder in folders.items()}
    stored = store.get(LOG_PLACES)
    before = msgspec.json.decode(stored, type=dict[str, str]) if stored else {}
    if before | now == before:
        return
    puts = [(LOG_PLACES, msgspec.json.encode(before | now))]
    if any(before[log] != now[log] for log in before.keys() & now):
        structlog.get_logger().warning("the folder of the mutation log is a new one: it is written there again")
        puts.append((LOG_MARK, write_number(0)))
    store.batch(puts, sync=True)
