"""Many new elements of one place, put together list by list instead of element by element.

`Book` can replace what is there; this only adds, which is what bulk loads do. Of the elements their texts are kept, and
numbers in arrays, so that memory does not grow with what Python makes of an element.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.elements import KIND_NUMBERS, TOGETHER, Element, Listed
from dvidpy.datatypes.annotation.keys import (
    PLACED,
    RELATED,
    RELATED_TO,
    block_key,
    blocks_of_place,
    label_prefix,
    placed_key,
    tag_prefix,
)
from dvidpy.datatypes.annotation.near import Near, grouped_by
from dvidpy.datatypes.bodies import Labels
from dvidpy.datatypes.events import ROW
from dvidpy.datatypes.voxels.grid import index_key
from dvidpy.geometry import Zyx
from dvidpy.versioning.commits import Change
from dvidpy.versioning.store import View

ENOUGH = 64
"""Elements of a place for which this is worth while."""
MANY = 256
"""Lists that are looked up together."""
Points = NDArray[np.int64]
Grown = tuple[bytes, Callable[[bytes | None], bytes]]
"""Type key, and what is stored there instead of what there was."""


class Arrivals:
    """New elements of a place; `of` makes one where nothing is in their way."""

    def __init__(self, view: View, block: Zyx, points: Points, stored: dict[bytes, bytes], *, fresh: bool) -> None:
        self._view = view
        self._points = points
        self._stored = stored
        """What the blocks have, by type key."""
        self._fresh = fresh
        """Nothing was ever stored in this place."""
        self._size = np.array(block[::-1], np.int64)
        self._width = self._size * np.array(blocks_of_place(block)[::-1])
        self._place = index_key(_zyx(points[0] // self._width))
        self._texts: list[bytes] = []
        """Their full forms."""
        self._kinds = np.zeros(len(points), np.uint8)
        self._labels: Labels = np.zeros(len(points), np.uint64)
        self._tagged: dict[str, list[int]] = {}
        self._related: list[NDArray[np.int32]] = []

    @classmethod
    def of(cls, view: View, block: Zyx, points: Points, near: Near) -> Arrivals | None:
        """For (n, 3) points x, y, z of one place, all different; None where there is an element already."""
        return None if near.meets(points) else cls(view, block, points, near.stored, fresh=near.fresh)

    def take(self, listed: Listed, numbers: Sequence[int], labels: Labels) -> None:
        """The elements themselves, in the order of the points; BadRequest for what is none, by its number."""
        self._labels = labels
        for first in range(0, len(numbers), TOGETHER):
            some = [_filled(one) for one in listed.elements(numbers[first : first + TOGETHER])]
            self._texts += elements.write_all(some)
            self._kinds[first : first + len(some)] = [KIND_NUMBERS[one.Kind] for one in some]
            for number, one in enumerate(some, first):
                for tag in dict.fromkeys(one.Tags or ()):
                    self._tagged.setdefault(tag, []).append(number)
            rows = [(*relation.To, *one.Pos) for one in some for relation in one.Rels or ()]
            self._related.append(np.array(rows, np.int32).reshape(-1, 6))

    # ------------------------------------------------------------------ changes
    def rows(self) -> NDArray[np.void]:
        """Rows of `events.ROW`: what labels gained."""
        inside = np.flatnonzero(self._labels)
        found = np.zeros(inside.size, ROW)
        found["x"], found["y"], found["z"] = self._points[inside].T
        found["kind"], found["sign"], found["label"] = self._kinds[inside], 1, self._labels[inside]
        return found

    def write(self, change: Change) -> None:
        """Add everything to an edit."""
        for key, texts in self._blocks():
            self._view.put(change, key, _added(self._stored.get(key), b",".join(texts)))
        grown = chain(self._placed(), self._lists(), self._relations())
        while some := list(islice(grown, MANY)):
            before = self._before(change, [key for key, _ in some])
            for (key, value_of), stored in zip(some, before, strict=True):
                self._view.put(change, key, value_of(stored))

    def _before(self, change: Change, keys: list[bytes]) -> Sequence[bytes | None]:
        """What stands there, looked up together."""
        if self._fresh:
            return [None] * len(keys)
        found = self._view.find_many(keys, change)
        return [None if one is None else one.read() for one in found]

    def _blocks(self) -> Iterator[tuple[bytes, list[bytes]]]:
        blocks = self._points // self._size
        for places in grouped_by(*blocks.T):
            yield block_key(_zyx(blocks[places[0]])), [self._texts[place] for place in places.tolist()]

    def _placed(self) -> Iterator[Grown]:
        inside = np.flatnonzero(self._labels)
        rows = np.zeros(inside.size, PLACED)
        rows["x"], rows["y"], rows["z"] = self._points[inside].T
        rows["kind"], rows["label"] = self._kinds[inside], self._labels[inside]
        blocks = self._points[inside] // self._size
        for places in grouped_by(*blocks.T):
            own = rows[places].tobytes()
            yield placed_key(_zyx(blocks[places[0]])), partial(_sorted, own)

    def _lists(self) -> Iterator[Grown]:
        bare = [text[: elements.end_of_bare(text)] for text in self._texts]
        for tag, numbers in self._tagged.items():
            yield tag_prefix(tag) + self._place, partial(_longer, [bare[number] for number in numbers])
        inside = np.flatnonzero(self._labels)
        for places in grouped_by(self._labels[inside]):
            texts = [bare[number] for number in inside[places].tolist()]
            yield label_prefix(int(self._labels[inside[places[0]]])) + self._place, partial(_longer, texts)

    def _relations(self) -> Iterator[Grown]:
        found = np.concatenate(self._related)
        to = found[:, :3].astype(np.int64) // self._width
        for places in grouped_by(*to.T):
            key = RELATED_TO + index_key(_zyx(to[places[0]])) + self._place
            yield key, partial(_united, found[places].astype("<i4").tobytes())


def _filled(element: Element) -> Element:
    whole = element.Tags is not None and element.Prop is not None and element.Rels is not None
    return element if whole else elements.filled(element)


def _sorted(own: bytes, before: bytes | None) -> bytes:
    """Rows of `PLACED`, by point."""
    rows = np.frombuffer(own + (before or b""), PLACED)
    return rows[np.lexsort((rows["z"], rows["y"], rows["x"]))].tobytes()


def _longer(bare: list[bytes], before: bytes | None) -> bytes:
    return _added(before, b"},".join(bare) + b"}")


def _united(own: bytes, before: bytes | None) -> bytes:
    """Rows of `RELATED`, each once."""
    return np.unique(np.frombuffer(own + (before or b""), f"S{RELATED.itemsize}")).tobytes()


def _added(before: bytes | None, texts: bytes) -> bytes:
    """A stored list with more behind it."""
    return b"[%b]" % texts if before is None or len(before) <= len(b"[]") else b"%b,%b]" % (before[:-1], texts)


def _zyx(numbers: NDArray[np.int64]) -> Zyx:
    x, y, z = numbers.tolist()
    return z, y, x
