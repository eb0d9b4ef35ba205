"""The elements of an annotation instance at one version: posting, deleting, moving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import orjson
from msgspec import Raw, Struct
from numpy.typing import NDArray

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.arrivals import ENOUGH, Arrivals
from dvidpy.datatypes.annotation.book import Book
from dvidpy.datatypes.annotation.elements import Element, Listed, Point
from dvidpy.datatypes.annotation.keys import (
    ALL_BLOCKS,
    BLOCK,
    PLACED,
    PLACED_IN,
    STATE,
    block_key,
    blocks_of_place,
    label_prefix,
)
from dvidpy.datatypes.annotation.near import Near
from dvidpy.datatypes.annotation.pieces import demand_apart, demand_inside, grouped, in_pieces
from dvidpy.datatypes.annotation.spelling import respelt
from dvidpy.datatypes.base import Data
from dvidpy.datatypes.bodies import Labelled, Labels, find_labels
from dvidpy.datatypes.events import ROW, ElementsChanged, publish, turn
from dvidpy.datatypes.labels.numbers import parse_number
from dvidpy.datatypes.views.precomputed.annotations import Occupied, Points
from dvidpy.datatypes.views.volumes import in_nanometers
from dvidpy.datatypes.voxels.grid import index_key
from dvidpy.datatypes.voxels.settings import VOXEL_SIZE
from dvidpy.datatypes.voxels.volume import Volume
from dvidpy.errors import BadRequest, DvidError
from dvidpy.geometry import Box, Zyx, from_wire, parse_integers, to_wire
from dvidpy.storage.keys import after
from dvidpy.versioning.commits import Change
from dvidpy.versioning.mutations import Mutation

BLOCK_SIDE = 64
TOLD_TOGETHER = 1 << 15
"""Rows of one event."""


class State(Struct, frozen=True, omit_defaults=True):
    """What the lists of a version are good for."""

    stale: bool = False
    """Blocks or labels were posted as they are: only `reload` makes the lists agree with the blocks."""
    labels: str = ""
    """Uuid of the data whose labels the lists have, of all elements; empty where some came before it was followed."""
    reload: int = 0
    """Number of the reload under way."""


class Annotations(Data):
    """Elements, as one version sees them."""

    __slots__ = ()

    @property
    def block(self) -> Zyx:
        """Voxels of a block along z, y, x: those of the labels it follows, from the first edit on for good."""
        kept = self.datastore.catalogue.current(self.instance).settings.get("BlockSize")
        if kept is not None:
            return from_wire(kept)
        labels = self.labels()
        return (BLOCK_SIDE,) * 3 if labels is None else labels.block

    def labels(self) -> Labelled | None:
        """The segmentation that it follows."""
        return find_labels(self)

    def state(self) -> State:
        """What the lists are good for."""
        stored = self.view.get(STATE)
        return State() if stored is None else msgspec.json.decode(stored, type=State)

    def put_state(self, change: Change, state: State) -> None:
        """Add it to an edit."""
        self.view.put(change, STATE, msgspec.json.encode(state))

    def is_empty(self) -> bool:
        """No block was ever written."""
        return next(self.view.keys(*ALL_BLOCKS), None) is None

    def extended(self) -> dict[str, Any]:
        """How far a reload is, while there is one."""
        from dvidpy.datatypes.annotation.reload import progress

        found = progress(self)
        return {} if found is None else {"Reload": found}

    def placed(self) -> tuple[int, Iterator[NDArray[Any]]]:
        """(id that all edits so far lie below, rows of all elements in labels). See `datatypes.bodies`."""
        with turn(self):
            below, view = self.datastore.ids.next, self.view.frozen()
        found = view.range(PLACED_IN, after(PLACED_IN))
        return below, (np.frombuffer(value.read(), PLACED) for _, value in found)

    def frozen(self) -> Annotations:
        """The same elements, unchanging."""
        other = copy(self)
        other.view = self.view.frozen()
        return other

    def label_source(self) -> str:
        """Uuid of the data whose labels elements get."""
        labels = self.labels()
        return labels.instance.uuid if isinstance(labels, Data) else ""

    # ------------------------------------------------------------------ as other formats show it (`views.precomputed`)
    def occupied(self) -> Occupied:
        """The blocks that were written."""
        from dvidpy.datatypes.annotation import points  # which is about instances itself

        return points.occupied(self)

    def resolution(self) -> list[float]:
        """Nanometers of a voxel along x, y, z: that of the labels it follows, else 8."""
        labels: object = self.labels()
        if not isinstance(labels, Volume):
            return list(VOXEL_SIZE)
        return in_nanometers(labels.voxel_size, labels.instance.settings["VoxelUnits"])

    def points_in(self, box: Box) -> Points:
        """Elements inside a box."""
        from dvidpy.datatypes.annotation import points

        return points.points_in(self, box)

    def points_of(self, body: int) -> Points:
        """Elements in a body."""
        from dvidpy.datatypes.annotation import points

        return points.points_of(self, body)

    def point_at(self, point: Zyx) -> Points:
        """The element at a voxel, or none."""
        from dvidpy.datatypes.annotation import points

        return points.point_at(self, point)

    def body_at(self, point: Zyx) -> int | None:
        """Body at a voxel; None without a segmentation."""
        labels = self.labels()
        return None if labels is None else int(labels.labels_at(np.array([point], np.int64))[0])

    # ------------------------------------------------------------------ editing
    @contextmanager
    def editing(self, *messages: dict[str, Any]) -> Iterator[Edit]:
        """An edit of this version; nobody else edits the instance inside. On leaving, it is durable."""
        with turn(self), self.datastore.ids.reserved() as mutation:
            edit = Edit(self, mutation, messages)
            try:
                yield edit
                edit.commit()
            except DvidError:
                self.view.forget(edit.change)
                raise

    def _settle_block(self) -> None:
        """The size of blocks stays from the first elements on."""
        if "BlockSize" not in self.datastore.catalogue.current(self.instance).settings:
            size = to_wire(self.block)
            self.datastore.repos.update_instance(
                self.instance, lambda instance: {"settings": {**instance.settings, "BlockSize": size}}
            )

    def post(self, body: bytes) -> None:
        """Put the elements of a JSON list in the place of those at their points; BadRequest for what is none, and where
        two of the list have the same point: then nothing is stored.

        Up to AT_ONCE are one edit. More are several of so many, or of one place that has more, so that memory hardly
        grows with the list beyond its text: all are looked at before the first edit, but others see one edit after the
        other, and a crash may come between.
        """
        listed = Listed(body)
        if not len(listed):
            return
        points = listed.points()
        demand_apart(points)
        self._settle_block()
        pieces = in_pieces(points, self.block)
        if len(pieces) > 1:
            listed.demand_elements()
        for piece in pieces:
            with self.editing({"Action": "element-post", "Elements": len(piece)}) as edit:
                for among in grouped(points[piece], self.block):
                    places = piece[among]
                    edit.post(listed, places, points[places].astype(np.int64))

    def delete(self, at: Point) -> None:
        """Delete an element, and the relationships that lead to it; BadRequest where there is none."""
        with self.editing({"Action": "element-delete", "Point": at}) as edit:
            book = edit.book()
            book.remove(_need(book, at))
            book.relate_anew(at, None)
            edit.add(book)

    def move(self, start: Point, end: Point) -> None:
        """Move an element with all that leads to it; BadRequest where there is none, or one at the end already."""
        with self.editing({"Action": "element-move", "From": start, "To": end}) as edit:
            book = edit.book()
            element = _need(book, start)
            if start != end and book.find(end) is not None:
                raise BadRequest(f"there is an element at {list(end)} already")
            if start == end:
                return
            book.relate_anew(start, end)
            element = _need(book, start)  # it may be related to itself
            book.remove(element)
            moved = elements.filled(element)
            moved.Pos = end
            book.put(moved, int(edit.labels_at(np.array([end], np.int64))[0]))
            edit.add(book)

    def delete_all(self) -> None:
        """Delete all elements of this version, with all lists."""
        with self.editing({"Action": "delete-all"}) as edit:
            edit.clear()

    def put_blocks(self, body: bytes) -> None:
        """Replace whole blocks; lists follow at the next reload. BadRequest for an element outside its block.

        What an element lacks stays null, as in the reference.
        """
        posted = elements.parse_blocks(body)
        if not posted:
            return
        self._settle_block()
        with self.editing({"Action": "blocks-post", "Blocks": len(posted)}) as edit:
            for name, text in posted.items():
                block = from_wire(parse_integers(name, 3, ","))
                listed = elements.parse_list(respelt(bytes(text)))
                demand_apart(np.array([one.Pos for one in listed], np.int64).reshape(-1, 3))
                found = {one.Pos: elements.write(one).full for one in listed}
                demand_inside(found, block, self.block)
                self.view.put(edit.change, block_key(block), elements.write_list(found.values()))
            edit.state = State(stale=True)

    def put_labels(self, body: bytes) -> None:
        """Replace the lists of labels, unchecked; the next reload makes them agree with the blocks again."""
        posted = elements.parse_labels(body)
        if not posted:
            return
        self._settle_block()
        with self.editing({"Action": "labels-post", "Labels": len(posted)}) as edit:
            for name, text in posted.items():
                prefix = label_prefix(parse_number(name))
                lists = self._by_place(elements.parse_list(respelt((text or "[]").encode("utf-8", "surrogatepass"))))
                for key in self.view.keys(prefix, after(prefix)):
                    if key[len(prefix) :] not in lists:
                        self.view.delete(edit.change, key)
                for place, texts in lists.items():
                    self.view.put(edit.change, prefix + place, elements.write_list(texts))
            edit.state = State(stale=True)

    def _by_place(self, found: Iterable[Element]) -> dict[bytes, list[bytes]]:
        lists: dict[bytes, list[bytes]] = {}
        width = np.array(self.block) * np.array(blocks_of_place(self.block))
        for one in {one.Pos: one for one in found}.values():
            z, y, x = (np.array(one.Pos[::-1]) // width).tolist()
            lists.setdefault(index_key((z, y, x)), []).append(elements.write(one).bare)
        return lists


class Edit:
    """One edit of the elements of a version; made by `Annotations.editing`."""

    def __init__(self, data: Annotations, mutation: int, messages: Sequence[dict[str, Any]]) -> None:
        self.data = data
        self.mutation = mutation
        self.block = data.block
        self.change = data.change()
        self.first = data.is_empty()
        """The version had no elements before."""
        self._stale = data.state().stale
        self.state: State | None = State(labels=data.label_source()) if self.first and not self._stale else None
        """What to keep of the lists; None where nothing changes there."""
        self.also: Callable[[Change], None] = lambda change: None
        """Adds what else belongs to the edit."""
        self._labels = data.labels()
        self._rows: list[NDArray[Any]] = []
        self._messages = [self._said(message) for message in messages if not _is_silent(data)]

    def _said(self, message: dict[str, Any]) -> Raw:
        call = self.data.call
        said = {**message, "UUID": self.data.version_uuid, "MutationID": self.mutation}
        if call is not None and (user := call.query.get("u")):
            said["User"] = user
        return Raw(orjson.dumps(said | {"Timestamp": datetime.now(UTC).isoformat(sep=" ")}))

    def book(self) -> Book:
        """What is there, to be changed. Books of one edit must not touch the same places."""
        return Book(self.data.view, self.block)

    def post(self, listed: Listed, numbers: NDArray[np.int64], points: NDArray[np.int64]) -> None:
        """Put some elements of a list, all of one place, in the place of those at their (n, 3) points x, y, z."""
        labels = self.labels_at(points)
        if len(points) >= ENOUGH and not self._stale:
            near = Near(self.data.view, self.block, points, fresh=self.first)
            new = self._new(near, listed, numbers, points, labels)
            numbers, points, labels = numbers[new], points[new], labels[new]
            arrivals = Arrivals.of(self.data.view, self.block, points, near) if len(points) else None
            if arrivals is not None:
                arrivals.take(listed, numbers.tolist(), labels)
                self.add(arrivals)
                return
        book = self.book()
        for element, label in zip(listed.elements(numbers.tolist()), labels.tolist(), strict=True):
            book.put(element, label)
        self.add(book)

    def _new(
        self, near: Near, listed: Listed, numbers: NDArray[np.int64], points: NDArray[np.int64], labels: Labels
    ) -> NDArray[np.int64]:
        """Which elements are not there already, just so: those that have labels are not looked through."""
        if not near.stored or labels.any() or self.data.view.ever_held(PLACED_IN, after(PLACED_IN)):
            return np.arange(len(numbers))
        return near.lacks(points, elements.write_all(listed.elements(numbers.tolist())))

    def labels_at(self, points: NDArray[np.int64]) -> Labels:
        """Labels of (n, 3) points x, y, z; 0 without a segmentation."""
        if self._labels is None:
            return np.zeros(len(points), np.uint64)
        return self._labels.labels_at(np.ascontiguousarray(points[:, ::-1]))

    def add(self, changed: Book | Arrivals) -> None:
        """Take what changed into the edit."""
        changed.write(self.change)
        self._rows.append(changed.rows())

    def clear(self) -> None:
        """Delete everything."""
        view = self.data.view
        for key in view.keys(BLOCK, STATE):
            view.delete(self.change, key)
        for _, found in view.range(PLACED_IN, after(PLACED_IN)):
            lost = np.frombuffer(found.read(), PLACED)
            rows = np.zeros(lost.size, ROW)
            for name in PLACED.names or ():
                rows[name] = lost[name]
            rows["sign"] = -1
            self.add_rows(rows)
        self.state = State(labels=self.data.label_source())

    def add_rows(self, rows: NDArray[Any]) -> None:
        """Take what labels gained and lost into the edit (`events.ROW`)."""
        self._rows.append(rows)

    def commit(self) -> None:
        """Write everything at once, and tell the followers."""
        data, change = self.data, self.change
        if self.state is not None:
            data.put_state(change, self.state)
        self.also(change)
        if self._messages:
            change.mutation = Mutation(
                data.instance.number,
                data.version,
                data.instance.uuid,
                data.version_uuid,
                self._messages,
                self.mutation,
            )
        with publish(data, change, self.mutation, lambda _: self._events()):
            data.view.commit(change)

    def _events(self) -> Iterator[ElementsChanged]:
        whole = np.concatenate([np.empty(0, ROW), *self._rows])
        for first in range(0, len(whole), TOLD_TOGETHER):
            yield ElementsChanged(whole[first : first + TOLD_TOGETHER].tobytes(), self.first and not first)


def _is_silent(data: Annotations) -> bool:
    return data.call is not None and data.call.query.get("kafkalog") == "off"


def _need(book: Book, at: Point) -> Element:
    found = book.find(at)
    if found is None:
        raise BadRequest(f"there is no element at {list(at)}")
    return found


def point_of(text: str) -> Point:
    """Text x_y_z -> (x, y, z); BadRequest where it is no point."""
    x, y, z = parse_integers(text, 3)
    return x, y, z
