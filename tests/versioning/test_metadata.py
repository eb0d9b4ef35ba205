from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import plyvel
import pytest

from dvidpy.config import Settings
from dvidpy.errors import StoreError
from dvidpy.storage.leveldb import LevelStore
from dvidpy.storage.memory import MemoryStore
from dvidpy.versioning import metadata
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.metadata import COUNTERS_KEY, FORMAT, FORMAT_KEY, Counters


def test_an_empty_store_is_marked_as_ours_once() -> None:
    store = MemoryStore()
    metadata.prepare(store)
    mark = store.get(FORMAT_KEY)
    assert mark is not None
    assert msgspec.json.decode(mark)["format"] == FORMAT
    metadata.prepare(store)
    assert store.get(FORMAT_KEY) == mark


@pytest.mark.parametrize("number", [0, FORMAT + 1, 99, None, "1"])
def test_a_store_of_another_format_is_refused_by_number(number: object) -> None:
    store = MemoryStore()
    store.batch([(FORMAT_KEY, msgspec.json.encode({"format": number, "store": "x"}))])
    with pytest.raises(StoreError, match=f"has format {number}, this program knows format {FORMAT}"):
        metadata.prepare(store)


@pytest.mark.parametrize("key", [b"\x00", b"\x00\x01", b"key", b"\xff"])
def test_a_foreign_store_is_refused_and_not_touched(key: bytes) -> None:
    store = MemoryStore()
    store.batch([(key, b"value")])
    with pytest.raises(StoreError, match="holds data of another program"):
        metadata.prepare(store)
    assert list(store.scan(b"", b"\xff" * 8)) == [(key, b"value")]


@pytest.mark.parametrize("mark", [b"", b"nonsense", b"[1]", b"\xff\xfe", b"1", b'{"format": '])
def test_a_store_whose_mark_is_none_is_refused(mark: bytes) -> None:
    store = MemoryStore()
    store.batch([(FORMAT_KEY, mark)])
    with pytest.raises(StoreError, match="holds data of another program"):
        metadata.prepare(store)


def test_a_refused_store_is_let_go_of(settings: Settings, tmp_path: Path) -> None:
    """Its lock too: another program may open it at once."""
    folder = tmp_path / "leveldb"
    with closing(LevelStore(folder)) as foreign:
        foreign.batch([(b"key", b"value")])
    with pytest.raises(StoreError, match="another program") as refused:
        Datastore(settings)
    with closing(plyvel.DB(str(folder))) as again:
        assert again.get(b"key") == b"value"
    assert "leveldb" in str(refused.value)


def test_numbers_and_counters() -> None:
    store = MemoryStore()
    assert metadata.read_number(store, b"\x00\x02") == 0
    store.batch([(b"\x00\x02", metadata.write_number(10**12))])
    assert metadata.read_number(store, b"\x00\x02") == 10**12
    assert metadata.load(store) == (Counters(1, 1, 1), [])
    store.batch([(COUNTERS_KEY, metadata.encode(Counters(4, 9, 2)))])
    assert metadata.load(store)[0] == Counters(4, 9, 2)
