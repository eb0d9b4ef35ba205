"""Many new elements of one place, put together list by list instead of element by element.

`Book` can replace what is there; this only adds, which is what bulk loads do. Of the elements one buffer with their
texts is kept, and numbers in arrays, so that memory does not grow with what Python makes of an element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.elements import KIND_NUMBERS, TOGETHER, Element, Text
from dvidpy.datatypes.annotation.keys import (
    BLOCK,
    PLACED,
    RELATED,
    RELATED_TO,
    block_key,
    blocks_of_place,
    label_prefix,
    placed_key,
    tag_prefix,
)
from dvidpy.datatypes.bodies import Labels
from dvidpy.datatypes.events import ROW
from dvidpy.datatypes.voxels.grid import index_key, row_spans
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.commits import Change
from dvidpy.versioning.store import View

ENOUGH = 64
"""Elements of a place for which this is worth while."""
Points = NDArray[np.int64]
Places = NDArray[np.int64]
"""Numbers of elements, in the order they were posted."""


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
        self._text = bytearray()
        self._bounds = np.zeros((len(points), 3), np.int64)
        """Of each text: where it begins, where its relationships begin, where it ends."""
        self._kinds = np.zeros(len(points), np.uint8)
        self._labels: Labels = np.zeros(len(points), np.uint64)
        self._tagged: dict[str, list[int]] = {}
        self._related: list[NDArray[np.int32]] = []

    @classmethod
    def of(cls, view: View, block: Zyx, points: Points, *, fresh: bool = False) -> Arrivals | None:
        """For (n, 3) points x, y, z of one place, all different; None where there is an element already.

        `fresh`: the version has no elements at all.
        """
        fresh = fresh or _is_fresh(view, block, points[0])
        stored = {} if fresh else _stored_blocks(view, block, points)
        taken = {one for text in stored.values() for one in elements.points_of(text)}
        if taken and not taken.isdisjoint(map(tuple, points.tolist())):
            return None
        return cls(view, block, points, stored, fresh=fresh)

    def take(self, texts: Sequence[Text], numbers: Sequence[int], labels: Labels) -> None:
        """The elements themselves, in the order of the points; BadRequest for what is none, by its number."""
        self._labels = labels
        for first in range(0, len(texts), TOGETHER):
            past = first + TOGETHER
            found = elements.parse(texts[first:past], numbers[first:past])
            for number, element in enumerate(found, first):
                self._enter(number, element)
            rows = [(*relation.To, *one.Pos) for one in found for relation in one.Rels or ()]
            self._related.append(np.array(rows, np.int32).reshape(-1, 6))

    def _enter(self, number: int, element: Element) -> None:
        forms = elements.write(elements.filled(element))
        begin = len(self._text)
        self._text += forms.full
        self._bounds[number] = begin, begin + len(forms.bare) - 1, begin + len(forms.full)
        self._kinds[number] = KIND_NUMBERS[element.Kind]
        for tag in dict.fromkeys(element.Tags or ()):
            self._tagged.setdefault(tag, []).append(number)

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
        for key, value in self._values():
            self._view.put(change, key, value)

    def _values(self) -> Iterator[tuple[bytes, bytes]]:
        text = memoryview(self._text)
        blocks = self._points // self._size
        for places in _grouped(*blocks.T):
            block = _zyx(blocks[places[0]])
            key = block_key(block)
            yield key, _added(self._stored.get(key), self._joined(text, places, bare=False))
            inside = places[self._labels[places] != 0]
            if inside.size:
                yield placed_key(block), self._placed(placed_key(block), inside)
        for prefix, places in self._lists():
            key = prefix + self._place
            yield key, _added(self._before(key), self._joined(text, places, bare=True))
        yield from self._relations()

    def _lists(self) -> Iterator[tuple[bytes, Places]]:
        for tag, numbers in self._tagged.items():
            yield tag_prefix(tag), np.array(numbers)
        inside = np.flatnonzero(self._labels)
        for places in _grouped(self._labels[inside]):
            yield label_prefix(int(self._labels[inside[places[0]]])), inside[places]

    def _joined(self, text: memoryview, places: Places, *, bare: bool) -> bytes:
        bounds = self._bounds[places]
        spans = zip(bounds[:, 0].tolist(), bounds[:, 1 if bare else 2].tolist(), strict=True)
        pieces = [text[begin:end] for begin, end in spans]
        return b"},".join(pieces) + b"}" if bare else b",".join(pieces)

    def _before(self, key: bytes) -> bytes | None:
        return None if self._fresh else self._view.get(key)

    def _placed(self, key: bytes, inside: Places) -> bytes:
        found = np.zeros(inside.size, PLACED)
        found["x"], found["y"], found["z"] = self._points[inside].T
        found["kind"], found["label"] = self._kinds[inside], self._labels[inside]
        before = np.frombuffer(self._before(key) or b"", PLACED)
        return np.sort(np.concatenate([before, found]), order=["x", "y", "z"]).tobytes()

    def _relations(self) -> Iterator[tuple[bytes, bytes]]:
        found = np.concatenate(self._related)
        to = found[:, :3].astype(np.int64) // self._width
        for places in _grouped(*to.T):
            key = RELATED_TO + index_key(_zyx(to[places[0]])) + self._place
            rows = found[places].astype("<i4").tobytes() + (self._before(key) or b"")
            yield key, np.unique(np.frombuffer(rows, f"S{RELATED.itemsize}")).tobytes()


def _added(before: bytes | None, texts: bytes) -> bytes:
    """A stored list with more behind it."""
    return b"[%b]" % texts if before is None or len(before) <= len(b"[]") else b"%b,%b]" % (before[:-1], texts)


def _grouped(*numbers: NDArray[np.generic]) -> Iterator[Places]:
    """Which have the same numbers, each group in the order given."""
    if not len(numbers[0]):
        return
    order = np.lexsort(numbers)
    changes = np.zeros(len(order) - 1, np.bool_)
    for one in numbers:
        changes |= one[order][1:] != one[order][:-1]
    cuts = [0, *(np.flatnonzero(changes) + 1).tolist(), len(order)]
    yield from (order[first:last] for first, last in pairwise(cuts))


def _zyx(numbers: NDArray[np.int64]) -> Zyx:
    x, y, z = numbers.tolist()
    return z, y, x


def _is_fresh(view: View, block: Zyx, point: NDArray[np.int64]) -> bool:
    """No block of the place of a point was ever written; then no list was either."""
    sides = blocks_of_place(block)
    z, y, x = (int(at) // side // wide * wide for at, side, wide in zip(point[::-1], block, sides, strict=True))
    spans = row_spans(BLOCK, Box((z, y, x), sides))
    return not any(True for start, stop in spans for _ in view.keys(start, stop))


def _stored_blocks(view: View, block: Zyx, points: Points) -> dict[bytes, bytes]:
    touched: Iterable[list[int]] = np.unique(points // np.array(block[::-1]), axis=0).tolist()
    found = ((key, view.get(key)) for key in (block_key((z, y, x)) for x, y, z in touched))
    return {key: text for key, text in found if text is not None}
