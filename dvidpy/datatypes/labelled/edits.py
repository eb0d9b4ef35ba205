"""One edit of a segmentation: blocks, indices and mapping change together, in one batch with the record of it.

    with editing(data) as edit:          # nobody else edits the instance meanwhile
        index = edit.need_index(label)
        edit.put_index(…)
        edit.map(supervoxels, label)
        edit.say({"Action": "merge-complete", …})

On leaving, all of it is durable and seen; where something is raised inside, nothing of it happened. The record in the
mutation log is the event that other instances follow: it says everything they need to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import orjson
from msgspec import Raw, Struct

from dvidpy.datatypes.events import publish
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.following import events_of
from dvidpy.datatypes.labelled.forced import demand_untouched_below
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import (
    BY_HAND,
    EXTENTS,
    MAX_LABEL,
    before_key,
    block_key,
    label_key,
    mapping_key,
    split_key,
)
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.datatypes.labels.mappings import EMPTY, Mapping, mapping_of
from dvidpy.errors import BadRequest, DvidError
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.versioning.commits import Change
from dvidpy.versioning.mutations import NO_EVENT, Mutation
from dvidpy.versioning.store import Found


class Edit:
    """What one edit changes; made by `editing`."""

    def __init__(self, data: LabelMap, mutation: int) -> None:
        self.data = data
        self.mutation = mutation
        """Id of the mutation, which its index stamps and mapping rows carry."""
        self.time = datetime.now(UTC)
        self.change: Change = data.change()
        self._indices: dict[int, LabelIndex | None] = {}
        self._changed: set[int] = set()
        self._before: dict[int, bool] = {}
        self._mapped: list[tuple[Labels, Labels]] = []
        self._splits: list[tuple[int, int, int]] = []
        self._messages: list[Raw] = []
        self._event = NO_EVENT
        self._most = 0
        self._by_hand = False
        self._boxes: list[Box] = []
        self._blocks: list[Zyx] = []
        query = data.call.query if data.call is not None else {}
        self.user, self.app = query.get("u", ""), query.get("app", "")

    # ------------------------------------------------------------------ indices
    def index(self, label: int) -> LabelIndex:
        """Index of a body as this edit has left it; an empty one where there is no such body."""
        if label not in self._indices:
            self._indices[label] = self.data.find_index(label)
        return self._indices[label] or LabelIndex(label)

    def need_index(self, label: int) -> LabelIndex:
        """The same; BadRequest where there is no such body."""
        found = self.index(label)
        if found.is_empty:
            raise BadRequest(f"label {label} is no body")
        return found

    def put_index(self, index: LabelIndex, *, stamp: bool = True, remember: bool = True) -> None:
        """Replace the index of a body; an empty one ends the body.

        With `stamp` it says that this mutation made it. With `remember` it is kept as it was before, for
        `index/<label>?mutid=`: that is as large again. Without, that it is not known is kept.
        """
        if stamp:
            index = index.stamped(self.mutation, self.time.isoformat(), self.user, self.app)
        self._before.setdefault(index.label, remember)
        self._indices[index.label] = index
        self._changed.add(index.label)

    def stored_indices(self, labels: Labels) -> list[bytes]:
        """Indices of many bodies as they stand in the store, as messages; empty where there is no such body."""
        found = self.data.view.read_many(map(label_key, labels.tolist()))
        return [one.read() if isinstance(one, Found) else one or b"" for one in found]

    def put_messages(self, labels: Labels, messages: Sequence[bytes]) -> None:
        """Replace the indices of many bodies that `index` was not asked for; an empty message ends the body.

        They are not kept as they were before.
        """
        view = self.data.plain_view
        for label, message in zip(labels.tolist(), messages, strict=True):
            self._before.setdefault(label, False)
            if message:
                view.put(self.change, label_key(label), message)
            else:
                view.delete(self.change, label_key(label))

    # ------------------------------------------------------------------ mapping
    def map(self, supervoxels: Labels, body: int) -> None:
        """Supervoxels belong to a body from now on; to 0 when they are no more."""
        self._mapped.append((supervoxels, np.full(supervoxels.size, body, np.uint64)))

    def map_pairs(self, supervoxels: Labels, bodies: Labels) -> None:
        """Each of some supervoxels belongs to its own body."""
        self._mapped.append((supervoxels, bodies))

    def mapped(self) -> Mapping:
        """What was mapped so far."""
        if not self._mapped:
            return EMPTY
        return mapping_of(*(np.concatenate(column) for column in zip(*self._mapped, strict=True)))

    def named(self, supervoxel: int) -> bool:
        """Whether a body was ever named for it, were it 0; so as this edit has left it."""
        label = np.array([supervoxel], np.uint64)
        return bool(self.data.bodies().knows(label)[0] or self.mapped().names(label)[0])

    def split(self, supervoxel: int, remain: int, split: int) -> None:
        """A supervoxel is no more; two others have its voxels."""
        self._splits.append((supervoxel, remain, split))

    def by_hand(self) -> None:
        """A client answers for what this edit stores: indices, mappings, or blocks without what they change in these.

        `dvidpy check` reports differences from here on as notes.
        """
        self._by_hand = True
        if not self.data.view.exists(BY_HAND):
            self.data.plain_view.put(self.change, BY_HAND, b"")

    # ------------------------------------------------------------------ voxels
    def put_block(self, scale: int, index: Zyx, stored: bytes) -> None:
        """A packed block (`blocks.pack`)."""
        self.data.view.put_stored(self.change, block_key(scale, index), stored)
        if scale == 0:
            self._blocks.append(index)

    def cover(self, box: Box) -> None:
        """The volume holds these voxels too."""
        self._boxes.append(box)

    # ------------------------------------------------------------------ the rest
    def new_label(self) -> int:
        """A label that was never used."""
        label = ids.take_unused(self.data)
        self.use_labels(label)
        return label

    def demand_unused(self, label: int) -> None:
        """BadRequest for a label that was used before; no other edit can take it inside."""
        if ids.used_among(self.data, [label]):
            raise BadRequest(f"label {label} is in use")
        ids.note_label(self.data, label)

    def use_labels(self, most: int) -> None:
        """Labels up to this one are in use."""
        self._most = max(self._most, most)

    def say(self, message: dict[str, Any]) -> None:
        """A line of the mutation log; user, time and version are added."""
        said = {**message, "MutationID": self.mutation, "UUID": self.data.version_uuid}
        said["Timestamp"] = self.time.isoformat(sep=" ")
        said |= {key: value for key, value in (("User", self.user), ("App", self.app)) if value}
        self._messages.append(Raw(orjson.dumps(said)))

    def publish(self, event: Struct) -> None:
        """What happened, with all that it takes to follow, undo or do it again (`events`)."""
        self._event = Raw(msgspec.json.encode(event))

    def commit(self, *, recorded: bool = True) -> None:
        """Write everything at once, the record of it too; BadRequest where that cannot be, and nothing is written."""
        data, change, view = self.data, self.change, self.data.plain_view
        for label, remember in self._before.items():
            self._put_before(label, remember=remember)
        for label in sorted(self._changed):
            index = self._indices[label]
            if index is None or index.is_empty:
                view.delete(change, label_key(label))
            else:
                view.put(change, label_key(label), index.encode())
        mapped = self.mapped()
        if mapped.supervoxels.size:
            columns = np.concatenate((mapped.supervoxels, mapped.bodies)).astype("<u8")
            view.put(change, mapping_key(self.mutation), columns.tobytes())
        if self._splits:
            view.put(change, split_key(self.mutation), np.array(self._splits, "<u8").tobytes())
        self._put_properties()
        publish(data, change, self.mutation, events_of(data, self._blocks, mapped))
        change.mutation = self._record() if recorded else None
        try:
            if recorded and not self._by_hand:
                demand_untouched_below(data, change)
            with data.state.writing(data.datastore.catalogue.ancestries.of, data.version, mapped, data.bodies()):
                view.commit(change)
        except DvidError:
            view.forget(change)
            raise

    def _record(self) -> Mutation:
        data = self.data
        place = data.instance.number, data.version, data.instance.uuid, data.version_uuid
        return Mutation(*place, self._messages, self.mutation, self._event)

    def _put_before(self, label: int, *, remember: bool) -> None:
        """Keep the index of a body as it is stored, or nothing; what a first part of the edit kept, stays."""
        view, key = self.data.plain_view, before_key(label, self.mutation)
        if remember and view.find(key) is not None:
            return
        found = view.find(label_key(label)) if remember else None
        if found is None or found.manifest is not None:  # parts go when the value does
            view.put(self.change, key, b"" if found is None else found.read())
        else:
            view.put_stored(self.change, key, found.stored)

    def _put_properties(self) -> None:
        data, view = self.data, self.data.plain_view
        if self._most and self._most > ids.max_label(data):
            ids.note_label(data, self._most)
            view.put(self.change, MAX_LABEL, b"%d" % self._most)
        if self._boxes:
            extents = grown = data.extents()
            for box in self._boxes:
                grown = grown.grown(box)
            if grown != extents:
                view.put(self.change, EXTENTS, grown.encode())


@contextmanager
def editing(data: LabelMap) -> Iterator[Edit]:
    """An edit of this version; nobody else edits the instance inside. Runs on a worker thread."""
    with data.state.editing, data.datastore.ids.reserved() as mutation:
        edit = Edit(data, mutation)
        yield edit
        edit.commit()


@contextmanager
def editing_again(data: LabelMap, mutation: Mutation) -> Iterator[Edit]:
    """The edit of a record, to be done again: its record stands, and has said what there is to say."""
    with data.state.editing:
        edit = Edit(data, mutation.id)
        yield edit
        edit.commit(recorded=False)
