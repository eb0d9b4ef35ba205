"""Where a body has voxels: how many of which supervoxel in which block, as columns.

An index is a value: operations give new ones. On the wire it is the reference's LabelIndex message; see
docs/internals/label-formats.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels.block_keys import Keys, blocks_of, from_wire, keys_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, box_between
from dvidpy.kernels import label_columns, label_index
from dvidpy.kernels.label_blocks import Labels
from dvidpy.kernels.label_index import varint

Voxels = NDArray[np.int64]
_MOST = (1 << 32) - 1


class Entries(NamedTuple):
    """Columns of one length: blocks as keys, supervoxels, voxels (or changes of them)."""

    blocks: Keys
    supervoxels: Labels
    voxels: Voxels

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Entries:
        """Some of them, or all in another order."""
        return Entries(self.blocks[kept], self.supervoxels[kept], self.voxels[kept])

    def between(self, first: int, last: int) -> Entries:
        """Those from one number to before another, without a copy."""
        return Entries(self.blocks[first:last], self.supervoxels[first:last], self.voxels[first:last])

    def netted(self) -> Entries:
        """Each block and supervoxel once, with the sum of its voxels; those whose sum is 0 are left out."""
        found = label_columns.net(*self) or label_columns.net(*self.sorted())
        assert found is not None
        return Entries(*found)

    def sorted(self) -> Entries:
        """In order; of equal blocks and supervoxels later ones stay behind earlier ones."""
        return self.where(np.lexsort((self.supervoxels, self.blocks)))


NO_ENTRIES = Entries(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int64))


class LabelIndex(NamedTuple):
    """The index of a body. Entries stand in the order of block and supervoxel, each pair once, none without voxels."""

    label: int
    entries: Entries = NO_ENTRIES
    last_mutid: int = 0
    last_mod_time: str = ""
    last_mod_user: str = ""
    last_mod_app: str = ""

    @property
    def voxels(self) -> int:
        """Of the whole body."""
        return int(self.entries.voxels.sum())

    @property
    def is_empty(self) -> bool:
        """The body has no voxel."""
        return not self.entries.blocks.size

    @property
    def block_keys(self) -> Keys:
        """Its blocks as keys, in order, each once."""
        keys = self.entries.blocks
        return keys[np.append(True, keys[1:] != keys[:-1])] if keys.size else keys

    @property
    def blocks(self) -> NDArray[np.int64]:
        """(n, 3) z, y, x of its blocks, in order, each once."""
        return blocks_of(self.block_keys)

    @property
    def places(self) -> list[Zyx]:
        """The same, one by one."""
        return [(z, y, x) for z, y, x in self.blocks.tolist()]

    @property
    def supervoxels(self) -> Labels:
        """Ascending."""
        found = self.entries.supervoxels
        if found.size == 1 or (found.size and (found[1:] == found[0]).all()):  # most bodies have but one
            return found[:1]
        return distinct(found)

    def sizes(self) -> tuple[Labels, Voxels]:
        """(supervoxels ascending, voxels of each)."""
        labels, place = np.unique(self.entries.supervoxels, return_inverse=True)
        voxels = np.zeros(labels.size, np.int64)
        np.add.at(voxels, place, self.entries.voxels)
        return labels, voxels

    def box(self) -> Box:
        """The smallest box of the block grid that holds it; the index is not empty."""
        blocks = self.blocks
        return box_between(blocks.min(axis=0).tolist(), (blocks.max(axis=0) + 1).tolist())

    def only(self, supervoxels: Labels) -> LabelIndex:
        """What these supervoxels have of it."""
        return self._replace(entries=self.entries.where(among(self.entries.supervoxels, distinct(supervoxels))))

    def within(self, blocks: Box) -> LabelIndex:
        """What lies in a box of the block grid."""
        found = blocks_of(self.entries.blocks)
        kept = np.all((found >= np.array(blocks.start)) & (found < np.array(blocks.stop)), axis=1)
        return self._replace(entries=self.entries.where(kept))

    def stamped(self, mutid: int, time: str, user: str, app: str) -> LabelIndex:
        """With a note of the last change; `time` as RFC 3339."""
        return self._replace(last_mutid=mutid, last_mod_time=time, last_mod_user=user, last_mod_app=app)

    def encode(self) -> bytes:
        """The LabelIndex message, its fields in order; empty ones are left out."""
        return _encode(self)


# ---------------------------------------------------------------------- operations
def entries_of(blocks: Iterable[Zyx], supervoxels: Iterable[int], voxels: Iterable[int]) -> Entries:
    """Columns from lists; voxels may be negative changes."""
    keys = keys_of(np.array([*blocks], np.int64))
    return Entries(keys, np.array([*supervoxels], np.uint64), np.array([*voxels], np.int64))


def joined(parts: Iterable[Entries]) -> Entries:
    """One behind the other."""
    columns = [*zip(NO_ENTRIES, *parts, strict=True)]
    return Entries(*(np.concatenate(column) for column in columns))


def added(index: LabelIndex, *changes: Entries) -> LabelIndex:
    """With voxels more, or fewer where negative; BadRequest where more go than are there, or beyond 32 bits."""
    sums = joined([index.entries, *changes]).netted()
    impossible = sums.voxels.view(np.uint64) > _MOST  # those below 0 are large ones
    if impossible.any():
        wrong = int(sums.supervoxels[np.argmax(impossible)])
        raise BadRequest(f"the change leaves supervoxel {wrong} of body {index.label} an impossible number of voxels")
    return index._replace(entries=sums)


def merged(target: LabelIndex, others: Iterable[LabelIndex]) -> LabelIndex:
    """The body with all voxels of the others."""
    return added(target, *(other.entries for other in others))


def parted(index: LabelIndex, supervoxels: Labels) -> tuple[LabelIndex, LabelIndex]:
    """(what some supervoxels have of it, the rest)."""
    inside = among(index.entries.supervoxels, distinct(supervoxels))
    whole = index.entries
    return index._replace(entries=whole.where(inside)), index._replace(entries=whole.where(~inside))


def split_supervoxel(index: LabelIndex, supervoxel: int, split: int, remain: int, inside: Entries) -> LabelIndex:
    """The index after a supervoxel became two.

    Args:
        index: of the body.
        supervoxel: which is no more.
        split: new label of what was split off; that of what remains is `remain`.
        remain: see `split`.
        inside: voxels split off in each block; its supervoxels are not looked at. BadRequest where there are more
            than the supervoxel has.
    """
    ours = index.entries.supervoxels == supervoxel
    rest, old = index.entries.where(~ours), index.entries.where(ours)
    relabelled = old._replace(supervoxels=np.full(old.blocks.size, remain, np.uint64))
    gone = inside._replace(supervoxels=np.full(inside.blocks.size, remain, np.uint64), voxels=-inside.voxels)
    gained = inside._replace(supervoxels=np.full(inside.blocks.size, split, np.uint64))
    return added(index._replace(entries=rest), relabelled, gone, gained)


def relabelled(index: LabelIndex, supervoxels: Labels, labels: Labels) -> LabelIndex:
    """The index with supervoxels[i] called labels[i]; the body's own label stays."""
    order = np.argsort(supervoxels)
    known, new = supervoxels[order], labels[order]
    place = np.minimum(np.searchsorted(known, index.entries.supervoxels), known.size - 1)
    names = np.where(known[place] == index.entries.supervoxels, new[place], index.entries.supervoxels)
    return added(index._replace(entries=NO_ENTRIES), index.entries._replace(supervoxels=names))


