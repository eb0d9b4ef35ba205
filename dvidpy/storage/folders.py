"""Whose folder is it? Looked at before an engine opens it: opening another program's store may change it.

A folder of ours holds the file `DVIDPY`. Nothing else is asked of it: LevelDB leaves files alone that it does not know.
"""

from __future__ import annotations

from pathlib import Path

from dvidpy.errors import StoreError

MARK = "DVIDPY"
_TEXT = "A store of dvidpy, in LevelDB's format. Do not change anything in this folder.\n"
_NO_CONTENT = frozenset({MARK, "lost+found"})
_SIGNS = {"badger": ("*.vlog", "KEYREGISTRY"), "basholeveldb": ("sst_*",)}
"""Files that only those programs make."""


def claim(path: Path, *, known_as: str) -> None:
    """Mark an empty folder as ours, made where there is none; StoreError where it is somebody else's.

    `known_as` is the engine of the configuration. A LevelDB without our mark is opened only where it says leveldb.
    """
    demand_ours(path, known_as=known_as)
    if _is_empty(path):
        mark(path)


def demand_ours(path: Path, *, known_as: str) -> None:
    """StoreError where a folder is somebody else's; nothing is written."""
    try:
        if _is_empty(path):
            return
        found = _stranger(path, known_as)
    except OSError as error:
        raise StoreError(f"cannot open the store in {path}: {error}") from error
    if found:
        raise StoreError(
            f"{path} holds {found}, which dvidpy does not read and leaves alone: "
            "name an empty folder, and copy the data over HTTP"
        )


def mark(path: Path) -> None:
    """Say that a folder is ours."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not (path / MARK).exists():
            (path / MARK).write_text(_TEXT)
    except OSError as error:
        raise StoreError(f"cannot open the store in {path}: {error}") from error


def _is_empty(path: Path) -> bool:
    return not path.exists() or not any(
        file.name not in _NO_CONTENT and not file.name.startswith(".") for file in path.iterdir()
    )


def _stranger(path: Path, known_as: str) -> str:
    """What a folder holds that is not ours; empty where it is, or may be."""
    for engine, patterns in _SIGNS.items():
        if any(next(path.glob(pattern), None) for pattern in patterns):
            return f"a store of the engine {engine}"
    if (path / MARK).exists():
        return ""
    if not (path / "CURRENT").exists():
        return "files of another program"
    return "" if known_as == "leveldb" else f"a store, perhaps of the engine {known_as},"
