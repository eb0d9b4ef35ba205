from __future__ import annotations

import pytest

from dvidpy.errors import BadRequest
from dvidpy.storage import keys
from dvidpy.storage.blobs import PART, Blobs
from dvidpy.storage.memory import MemoryStore


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART + 5])
def test_a_blob_comes_back_under_its_reference(size: int) -> None:
    blobs = Blobs(MemoryStore())
    value = b"\x07" * size
    assert blobs.get(blobs.put(value)) == value


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
def test_what_can_be_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(BadRequest, match="no blob reference"):
        Blobs(MemoryStore()).get(reference)
