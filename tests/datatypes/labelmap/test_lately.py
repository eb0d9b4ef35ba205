from __future__ import annotations

import numpy as np
import pytest

from dvidpy.datatypes.labelled import lately
from dvidpy.datatypes.labelled.lately import SHORT, Lately
from dvidpy.datatypes.labels.blocks import LabelBlock, from_volume
from dvidpy.datatypes.labels.packing import GzipPart, gzip_end


def block_of(seed: int) -> LabelBlock:
    return from_volume(np.random.default_rng(seed).integers(1, 99, (8, 8, 8)).astype(np.uint64))


class Loading:
    def __init__(self) -> None:
        self.loaded: list[int] = []

    def __call__(self, seed: int) -> LabelBlock:
        self.loaded.append(seed)
        return block_of(seed)


def stored(seed: int, middle: bytes = b"") -> bytes:
    return b"%064d" % seed + middle.ljust(SHORT, b"-") + b"%016d" % seed


def test_a_block_is_unpacked_once() -> None:
    kept, load = Lately(), Loading()
    first = kept.block(stored(1), lambda: load(1))
    assert kept.block(stored(1), lambda: load(1)) is first
    assert kept.find(stored(1)) is first
    assert kept.find(stored(2)) is None
    assert load.loaded == [1]


def test_what_is_stored_otherwise_is_another_block() -> None:
    kept, load = Lately(), Loading()
    kept.block(stored(1), lambda: load(1))
    kept.block(stored(1, b"changed"), lambda: load(2))
    assert load.loaded == [1, 2]
    assert kept.find(stored(1)) is None
    assert kept.find(stored(1, b"changed")) is not None


def test_what_takes_no_time_is_not_kept() -> None:
    kept, load = Lately(), Loading()
    for _ in range(2):
        kept.block(b"x" * (SHORT - 1), lambda: load(1))
    assert load.loaded == [1, 1]


def test_those_not_read_for_longest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, block = Lately(), block_of(0)
    size = lately.ENTRY + len(stored(0)) + sum(part.nbytes for part in block[1:])
    monkeypatch.setattr(lately, "ROOM", 3 * size)
    for seed in (1, 2, 1, 3, 4):
        kept.block(stored(seed), lambda: block)
    assert [seed for seed in (1, 2, 3, 4) if kept.find(stored(seed))] == [1, 3, 4]


def test_what_is_behind_the_labels_is_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, packed = Lately(), []

    def pack() -> GzipPart:
        packed.append(1)
        return gzip_end(bytes(100))

    kept.end(stored(1), pack)
    assert kept.end(stored(1), pack) == gzip_end(bytes(100))
    assert packed == [1, 1], "the block is not here"
    kept.block(stored(1), lambda: block_of(1))
    assert kept.end(stored(1), pack) == kept.end(stored(1), pack)
    assert len(packed) == 3
    monkeypatch.setattr(lately, "ROOM", 0)
    kept.block(stored(2), lambda: block_of(2))
    kept.end(stored(1), pack)
    assert len(packed) == 4
    assert kept.find(stored(1)) is kept.find(stored(2)) is None
