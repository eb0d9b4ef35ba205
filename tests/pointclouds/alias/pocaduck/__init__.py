"""dvidpy.pointclouds by the name of PoCADuck, so that programs and tests written for it run against it."""

from __future__ import annotations

import sys

from dvidpy.pointclouds import Ingestor, Query, StorageConfig, ingestor, query, storage_config

for name, module in (("ingestor", ingestor), ("query", query), ("storage_config", storage_config)):
    sys.modules[f"{__name__}.{name}"] = module

__all__ = ["Ingestor", "Query", "StorageConfig"]
