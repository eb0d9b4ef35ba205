"""Datatypes enter by the entry-point group `dvidpy.datatypes`: each names a module's `DATATYPES`, a tuple of DataType.

Built-in types use the same door (pyproject.toml); the list below only stands in where the package is run from
sources that were never installed. The example to copy is `dvidpy/datatypes/keyvalue/`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from dvidpy.datatypes.base import TYPES, DataType
from dvidpy.versioning.duties import DUTIES

GROUP = "dvidpy.datatypes"
BUILT_IN = tuple(f"dvidpy.datatypes.{folder}:DATATYPES" for folder in ("imageblk", "keyvalue", "roi", "tarsupervoxels"))


def load_types() -> dict[str, DataType]:
    """All datatypes by name, sorted."""
    if not TYPES:
        doors = {point.value for point in entry_points(group=GROUP)} | set(BUILT_IN)
        found = [kind for door in sorted(doors) for kind in _enter(door)]
        TYPES.update({kind.name: kind for kind in sorted(found, key=lambda kind: kind.name)})
        DUTIES.update({kind.name: kind.duties for kind in TYPES.values()})
    return TYPES


def _enter(door: str) -> tuple[DataType, ...]:
    module, _, name = door.partition(":")
    types: tuple[DataType, ...] = getattr(import_module(module), name)
    return types
