"""Labels of all bodies in order, as streams from one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import INDEX, label_key, number_of
from dvidpy.datatypes.labelled.sheets import StoredSheets
from dvidpy.datatypes.labels import sheets
from dvidpy.storage.keys import after
from dvidpy.versioning.found import Found

MOST = 10_000_000
"""Labels that are listed at a time."""
TOGETHER = 4096


def listed(data: LabelMap, first: int, number: int, *, sizes: bool) -> Iterator[bytes]:
    """Little-endian uint64 labels from one on, with sizes each before its voxels; no index is read without them."""
    number = min(number, MOST)
    if sizes:
        pairs = islice(data.view.range(label_key(first), after(INDEX)), number)
        rows: Iterable[int] = (each for key, found in pairs for each in (number_of(key), _voxels(found)))
    else:
        rows = islice(data.labels(first), number)
    return (np.array(some, "<u8").tobytes() for some in _batched(rows))


def as_json(labels: Iterable[int]) -> Iterator[bytes]:
    """A JSON list, in pieces."""
    separator = b"["
    for some in _batched(labels):
        yield separator + ",".join(map(str, some)).encode()
        separator = b","
    yield b"[]" if separator == b"[" else b"]"


def _batched(numbers: Iterable[int]) -> Iterator[list[int]]:
    source = iter(numbers)
    return iter(lambda: list(islice(source, TOGETHER)), [])


def _voxels(found: Found) -> int:
    return sheets.decode(found.read(), StoredSheets(found.view)).voxels
