"""One edit of the elements of a version: blocks, lists, labels and relationships change together.

Values are read when first touched, changed in memory, and added to the edit by `write`. Whoever has a book holds the
instance's turn (`datatypes.events`).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.elements import KIND_NUMBERS, Element, Point
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
from dvidpy.datatypes.annotation.lists import Texts
from dvidpy.datatypes.events import ROW
from dvidpy.datatypes.voxels.grid import index_key
from dvidpy.geometry import Zyx
from dvidpy.storage.keys import after
from dvidpy.versioning.commits import Change
from dvidpy.versioning.store import View


class Spot(NamedTuple):
    """Where the elements of a block stand in the store."""

    block: bytes
    """Type key of the elements."""
    placed: bytes
    """Type key of their labels."""
    place: bytes
    """End of the type keys of their lists."""


Placed = dict[Point, tuple[int, int]]
"""Kind and label of elements by their points."""
Related = set[bytes]
"""Rows of `RELATED`."""
NOWHERE = (0, 0)
_GAIN, _LOSS = 1, -1
_POINT = Struct("<3i")
_PLACED = Struct("<3iBQ")
"""A row of `PLACED`."""


class Book:
    """Elements and what is made of them. Without a view it begins empty: then it computes what the lists should be."""

    def __init__(self, view: View | None, block: Zyx) -> None:
        self._view = view
        self._block = block
        self._blocks_of_place = blocks_of_place(block)
        self.lists: dict[bytes, Texts] = {}
        self.placed: dict[bytes, Placed] = {}
        self.related: dict[bytes, Related] = {}
        self._spots: dict[Zyx, Spot] = {}
        self._touched: set[bytes] = set()
        self._rows: list[tuple[int, int, int, int, int, int]] = []

    # ------------------------------------------------------------------ where things stand
    def spot(self, at: Point) -> Spot:
        """Where a point's element stands."""
        (x, y, z), (depth, height, width) = at, self._block
        block = (z // depth, y // height, x // width)
        return self._spots.get(block) or self._new_spot(block)

    def _new_spot(self, block: Zyx) -> Spot:
        (z, y, x), (depth, height, width) = block, self._blocks_of_place
        place = index_key((z // depth, y // height, x // width))
        found = self._spots[block] = Spot(block_key(block), placed_key(block), place)
        return found

    def _stored(self, key: bytes) -> bytes | None:
        return None if self._view is None else self._view.get(key)

    def list(self, key: bytes) -> Texts:
        """A list of elements, by the type key of a block, a tag or a label."""
        found = self.lists.get(key)
        if found is None:
            found = self.lists[key] = Texts(self._stored(key))
        return found

    def _placed_at(self, spot: Spot) -> Placed:
        found = self.placed.get(spot.placed)
        if found is None:
            stored = self._stored(spot.placed)
            found = self.placed[spot.placed] = {} if stored is None else read_placed(stored)
        return found

    def _related(self, to: Point, spot: Spot) -> Related:
        key = RELATED_TO + self.spot(to).place + spot.place
        found = self.related.get(key)
        if found is None:
            stored = self._stored(key)
            found = self.related[key] = set() if stored is None else read_related(stored)
        self._touched.add(key)
        return found

    def find(self, at: Point) -> Element | None:
        """The element at a point."""
        full = self.list(self.spot(at).block).get(at)
        return None if full is None else elements.read(full)

    # ------------------------------------------------------------------ elements
    def put(self, element: Element, label: int) -> None:
        """Put an element, which lies in a label, in the place of what is at its point."""
        at = element.Pos
        spot = self.spot(at)
        old = self.list(spot.block).get(at)
        if old is None:
            element = elements.filled(element)
        forms = elements.write(element)
        if old is not None:
            _, before = self._placed_at(spot).get(at, NOWHERE)
            if old == forms.full and before == label:
                return
            self._unlist(elements.read(old), spot)
        self._set(spot.block, at, forms.full)
        self.enlist(element, forms.bare, label)

    def remove(self, element: Element) -> None:
        """Remove an element."""
        spot = self.spot(element.Pos)
        self._unlist(element, spot)
        self._set_label(spot, element.Pos, 0, 0)
        self._set(spot.block, element.Pos, None)

    def enlist(self, element: Element, bare: bytes, label: int) -> None:
        """Make everything of an element but its place in a block."""
        at = element.Pos
        spot = self.spot(at)
        for tag in element.Tags or ():
            self._set(tag_prefix(tag) + spot.place, at, bare)
        if label:
            self._set(label_prefix(label) + spot.place, at, bare)
        self._set_label(spot, at, KIND_NUMBERS[element.Kind], label)
        for relation in element.Rels or ():
            self._related(relation.To, spot).add(_row(relation.To, at))

    def _unlist(self, element: Element, spot: Spot) -> None:
        """Undo `enlist`, but for the label that is told to followers."""
        at = element.Pos
        for tag in element.Tags or ():
            self._set(tag_prefix(tag) + spot.place, at, None)
        _, label = self._placed_at(spot).get(at, NOWHERE)
        if label:
            self._set(label_prefix(label) + spot.place, at, None)
        for relation in element.Rels or ():
            self._related(relation.To, spot).discard(_row(relation.To, at))

    def relabel(self, at: Point, label: int) -> None:
        """An element lies in another label now. Its text is in the list of the old one: blocks need not be read."""
        spot = self.spot(at)
        kind, before = self._placed_at(spot).get(at, NOWHERE)
        if before == label:
            return
        text = self.list(label_prefix(before) + spot.place).get(at) if before else None
        if text is None:
            full = self.list(spot.block).get(at)
            if full is None:
                return
            text, kind = elements.bare(full), KIND_NUMBERS[elements.read(full).Kind]
        if before:
            self._set(label_prefix(before) + spot.place, at, None)
        if label:
            self._set(label_prefix(label) + spot.place, at, text)
        self._set_label(spot, at, kind, label)

    def relate_anew(self, before: Point, now: Point | None) -> None:
        """Relationships to a point lead to another one, or are no more."""
        for at in self.related_to(before):
            element, spot = self.find(at), self.spot(at)
            if element is None:
                continue
            relations = []
            for relation in element.Rels or ():
                if relation.To != before:
                    relations.append(relation)
                    continue
                self._related(before, spot).discard(_row(before, at))
                if now is not None:
                    relations.append(elements.Relation(Rel=relation.Rel, To=now))
                    self._related(now, spot).add(_row(now, at))
            element.Rels = relations
            self._set(spot.block, at, elements.write(element).full)

    def related_to(self, point: Point) -> set[Point]:
        """Points of the elements with a relationship to a point."""
        prefix = RELATED_TO + self.spot(point).place
        if self._view is not None:
            for key, found in self._view.range(prefix, after(prefix)):
                if key not in self.related:
                    self.related[key] = read_related(found.read())
        head = _POINT.pack(*point)
        rows = [row for key, some in self.related.items() if key.startswith(prefix) for row in some]
        return {_POINT.unpack_from(row, _POINT.size) for row in rows if row.startswith(head)}

    # ------------------------------------------------------------------ changes
    def _set(self, key: bytes, at: Point, text: bytes | None) -> None:
        found = self.list(key)
        if text is not None:
            found.put(at, text)
        elif not found.remove(at):
            return
        self._touched.add(key)

    def _set_label(self, spot: Spot, at: Point, kind: int, label: int) -> None:
        """Note the label of an element, 0 for none; what followers count is noted too."""
        placed = self._placed_at(spot)
        old = placed.get(at)
        new = (kind, label) if label else None
        if old == new:
            return
        if old is not None:
            self._rows.append((*at, old[0], _LOSS, old[1]))
            del placed[at]
        if new is not None:
            self._rows.append((*at, kind, _GAIN, label))
            placed[at] = new
        self._touched.add(spot.placed)

    def rows(self) -> NDArray[Any]:
        """Rows of `events.ROW`: what labels gained and lost."""
        return np.array(self._rows, ROW)

    def write(self, change: Change) -> None:
        """Add all that changed to an edit. A block that became empty stays, as in the reference."""
        view = self._view
        if view is None:
            return
        for key in self._touched:
            value = self.stored(key)
            if value is not None:
                view.put(change, key, value)
            elif view.exists(key):
                view.delete(change, key)

    def stored(self, key: bytes) -> bytes | None:
        """What is stored under a type key; None for nothing."""
        if key in self.lists:
            texts = self.lists[key]
            return texts.stored() if texts or key[:1] == BLOCK else None
        if key in self.placed:
            return write_placed(self.placed[key]) if self.placed[key] else None
        return b"".join(sorted(self.related[key])) or None

    def everything(self) -> Iterator[bytes]:
        """Type keys of everything that is in the book."""
        yield from self.lists
        yield from self.placed
        yield from self.related


def read_placed(stored: bytes) -> Placed:
    """Of its stored form."""
    return {(x, y, z): (kind, label) for x, y, z, kind, label in np.frombuffer(stored, PLACED).tolist()}


def write_placed(placed: Placed) -> bytes:
    """As stored."""
    pack = _PLACED.pack  # quicker than an array made of rows
    return b"".join([pack(*at, *placed[at]) for at in sorted(placed)])


def read_related(stored: bytes) -> Related:
    """Of its stored form."""
    return {stored[at : at + RELATED.itemsize] for at in range(0, len(stored), RELATED.itemsize)}


def _row(to: Point, at: Point) -> bytes:
    return _POINT.pack(*to) + _POINT.pack(*at)
