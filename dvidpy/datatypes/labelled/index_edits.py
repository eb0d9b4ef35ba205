"""What one edit does to indices of bodies; the first part of `edits`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial

import numpy as np

from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import before_key, label_key
from dvidpy.datatypes.labelled.sheets import StoredSheets, count_sheets, drop_sheets, put_sheet
from dvidpy.datatypes.labels import sheets
from dvidpy.datatypes.labels.index import Entries, LabelIndex
from dvidpy.datatypes.labels.index_batch import decode_many
from dvidpy.datatypes.labels.sheets import Sheeted, Sheets, decode, is_head, named, names_of
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_blocks import Labels
from dvidpy.versioning.commits import Change
from dvidpy.versioning.found import Found

LEAST_BYTES = 6
"""Of an entry in a LabelIndex message: a shorter message has no more entries than fit beside sheets."""


class IndexEdit:
    """Indices that one edit reads and changes."""

    def __init__(self, data: LabelMap, mutation: int, *, again: bool) -> None:
        self.data = data
        self.state = data.state
        self.mutation = mutation
        """Id of the mutation, which its index stamps and mapping rows carry; 0 until it is written."""
        self.time = datetime.now(UTC)
        """When it was written; until then, when it was begun."""
        query = data.call.query if data.call is not None else {}
        self.user, self.app = query.get("u", ""), query.get("app", "")
        self.change: Change = data.change()
        self._view = data.plain_view
        self._nothing = self._view.codec.encode(b"")
        """Kept of a body whose index of before is not."""
        self._again = again
        self._stored: dict[int, Found | None] = {}
        """Indices as they were found."""
        self._bodies: dict[int, Sheeted] = {}
        """The same, and as this edit has left them."""
        self._sheets: list[Sheets] = []
        """All that were found."""
        self._next_sheet = count_sheets(data.view, mutation) if again else 0
        self._changed: set[int] = set()
        self._stamped: set[int] = set()
        """Bodies whose index says that this mutation made it."""
        self._deleted: set[int] = set()
        """Bodies that `put_messages` ended."""
        self._before: dict[int, bool] = {}
        """Whether the index that a changed body had is kept."""
        self.parted: list[LabelIndex] = []
        """What `move` took off bodies that have more, where no sheet of it went over; with the labels it has now."""

    def read(self, labels: Iterable[int]) -> None:
        """Read the indices of some bodies together; `body` then has them at hand."""
        wanted = [label for label in labels if label not in self._bodies]
        if not wanted:
            return
        view = self.data.view
        found = dict(zip(wanted, view.find_many(map(label_key, wanted), self.change), strict=True))
        self._stored |= found
        self._bodies |= {label: Sheeted(LabelIndex(label)) for label in wanted}
        small: dict[int, bytes] = {}
        known_body = partial(self.state.recent.get, self.data.version)
        for label, stored in found.items():
            known = None if stored is None else known_body(label, stored.stored)
            plain = b"" if known is not None or stored is None else stored.read()
            if known is not None:
                self._bodies[label] = known.sheeted
            elif is_head(plain):
                self._bodies[label] = decode(plain, StoredSheets(view))
                self._sheets.append(self._bodies[label].sheets)
            elif plain:
                small[label] = plain
        self._bodies |= dict(zip(small, map(Sheeted, decode_many([*small.values()])), strict=True))

    def body(self, label: int) -> Sheeted:
        """Index of a body as this edit has left it; an empty one where there is no such body."""
        if label not in self._bodies:
            self.read([label])
        return self._bodies[label]

    def need_body(self, label: int) -> Sheeted:
        """The same; BadRequest where there is no such body."""
        found = self.body(label)
        if found.is_empty:
            raise BadRequest(f"label {label} is no body")
        return found

    def index(self, label: int) -> LabelIndex:
        """The whole of it, however large."""
        return self.body(label).whole()

    def need_index(self, label: int) -> LabelIndex:
        """The same; BadRequest where there is no such body."""
        return self.need_body(label).whole()

    def put_body(self, label: int, body: Sheeted, *, stamp: bool = True, remember: bool = True) -> None:
        """Replace the index of a body; an empty one ends the body.

        With `stamp` it says that this mutation made it. With `remember` it is kept as it was before, for
        `index/<label>?mutid=`. Without, that it is not known is kept.
        """
        self._before.setdefault(label, remember)
        self._bodies[label] = body._replace(loose=body.loose._replace(label=label))
        self._changed.add(label)
        if stamp:
            self._stamped.add(label)

    def put_index(self, index: LabelIndex, *, stamp: bool = True) -> None:
        """The same of an index that is new as a whole."""
        self.put_body(index.label, Sheeted(index), stamp=stamp)

    def end_body(self, label: int) -> None:
        """The body is no more; its index is kept as it was before."""
        self._before.setdefault(label, True)
        self._bodies[label] = Sheeted(LabelIndex(label))
        self._changed.add(label)

    def move(self, supervoxels: Labels, body: int, other: int) -> None:
        """What a body has of some supervoxels goes over to another one, as far as indices tell."""
        moved, left = self.body(body).parted(supervoxels)
        if not (moved.sheets.size or left.is_empty):
            self.parted.append(moved.loose._replace(label=other))
        self.put_body(body, left)
        self.put_body(other, self.body(other).merged([moved]))

    def stored_indices(self, labels: Labels) -> list[bytes]:
        """Indices of many bodies as they stand in the store; empty where there is no such body."""
        found = self.data.view.find_many(map(label_key, labels.tolist()), self.change)
        return [b"" if one is None else one.read() for one in found]

    def put_messages(self, labels: Labels, messages: Sequence[bytes]) -> None:
        """Replace the indices of many bodies that `body` was not asked for; an empty message ends the body.

        They are not kept as they were before.
        """
        view = self._view
        for label, message in zip(labels.tolist(), messages, strict=True):
            if len(message) > LEAST_BYTES * sheets.FULL:
                self.put_body(label, decode(message, StoredSheets(view)), stamp=False, remember=False)
                continue
            self._before.setdefault(label, False)
            if message:
                view.put(self.change, label_key(label), message)
            else:
                view.delete(self.change, label_key(label))
                self._deleted.add(label)

    def has(self, label: int) -> bool:
        """Whether there is a body of that label, as this edit has left it."""
        if label in self._changed:
            return not self._bodies[label].is_empty
        written = label in self._before and label not in self._deleted
        return written or (label not in self._deleted and self.data.view.exists(label_key(label)))

    def ended(self) -> set[int]:
        """Bodies that this edit left without a voxel."""
        return {label for label in self._changed if self._bodies[label].is_empty} | self._deleted

    # ------------------------------------------------------------------ into the batch
    def _put_indices(self) -> None:
        for label, remember in self._before.items():
            self._put_before(label, remember=remember)
        for label in sorted(self._changed):
            self._put_changed(label)
        self._drop_sheets()

    def _put_before(self, label: int, *, remember: bool) -> None:
        """Keep the index of a body as it is stored, or nothing; what a first part of the edit kept, stays."""
        view, key = self._view, before_key(label, self.mutation)
        if self._again and remember and view.find(key) is not None:
            return
        if not remember and not self._again:
            view.put_new_stored(self.change, key, self._nothing)
            return
        if remember and label not in self._stored:
            self._stored[label] = view.find(label_key(label))
        found = self._stored[label] if remember else None
        put, put_stored = (view.put, view.put_stored) if self._again else (view.put_new, view.put_new_stored)
        if found is None or found.manifest is not None:  # parts go when the value does
            put(self.change, key, b"" if found is None else found.read())
        else:
            put_stored(self.change, key, found.stored)

    def _put_changed(self, label: int) -> None:
        """The new index of a body; what it has too much of becomes sheets."""
        body = self._bodies[label]
        if body.is_empty:
            self._view.delete(self.change, label_key(label))
            return
        if label in self._stamped:
            loose = body.loose.stamped(self.mutation, self.time.isoformat(), self.user, self.app)
            body = body._replace(loose=loose)
        body, parts = body.cut()
        if body.sheets.size or parts:
            body = self._with_sheets(body, parts)
        stored = self._view.put(self.change, label_key(label), body.encode())
        if stored is not None and not body.sheets.size:  # the next edit of the body will ask for it
            self.state.recent.keep(self.data.version, label, stored, Body(body))

    def _with_sheets(self, body: Sheeted, parts: Iterable[Entries]) -> Sheeted:
        made = [self._put_sheet(part) for part in parts]
        taken = body.sheets.copy()
        taken["kept"] |= any(self._before.values())  # the heads that were kept name them
        self._bodies[body.loose.label] = body = body._replace(sheets=np.concatenate([taken, *made]))
        return body

    def _put_sheet(self, entries: Entries) -> Sheets:
        number = self._next_sheet
        put_sheet(self._view, self.change, self.mutation, number, entries)
        self._next_sheet += 1
        return named(self.mutation, number, entries)

    def _drop_sheets(self) -> None:
        """Take away the sheets that nobody names any more: no kept index, and no version below this one."""
        found = self._sheets
        if not found or self.data.node.locked or any(self._before.values()):
            return
        there = np.concatenate(found)
        still = {name for label in self._changed for name in names_of(self._bodies[label].sheets)}
        gone = np.array([name not in still for name in names_of(there)], np.bool_)
        drop_sheets(self._view, self.change, there[gone & (there["kept"] == 0)])
