from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from versioning.edits import FIRST, LAST, Chain, contents, delete, put, stored, typekey

from dvidpy.errors import StoreError
from dvidpy.storage import keys
from dvidpy.storage.codecs import Codec
from dvidpy.storage.memory import MemoryStore
from dvidpy.versioning.check import check_datastore, sweep_orphans
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.large import PART, Manifest, Upload, decode_manifest, read_parts, upload_all

THREE = os.urandom(PART) + bytes(PART) + b"the third part"


@pytest.fixture
def chain(datastore: Datastore) -> Chain:
    return Chain(datastore)


def _parts(chain: Chain) -> int:
    return len(stored(chain.datastore.main.store, keys.PARTS))


# ---------------------------------------------------------------------- uploads
@given(st.lists(st.integers(0, 700), max_size=12))
def test_pieces_of_any_size_make_parts_of_one_size(sizes: list[int]) -> None:
    store = MemoryStore()
    whole = bytes(range(256)) * (sum(sizes) * 997 // 256 + 1)
    upload, at = Upload(store, 7, Codec()), 0
    for size in sizes:
        upload.write(memoryview(whole)[at : at + size * 997])
        at += size * 997
    manifest = upload.finish()
    assert manifest.size == upload.size == at
    assert stored(store, keys.PARTS) == manifest.keys(7)
    assert b"".join(read_parts(store, 7, manifest, 0, at)) == whole[:at]


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1])
def test_the_number_of_parts(size: int) -> None:
    store = MemoryStore()
    manifest = upload_all(store, 7, Codec(), bytes(size))
    assert manifest.parts == len(stored(store, keys.PARTS)) == -(-size // PART)
    assert decode_manifest(manifest.encode()) == manifest


def test_every_part_is_synced_before_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    """LevelDB syncs the log file it writes to; parts may stand in the one before."""
    store, synced = MemoryStore(), []
    batch = store.batch

    def noting(puts: list[tuple[bytes, bytes]], deletes: tuple[bytes, ...] = (), *, sync: bool = False) -> None:
        synced.append(sync)
        batch(puts, deletes, sync=sync)

    monkeypatch.setattr(store, "batch", noting)
    upload_all(store, 7, Codec(), THREE)
    assert synced == [True] * 3


def test_an_upload_that_breaks_off_leaves_nothing() -> None:
    store = MemoryStore()
    upload = Upload(store, 7, Codec())
    upload.write(THREE)
    upload.abandon()
    assert stored(store, keys.PARTS) == []


@pytest.mark.parametrize("damaged", [b"", b"x", bytes(27), bytes(29)])
def test_what_is_no_manifest_is_an_error_of_the_store(damaged: bytes) -> None:
    with pytest.raises(StoreError, match="not a manifest"):
        decode_manifest(damaged)


# ---------------------------------------------------------------------- ranges of bytes
class Asked(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def get(self, key: bytes) -> bytes | None:
        self.asked.append(int.from_bytes(key[-4:], "big"))
        return super().get(key)


@pytest.mark.parametrize(
    ("start", "stop", "parts"),
    [
        (0, 0, []),
        (0, 1, [0]),
        (PART - 1, PART, [0]),
        (PART, PART + 1, [1]),
        (PART - 1, PART + 1, [0, 1]),
        (0, 2 * PART, [0, 1]),
        (2 * PART, len(THREE), [2]),
        (0, len(THREE), [0, 1, 2]),
        (len(THREE), len(THREE), []),
    ],
)
def test_a_range_reads_only_the_parts_it_needs(start: int, stop: int, parts: list[int]) -> None:
    store = Asked()
    manifest = upload_all(store, 7, Codec(), THREE)
    assert b"".join(read_parts(store, 7, manifest, start, stop)) == THREE[start:stop]
    assert store.asked == parts


def test_a_range_over_keys_reads_no_part(chain: Chain) -> None:
    put(chain.view(), "big", THREE)
    found = dict(chain.view().range(FIRST, LAST))[typekey("big")]
    assert found.plain_size() == len(THREE)
    assert len(found.stored) < 100


def test_a_missing_part_is_an_error_of_the_store() -> None:
    store = MemoryStore()
    manifest = upload_all(store, 7, Codec(), THREE)
    store.batch((), [manifest.keys(7)[1]])
    with pytest.raises(StoreError, match="part 1 of a large value is missing"):
        list(read_parts(store, 7, manifest, 0, len(THREE)))


# ---------------------------------------------------------------------- parts go with their value
@pytest.mark.parametrize("engine", ["leveldb", "memory"], indirect=True)
def test_overwriting_and_deleting_removes_parts(chain: Chain) -> None:
    put(chain.view(), "a", THREE)
    assert _parts(chain) == 3
    put(chain.view(), "a", THREE[: PART + 1])
    assert _parts(chain) == 2
    put(chain.view(), "b", THREE)
    assert _parts(chain) == 5
    put(chain.view(), "a", b"small")
    assert _parts(chain) == 3
    delete(chain.view(), "b")
    assert _parts(chain) == 0
    assert contents(chain.view()) == {"a": b"small"}


def test_a_child_keeps_the_parts_of_its_parent(chain: Chain) -> None:
    put(chain.view(), "a", THREE)
    parent = chain.commit()
    put(chain.view(), "a", THREE[: PART + 1])
    assert _parts(chain) == 5
    delete(chain.view(), "a")
    assert _parts(chain) == 3
    assert chain.view(parent).get(typekey("a")) == THREE
    assert chain.view().get(typekey("a")) is None


def test_of_two_large_values_of_a_key_in_one_edit_the_parts_of_the_last_stay(chain: Chain) -> None:
    view = chain.view()
    change = view.change()
    view.put(change, typekey("a"), THREE)
    view.put(change, typekey("a"), THREE[::-1])
    view.commit(change)
    assert view.get(typekey("a")) == THREE[::-1]
    assert _parts(chain) == 3


# ---------------------------------------------------------------------- orphans
def test_orphans_are_found_by_check_and_removed_by_sweep(chain: Chain) -> None:
    put(chain.view(), "a", THREE)
    lost = chain.view().upload()
    lost.write(THREE)
    assert _parts(chain) == 5
    report = check_datastore(chain.datastore)
    assert (report.faults, report.counts["orphaned parts"]) == ([], 2)
    assert sweep_orphans(chain.datastore) == 2
    assert _parts(chain) == 3
    assert check_datastore(chain.datastore).counts["orphaned parts"] == 0
    assert chain.view().get(typekey("a")) == THREE


def test_parts_of_another_instance_are_no_excuse(chain: Chain) -> None:
    """The name of an upload counts within its instance."""
    put(chain.view(), "a", THREE)
    key = stored(chain.datastore.main.store, keys.PARTS)[0]
    stray = keys.part_key(99, key[5:21], 0)
    chain.datastore.main.store.batch([(stray, b"\x00x")])
    assert sweep_orphans(chain.datastore) == 1


def test_check_finds_damaged_parts(chain: Chain) -> None:
    put(chain.view(), "a", THREE)
    first, second, _ = stored(chain.datastore.main.store, keys.PARTS)
    store = chain.datastore.main.store
    whole = store.get(first) or b""
    for damaged, fault in ((Codec().encode(b"short"), "bytes, not"), (b"\x02\xff\xff", "unpacked"), (b"", "unpacked")):
        store.batch([(first, damaged)])
        assert [fault in text for text in check_datastore(chain.datastore).faults] == [True]
    store.batch([(first, whole)], [second])
    assert ["is missing" in text for text in check_datastore(chain.datastore).faults] == [True]
    delete(chain.view(), "a")


def test_a_manifest_says_how_many_parts() -> None:
    assert Manifest(bytes(16), 0).parts == 0
    assert Manifest(bytes(16), 10, part=3).parts == 4
    assert Manifest(bytes(16), 1 << 40).parts == 1 << 20
