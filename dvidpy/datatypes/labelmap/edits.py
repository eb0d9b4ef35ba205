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

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from msgspec import Raw

from dvidpy.datatypes.events import publish
from dvidpy.datatypes.labelmap import ids
from dvidpy.datatypes.labelmap.following import events_of
from dvidpy.datatypes.labelmap.instance import LabelMap
from dvidpy.datatypes.labelmap.keys import EXTENTS, MAX_LABEL, block_key, label_key, mapping_key, split_key
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.datatypes.labels.mappings import EMPTY, Mapping, mapping_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.versioning.commits import Change
from dvidpy.versioning.mutations import Mutation


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
        self._mapped: list[tuple[Labels, Labels]] = []
        self._messages: list[Raw] = []
        self._most = 0
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

    def put_index(self, index: LabelIndex, *, stamp: bool = True) -> None:
        """Replace the index of a body, stamped with this mutation; an empty one ends the body."""
        if stamp:
            index = index.stamped(self.mutation, self.time.isoformat(), self.user, self.app)
        self._indices[index.label] = index
        self._changed.add(index.label)

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

    def split(self, supervoxel: int, remain: int, split: int) -> None:
        """A supervoxel is no more; two others have its voxels."""
        row = np.array([supervoxel, remain, split], "<u8")
        self.data.plain_view.put(self.change, split_key(self.mutation), row.tobytes())

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
        label = ids.take_labels(self.data)
        self.use_labels(label)
        return label

    def use_labels(self, most: int) -> None:
        """Labels up to this one are in use."""
        self._most = max(self._most, most)

    def say(self, message: dict[str, Any]) -> None:
        """A line of the mutation log; user, time and version are added."""
        said = {**message, "MutationID": self.mutation, "UUID": self.data.version_uuid}
        said["Timestamp"] = self.time.isoformat(sep=" ")
        said |= {key: value for key, value in (("User", self.user), ("App", self.app)) if value}
        self._messages.append(Raw(orjson.dumps(said)))

    def commit(self) -> None:
        """Write everything at once."""
        data, change, view = self.data, self.change, self.data.plain_view
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
        self._put_properties()
        publish(data, change, self.mutation, events_of(data, self._blocks, mapped))
        change.mutation = Mutation(
            data.instance.number, data.version, data.instance.uuid, data.version_uuid, self._messages, self.mutation
        )
        with data.state.writing(data.datastore.catalogue.ancestries.of, data.version, mapped, data.bodies()):
            view.commit(change)

    def _put_properties(self) -> None:
        data, view = self.data, self.data.plain_view
        if self._most > ids.max_label(data):
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
