"""The index of a large body: a head, and sheets with most of its entries.

A sheet holds `FULL` entries and is never changed. An edit takes whole sheets over, or takes the entries of the few that
it concerns back into the head, which writes new ones when it has too many. So an edit costs what it changes, a merge of
large bodies two lists of sheets, and the index as it was before is kept by keeping its head.

| head of an index | bytes |
|---|---|
| 0, which no LabelIndex message begins with | u8 |
| number of sheets | u32, little-endian |
| sheets, as `SHEET` says | 40 each |
| LabelIndex message: label, last change, and the entries that are on no sheet | the rest |
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels import index as indices
from dvidpy.datatypes.labels.index import Entries, LabelIndex, Voxels, among, distinct, joined
from dvidpy.errors import StoreError
from dvidpy.kernels.label_blocks import Labels

FULL = 4096
"""Entries of a sheet, and the most that an index has beside its sheets."""
SHEET = np.dtype(
    [("mutation", "<u8"), ("voxels", "<i8"), ("first", "<i8"), ("last", "<i8"), ("number", "<u4"), ("kept", "<u4")]
)
"""Of a sheet: the mutation that wrote it and its number there, which name it; its voxels; its first and last block, as
keys; 1 where an index that is kept as it was before a mutation names it too."""
ENTRY_BYTES, SIZE_BYTES = 20, 16
"""Bytes of an entry on a sheet, and of a supervoxel in its sizes."""
_MARK = b"\0"
_COUNT = struct.Struct("<I")

Sheets = NDArray[np.void]
"""(n,) of `SHEET`."""
Sizes = tuple[Labels, Voxels]
"""Supervoxels, ascending, and voxels of each."""
NO_SHEETS = np.empty(0, SHEET)


class Source(Protocol):
    """Where sheets are read."""

    def entries(self, sheets: Sheets, /) -> list[Entries]:
        """What stands on each."""

    def sizes(self, sheets: Sheets, /) -> list[Sizes]:
        """Supervoxels of each, without a look at its entries."""


class _Nowhere:
    """Where a small index has its sheets."""

    def entries(self, _: Sheets) -> list[Entries]:
        """None."""
        return []

    def sizes(self, _: Sheets) -> list[Sizes]:
        """None."""
        return []


class Sheeted(NamedTuple):
    """The index of a body, large or small. A value: operations give new ones.

    Of a small one all is `loose`. No entry is in two places, unless a client stored indices that name it twice.
    """

    loose: LabelIndex
    sheets: Sheets = NO_SHEETS
    source: Source = _Nowhere()

    @property
    def voxels(self) -> int:
        """Of the whole body."""
        return self.loose.voxels + (int(self.sheets["voxels"].sum()) if self.sheets.size else 0)

    @property
    def is_empty(self) -> bool:
        """The body has no voxel."""
        return not self.sheets.size and self.loose.is_empty

    def whole(self) -> LabelIndex:
        """All entries."""
        if not self.sheets.size:
            return self.loose
        found = joined([self.loose.entries, *self.source.entries(self.sheets)])
        return self.loose._replace(entries=found.netted())

    @property
    def supervoxels(self) -> Labels:
        """Ascending; no sheet is read as a whole."""
        return self.sizes()[0] if self.sheets.size else self.loose.supervoxels

    def sizes(self) -> Sizes:
        """Supervoxels and their voxels; no sheet is read as a whole."""
        if not self.sheets.size:
            return self.loose.sizes()
        parts = [self.loose.sizes(), *self.source.sizes(self.sheets)]
        labels, place = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
        voxels = np.zeros(labels.size, np.int64)
        np.add.at(voxels, place, np.concatenate([part[1] for part in parts]))
        return labels, voxels

    def only(self, supervoxels: Labels) -> LabelIndex:
        """What these supervoxels have of it. Only sheets with some of them are read."""
        if not self.sheets.size:
            return self.loose.only(supervoxels)
        wanted = distinct(supervoxels)
        some = [bool(one.any()) for one in self._wanted(wanted)]
        found = joined([self.loose.entries, *self.source.entries(self.sheets[some])])
        return self.loose._replace(entries=found.where(among(found.supervoxels, wanted)).netted())

    def parted(self, supervoxels: Labels) -> tuple[Sheeted, Sheeted]:
        """(what some supervoxels have of it, the rest); sheets that hold one kind alone go over as they are."""
        if not self.sheets.size:
            moved, left = indices.parted(self.loose, supervoxels)
            return self._replace(loose=moved), self._replace(loose=left)
        wanted = distinct(supervoxels)
        found = self._wanted(wanted)
        every = np.array([one.all() for one in found], np.bool_)
        mixed = np.array([one.any() for one in found], np.bool_) & ~every
        entries = joined([self.loose.entries, *self.source.entries(self.sheets[mixed])])
        inside = among(entries.supervoxels, wanted)
        moved, left = (self.loose._replace(entries=entries.where(each).netted()) for each in (inside, ~inside))
        return self._replace(loose=moved, sheets=self.sheets[every]), self._replace(
            loose=left, sheets=self.sheets[~every & ~mixed]
        )

    def _wanted(self, wanted: Labels) -> list[NDArray[np.bool_]]:
        """Of each sheet which of its supervoxels are among those wanted."""
        return [among(labels, wanted) for labels, _ in self.source.sizes(self.sheets)]

    def merged(self, others: Iterable[Sheeted]) -> Sheeted:
        """The body with all voxels of the others. No sheet is read."""
        more = [*others]
        merged = self._replace(loose=indices.merged(self.loose, [other.loose for other in more]))
        large = [one for one in (self, *more) if one.sheets.size]
        if not large:
            return merged
        return merged._replace(sheets=np.concatenate([one.sheets for one in large]), source=large[0].source)

    def changed(self, changes: Entries) -> Sheeted:
        """With voxels more, or fewer where negative; what would fall below 0 is gone. Reads sheets of those blocks."""
        blocks = np.unique(changes.blocks)
        near = np.searchsorted(blocks, self.sheets["first"]) < np.searchsorted(blocks, self.sheets["last"], "right")
        places = np.flatnonzero(near)
        read = self.source.entries(self.sheets[places])
        touched = [at for at, entries in enumerate(read) if _share(entries, changes)]
        sums = joined([self.loose.entries, *(read[at] for at in touched), changes]).netted()
        left = np.delete(self.sheets, places[touched])
        return self._replace(loose=self.loose._replace(entries=sums.where(sums.voxels > 0)), sheets=left)

    def cut(self) -> tuple[Sheeted, list[Entries]]:
        """(index with few loose entries, those that must become sheets: `named` makes their rows)."""
        entries = self.loose.entries
        full = entries.blocks.size // FULL if entries.blocks.size > FULL else 0
        parts = [entries.between(at * FULL, (at + 1) * FULL) for at in range(full)]
        rest = entries.between(full * FULL, entries.blocks.size)
        return self._replace(loose=self.loose._replace(entries=rest)), parts

    def encode(self) -> bytes:
        """As it is stored: a LabelIndex message where there are no sheets."""
        message = self.loose.encode()
        if not self.sheets.size:
            return message
        return b"".join((_MARK, _COUNT.pack(self.sheets.size), self.sheets.tobytes(), message))


def named(mutation: int, number: int, entries: Entries) -> Sheets:
    """The row of a new sheet."""
    row = mutation, int(entries.voxels.sum()), int(entries.blocks[0]), int(entries.blocks[-1]), number, 0
    return np.array([row], SHEET)


def names_of(sheets: Sheets) -> list[tuple[int, int]]:
    """(mutation, number) of each, which name it."""
    return list(zip(sheets["mutation"].tolist(), sheets["number"].tolist(), strict=True))


def is_head(plain: bytes) -> bool:
    """Whether a stored index has sheets."""
    return plain[:1] == _MARK


def decode(plain: bytes, source: Source) -> Sheeted:
    """A stored index; StoreError where its head is none, BadRequest where its message is none."""
    if not is_head(plain):
        return Sheeted(indices.decode(plain))
    try:
        (number,) = _COUNT.unpack_from(plain, 1)
        sheets = np.frombuffer(plain, SHEET, number, 1 + _COUNT.size)
    except (struct.error, ValueError) as error:
        raise StoreError(f"no head of an index: {error}") from None
    return Sheeted(indices.decode(memoryview(plain)[1 + _COUNT.size + sheets.nbytes :]), sheets, source)


# ---------------------------------------------------------------------- what stands on a sheet
def encode_entries(entries: Entries) -> bytes:
    """Columns: blocks as keys i64, supervoxels u64, voxels u32, each as often as there are entries; little-endian."""
    return b"".join(column.astype(kind).tobytes() for column, kind in zip(entries, ("<i8", "<u8", "<u4"), strict=True))


def decode_entries(stored: bytes) -> Entries:
    """The reverse; StoreError where the bytes are none."""
    size, more = divmod(len(stored), ENTRY_BYTES)
    if more:
        raise StoreError(f"{len(stored)} bytes are no entries of a sheet")
    blocks, supervoxels = np.frombuffer(stored, "<i8", size), np.frombuffer(stored, "<u8", size, 8 * size)
    return Entries(blocks, supervoxels, np.frombuffer(stored, "<u4", size, 16 * size).astype(np.int64))


def encode_sizes(entries: Entries) -> bytes:
    """Columns: supervoxels u64, voxels of each on the sheet u64, little-endian."""
    return b"".join(column.astype("<u8").tobytes() for column in LabelIndex(0, entries).sizes())


def decode_sizes(stored: bytes) -> Sizes:
    """The reverse; StoreError where the bytes are none."""
    if len(stored) % SIZE_BYTES:
        raise StoreError(f"{len(stored)} bytes are no sizes of a sheet")
    numbers = np.frombuffer(stored, "<u8").reshape(2, -1)
    return numbers[0], numbers[1].astype(np.int64)


def _share(entries: Entries, changes: Entries) -> bool:
    """Whether some block and supervoxel is among both, each of which has it once."""
    both = joined([entries, changes._replace(voxels=np.ones(changes.blocks.size, np.int64))])
    return both.netted().blocks.size < both.blocks.size
