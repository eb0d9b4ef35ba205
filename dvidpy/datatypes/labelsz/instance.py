"""How many elements of each kind the labels of a version have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.bodies import Placed, followed
from dvidpy.datatypes.labelsz.counts import Counts, Labels, added
from dvidpy.datatypes.labelsz.keys import ALL, CHUNK_BITS, COUNTS, SOURCE, chunk_key
from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.voxels.masks import Region, find_region
from dvidpy.errors import BadRequest
from dvidpy.versioning.commits import Change
from dvidpy.versioning.found import Found


class LabelSizes(Data):
    """Counts, as one version sees them."""

    __slots__ = ()

    def extended(self) -> dict[str, Any]:
        """The region that counts, in the reference's words."""
        return {"StaticROI": self.instance.settings["ROI"]}

    # ------------------------------------------------------------------ reading
    def of(self, labels: Sequence[int]) -> NDArray[np.int64]:
        """(n, 4) counts of labels, in that order."""
        wanted = np.array(labels, np.uint64)
        out = np.zeros((wanted.size, 4), np.int64)
        chunks = wanted >> np.uint64(CHUNK_BITS)
        different, which = np.unique(chunks, return_inverse=True)
        stored = self.view.read_many(chunk_key(int(chunk) << CHUNK_BITS) for chunk in different)
        for number, value in enumerate(stored):
            counts = _decode(value)
            if counts.size:
                places = np.flatnonzero(which == number)
                at = np.searchsorted(counts["label"], wanted[places]).clip(0, counts.size - 1)
                there = counts["label"][at] == wanted[places]
                out[places[there]] = counts["counts"][at[there]]
        return out

    def everything(self) -> Counts:
        """Counts of all labels."""
        found = [_decode(value.read()) for _, value in self.view.range(*ALL)]
        return np.concatenate(found) if found else np.empty(0, COUNTS)

    def is_empty(self) -> bool:
        """Nothing is counted."""
        return next(self.view.keys(*ALL), None) is None

    # ------------------------------------------------------------------ what counts
    def source(self) -> Placed | None:
        """What it counts the elements of."""
        return next((found for found in followed(self) if isinstance(found, Placed)), None)

    def source_uuid(self) -> str:
        """Uuid of that data."""
        found = self.source()
        return found.instance.uuid if isinstance(found, Data) else ""

    def complete(self) -> bool:
        """All elements of what it follows are counted, not only those that came since."""
        stored = self.view.get(SOURCE)
        return bool(stored) and stored == self.source_uuid().encode()

    def inside(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Rows of elements that count: all, or those in the region given at creation. One that is gone holds none."""
        named = self.instance.settings["ROI"]
        if not named:
            return rows
        region = self._region(named)
        if region is None:
            return rows[:0]
        points = np.stack([rows["z"], rows["y"], rows["x"]], axis=1).astype(np.int32)
        return rows[region.holds(points)]

    def _region(self, named: str) -> Region | None:
        try:
            return find_region(self, named)
        except BadRequest:
            return None

    # ------------------------------------------------------------------ writing
    def add(self, change: Change, labels: Labels, changes: NDArray[np.int64]) -> None:
        """Add changes of counts to an edit."""
        for first, last in _chunks(labels):
            key = chunk_key(int(labels[first]))
            counts = added(_decode(self.view.get(key)), labels[first:last], changes[first:last])
            if counts.size:
                self.view.put(change, key, counts.tobytes())
            else:
                self.view.delete(change, key)

    def replace(self, change: Change, counts: Counts) -> None:
        """Replace all counts."""
        new = {
            chunk_key(int(counts["label"][first])): counts[first:last].tobytes()
            for first, last in _chunks(counts["label"])
        }
        for key in self.view.keys(*ALL):
            if key not in new:
                self.view.delete(change, key)
        for key, value in new.items():
            if self.view.get(key) != value:
                self.view.put(change, key, value)


def _chunks(labels: Labels) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of the ascending labels of each chunk."""
    chunks = labels >> np.uint64(CHUNK_BITS)
    cuts = (np.flatnonzero(chunks[1:] != chunks[:-1]) + 1).tolist()
    return zip([0, *cuts], [*cuts, labels.size], strict=True) if labels.size else iter(())


def _decode(stored: bytes | Found | None) -> Counts:
    if stored is None:
        return np.empty(0, COUNTS)
    return np.frombuffer(stored.read() if isinstance(stored, Found) else stored, COUNTS)


def settings_of(given: Given) -> dict[str, Any]:
    """What an instance keeps: the region that counts, as "name,version"; BadRequest for any other text."""
    named = given.text("roi")
    if named is not None and (named.count(",") != 1 or not all(named.split(","))):
        raise BadRequest(f"ROI {named[:80]!r} is not a name and a version with a comma between them")
    return {"ROI": named or ""}