def distinct(labels: Labels) -> Labels:
    """Each once, ascending. Quicker than numpy's own way for the some thousand of a body."""
    found = labels.copy()
    found.sort()
    other = found[1:] != found[:-1]
    return found if other.all() else found[np.append(True, other)]


def among(labels: Labels, wanted: Labels) -> NDArray[np.bool_]:
    """Which labels are among those wanted, which ascend. Much quicker than numpy's own way, which sorts all."""
    if not wanted.size:
        return np.zeros(labels.size, np.bool_)
    place = np.minimum(np.searchsorted(wanted, labels), wanted.size - 1)
    return np.equal(wanted[place], labels)


# ---------------------------------------------------------------------- bytes
def decode(data: bytes | memoryview) -> LabelIndex:
    """A LabelIndex message, its fields in any order -> index; BadRequest where it is none.

    Of an entry sent twice the last counts, as in every map of protobuf; those without voxels are left away.
    """
    columns = label_index.read(data)
    found = Entries(from_wire(columns.blocks), columns.supervoxels, columns.counts.astype(np.int64))
    if not label_index.in_order(*found, np.array([found.blocks.size])):
        found = found.sorted()
        blocks, supervoxels, voxels = found
        other = (blocks[1:] != blocks[:-1]) | (supervoxels[1:] != supervoxels[:-1])
        found = found.where(np.append(other, True) & (voxels > 0))
    return without_entries(data, columns.fields)._replace(entries=found)


def without_entries(data: bytes | memoryview, fields: Labels) -> LabelIndex:
    """What else a message says: its fields as the kernel found them."""
    label, mutation, *spans = fields.tolist()
    return LabelIndex(label, NO_ENTRIES, mutation, *texts_of(data, spans))


def texts_of(data: bytes | memoryview, spans: list[int]) -> tuple[str, str, str]:
    """Time, user and program of the last change, as the kernel found them; BadRequest where they are no texts."""
    if not any(spans):
        return "", "", ""
    try:
        time, user, app = (str(data[spans[at] : spans[at + 1]], "utf-8") if spans[at + 1] else "" for at in (0, 2, 4))
    except UnicodeDecodeError as error:
        raise BadRequest(f"a LabelIndex message with text that is no UTF-8: {error}") from None
    return time, user, app


def _encode(index: LabelIndex) -> bytes:
    parts = [_encode_blocks(index.entries)] if index.entries.blocks.size else []
    for field, number in ((2, index.label), (3, index.last_mutid)):
        if number:
            parts += [varint(field << 3), varint(number)]
    for field, text in ((4, index.last_mod_time), (5, index.last_mod_user), (6, index.last_mod_app)):
        if text:
            raw = text.encode()
            parts += [varint(field << 3 | 2), varint(len(raw)), raw]
    return b"".join(parts)


def _encode_blocks(entries: Entries) -> bytes:
    """All entries of `blocks`."""
    starts = np.flatnonzero(np.append(True, entries.blocks[1:] != entries.blocks[:-1]))
    return label_columns.write(*entries, starts)[0]
