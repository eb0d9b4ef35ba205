from __future__ import annotations

from pathlib import Path

from contracts.kv_contract import KeyValueContract

from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.memory import MemoryStore


class TestMemory(KeyValueContract):
    keeps_values = False

    def make(self, folder: Path) -> KeyValueStore:
        return MemoryStore()
