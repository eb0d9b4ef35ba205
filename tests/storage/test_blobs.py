from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dvidpy.errors import BadRequest, StoreError
from dvidpy.storage import keys
from dvidpy.storage.blobs import PART, BlobFolder, BlobPlace, Blobs, FirstOf
from dvidpy.storage.memory import MemoryStore

PLACES: list[Callable[[Path], BlobPlace]] = [
    lambda folder: Blobs(MemoryStore()),
    lambda folder: BlobFolder(folder / "blobs"),
    lambda folder: FirstOf(BlobFolder(folder / "blobs"), Blobs(MemoryStore())),
]


@pytest.fixture(params=PLACES, ids=["store", "folder", "several"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobPlace:
    place: BlobPlace = request.param(tmp_path)
    return place


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART + 5])
def test_a_blob_comes_back_under_its_reference(blobs: BlobPlace, size: int) -> None:
    value = b"\x07" * size
    reference = blobs.put(value)
    assert blobs.get(reference) == value
    assert blobs.put(value) == reference == Blobs(MemoryStore()).put(value)


def test_what_was_never_put_is_not_there(blobs: BlobPlace) -> None:
    assert blobs.get("8UtYSGSD2U9wgDh5jClpfw==") is None


def test_the_same_content_is_kept_once() -> None:
    store = MemoryStore()
    blobs = Blobs(store)
    assert blobs.put(b"mesh") == blobs.put(b"mesh")
    assert len(list(store.scan_keys(keys.BLOBS, keys.after(keys.BLOBS)))) == 1


def test_a_blob_whose_first_part_never_came_is_not_there() -> None:
    """Part 0 is written last: a crash in the middle leaves nothing that is visible."""
    store = MemoryStore()
    blobs = Blobs(store)
    reference = blobs.put(bytes(3 * PART))
    store.batch((), [next(iter(store.scan_keys(keys.BLOBS, keys.after(keys.BLOBS))))])
    assert blobs.get(reference) is None


@pytest.mark.parametrize("reference", ["", "x", "8UtYSGSD2U9wgDh5jClpf", "é" * 24])
def test_what_can_be_no_reference_is_refused(blobs: BlobPlace, reference: str) -> None:
    with pytest.raises(BadRequest, match="no blob reference"):
        blobs.get(reference)


# ---------------------------------------------------------------------- folders of files
def test_a_folder_keeps_a_file_a_blob(tmp_path: Path) -> None:
    for _ in range(2):
        reference = BlobFolder(tmp_path).put(b"mesh")
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.read_bytes() == b"mesh"
    assert file.parent.name == file.name[:2]
    assert BlobFolder(tmp_path).get(reference) == b"mesh"


def test_a_blob_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("dvidpy.storage.blobs.os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        BlobFolder(tmp_path).put(b"mesh")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot open the folder of blobs"):
        BlobFolder(tmp_path / "file")


def test_blobs_are_kept_in_the_first_place_and_found_in_all() -> None:
    first, second = Blobs(MemoryStore()), Blobs(MemoryStore())
    old, new = second.put(b"old"), FirstOf(first, second).put(b"new")
    assert FirstOf(first, second).get(old) == b"old"
    assert first.get(new) == b"new"
    assert second.get(new) is None
