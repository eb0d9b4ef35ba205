"""Point clouds by label: workers write points of labels, block by block; a query gives all points of one.

The names and the results are those of PoCADuck. Needs pyarrow and duckdb (`pip install dvidpy[pointclouds]`), and
nothing of the server but kernels: it stands beside the layers, and the server does not need it to start.

    Ingestor   ingestor.py   points of labels into data files, each with a file that indexes it
    Query      query.py      an index of all of them, and what it says of a label
    optimize   optimizing.py the same points once more, label by label, for fast queries

A store is a folder, of a disk or of an object store ([format](../../docs/internals/pointcloud-format.md)).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvidpy.pointclouds.ingestor import Ingestor
    from dvidpy.pointclouds.optimizing import consolidate_optimized_indices, optimize_point_clouds, shard_labels
    from dvidpy.pointclouds.query import Query
    from dvidpy.pointclouds.storage_config import StorageConfig

__all__ = [
    "Ingestor",
    "Query",
    "StorageConfig",
    "consolidate_optimized_indices",
    "optimize_point_clouds",
    "shard_labels",
]
_HOMES = {"Ingestor": "ingestor", "Query": "query", "StorageConfig": "storage_config"}
"""Modules of the names; all others stand in `optimizing`."""


def __getattr__(name: str) -> Any:
    """Names load with their modules: `columns` alone, which the server uses, needs no duckdb."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'optimizing')}"), name)
