"""One edit of a segmentation: blocks, indices and mapping change together, in one batch with the record of it.

    with editing(data) as edit:          # nobody else edits the instance meanwhile; or what is named, where it is
        index = edit.need_index(label)
        edit.put_index(…)
        edit.map(supervoxels, label)
        edit.say({"Action": "merge-complete", …})

On leaving, all of it is durable and seen; where something is raised inside, nothing of it happened. The record in the
mutation log is the event that other instances follow: it says everything they need to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import orjson
from msgspec import Raw, Struct

from dvidpy.datatypes.events import Moved, publish
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.following import events_of
from dvidpy.datatypes.labelled.forced import demand_untouched_below
from dvidpy.datatypes.labelled.index_edits import IndexEdit
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import (
    BY_HAND,
    EXTENTS,
    MAX_LABEL,
    block_key,
    mapping_key,
    split_key,
)
from dvidpy.datatypes.labelled.turns import Elsewhere, Names
from dvidpy.datatypes.labels.mappings import EMPTY, Mapping, mapping_of
from dvidpy.errors import DvidError
from dvidpy.geometry import Box, Zyx
from dvidpy.kernels.label_blocks import Labels
from dvidpy.versioning.mutations import NO_EVENT, Mutation


class Edit(IndexEdit):
    """What one edit changes; made by `editing`."""

    def __init__(self, data: LabelMap, mutation: int = 0, *, again: bool = False) -> None:
        super().__init__(data, mutation, again=again)
        self._mapped: list[tuple[Labels, Labels]] = []
        self._splits: list[tuple[int, int, int]] = []
        self._messages: list[dict[str, Any]] = []
        self._event = NO_EVENT
        self._most = 0
        self._by_hand = False
        self._durably = True
        self._boxes: list[Box] = []
        self._blocks: list[Zyx] = []
        self._moves: list[Iterable[Moved]] = []

    def hold(self, bodies: Iterable[int] = (), blocks: Iterable[Zyx] = (), scale: int = 0) -> bool:
        """What this edit touches, see `touched`: others do not edit it from here on; Elsewhere where they do.

        False where it was not named before: what was read of it, and what told of it, is to be read again.
        """
        names, turns = touched(self.data, bodies, blocks, scale), self.state.turns
        if turns.has(names):
            return True
        if not turns.claim(names):
            raise Elsewhere(names)
        return False

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

    def moved(self, moves: Iterable[Moved]) -> None:
        """Voxels have other labels, as this edit was told to do: those who follow hear of it.

        Gone through once at most, when the edit is written.
        """
        self._moves.append(moves)

    def by_hand(self) -> None:
        """A client answers for what this edit stores: indices, mappings, or blocks without what these change there."""
        self._by_hand = True
        self.note_by_hand()

    def note_by_hand(self) -> None:
        """A client answers for indices: `dvidpy check` reports differences from here on as notes."""
        if not self.data.view.exists(BY_HAND):
            self._view.put(self.change, BY_HAND, b"")

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
    def new_label(self, given: int | None = None) -> int:
        """A label that was never used, the given one if there is one: BadRequest where that was used before."""
        label = ids.claim(self.data, given)
        self.use_labels(label)
        return label

    def use_labels(self, most: int) -> None:
        """Labels up to this one are in use."""
        self._most = max(self._most, most)

    def say(self, message: dict[str, Any]) -> None:
        """A line of the mutation log; user, time and version are added."""
        self._messages.append(message)

    def publish(self, event: Struct) -> None:
        """What happened, with all that it takes to follow, undo or do it again (`events`)."""
        self._event = Raw(msgspec.json.encode(event))

    def write(self, *, recorded: bool = True) -> int:
        """Write everything at once, the record of it too; BadRequest where that cannot be, and nothing is written.

        Others see it, and may edit on, before it is durable; `settle` waits for that.
        """
        data, change, view = self.data, self.change, self._view
        self._put_indices()
        mapped = self.mapped()
        if mapped.supervoxels.size:
            columns = np.concatenate((mapped.supervoxels, mapped.bodies)).astype("<u8")
            view.put(change, mapping_key(self.mutation), columns.tobytes())
        if self._splits:
            view.put(change, split_key(self.mutation), np.array(self._splits, "<u8").tobytes())
        self._put_properties()
        events = partial(events_of, data, self._blocks, mapped, self._all_moves(), self._splits, self.parted)
        change.mutation = self._record() if recorded else None
        self._durably = change.sync
        try:
            with publish(data, change, self.mutation, events):
                if recorded and not self._by_hand:
                    demand_untouched_below(data, change)
                with data.state.writing(data.datastore.catalogue.ancestries.of, data.version, mapped, data.bodies()):
                    written = view.write(change)
        except DvidError:
            view.forget(change)
            raise
        if self._most:
            data.state.noted[data.version] = max(self._noted(), self._most)
        return written

    def settle(self, written: int) -> None:
        """Return when the edit is durable, where it has to be."""
        if self._durably:
            self._view.settle(written)

    def _all_moves(self) -> Iterator[Moved]:
        """What was said to have moved, and labels that no voxel has any more although that was not said."""
        said = list(chain.from_iterable(self._moves))
        yield from said
        yield from (Moved(label, 0, 0, 0) for label in sorted(self.ended() - {move.label for move in said}))

    def _record(self) -> Mutation:
        data = self.data
        place = data.instance.number, data.version, data.instance.uuid, data.version_uuid
        said: dict[str, Any] = {"MutationID": self.mutation, "UUID": data.version_uuid}
        said["Timestamp"] = self.time.isoformat(sep=" ")
        said |= {key: value for key, value in (("User", self.user), ("App", self.app)) if value}
        messages = [Raw(orjson.dumps(message | said)) for message in self._messages]
        return Mutation(*place, messages, self.mutation, self._event)

    def _noted(self) -> int:
        """Largest label in use in this version, before this edit."""
        noted, version = self.data.state.noted, self.data.version
        if version not in noted:
            noted[version] = ids.max_label(self.data)
        return noted[version]

    def _put_properties(self) -> None:
        data, view = self.data, self._view
        if self._most and self._most > self._noted():
            ids.note_label(data, self._most)
            view.put(self.change, MAX_LABEL, b"%d" % self._most)
        if self._boxes:
            extents = grown = data.extents()
            for box in self._boxes:
                grown = grown.grown(box)
            if grown != extents:
                view.put(self.change, EXTENTS, grown.encode())


def touched(data: LabelMap, bodies: Iterable[int] = (), blocks: Iterable[Zyx] = (), scale: int = 0) -> Names:
    """Names of bodies, supervoxels and labels to come, and of what lies above blocks (z, y, x) of a scale."""
    up = max(0, data.scales - scale)
    roots = frozenset((z >> up, y >> up, x >> up) for z, y, x in blocks)
    return Names(frozenset(bodies), roots, data.scales)


@contextmanager
def editing(data: LabelMap, names: Names | None = None, *, at_once: bool = False) -> Iterator[Edit]:
    """An edit of this version, by a worker thread; `at_once`: by the event loop, which then settles it (`haste`).

    Nobody else edits what is named inside; where nothing is, nobody edits the instance. New labels that nobody was
    told of need no name. Others go on when this one is written; they wait for the fsync together.
    """
    turns = data.state.turns
    with turns.of(None if at_once else names, wait=not at_once):
        edit = Edit(data)
        yield edit
        with turns.writing, data.datastore.ids.reserved() as edit.mutation:
            edit.time = datetime.now(UTC)
            written = edit.write()
    if not at_once:
        edit.settle(written)


@contextmanager
def editing_again(data: LabelMap, mutation: Mutation) -> Iterator[Edit]:
    """The edit of a record, to be done again: its record stands, and has said what there is to say."""
    turns = data.state.turns
    with turns.of():
        edit = Edit(data, mutation.id, again=True)
        yield edit
        with turns.writing:
            written = edit.write(recorded=False)
    edit.settle(written)
