"""Many indices changed at once, as columns: hundreds of bodies have voxels in the blocks of one request.

One by one, Python costs more than the work: a POST of 64 blocks with 598 bodies took 115 ms of CPU so, and takes 50.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels.block_keys import from_wire
from dvidpy.datatypes.labels.index import Entries, LabelIndex, decode, texts_of, without_entries
from dvidpy.kernels import label_columns, label_index, label_rows
from dvidpy.kernels.label_blocks import Labels

LABEL = b"\x10"
"""What stands in front of the body in a LabelIndex message."""
Owners = NDArray[np.int64]
"""Of each entry the number of its body in a list."""


def changed_many(stored: Sequence[bytes], labels: Labels, owners: Owners, changes: Entries) -> list[bytes]:
    """Indices of many bodies after changes; they bear the stamp that they had.

    What would fall below 0 is gone: voxels may be stored without an index.

    Args:
        stored: the index of each body as a LabelIndex message; empty where there is none.
        labels: the bodies.
        owners: whose a change is.
        changes: voxels more, or fewer where negative; each block and supervoxel of a body once.

    Returns the new messages; empty for a body without voxels.
    """
    columns, numbers = label_index.read_many(stored)
    before = Entries(from_wire(columns.blocks), columns.supervoxels, columns.counts.astype(np.int64))
    rows, names = label_rows.merge(
        *_in_order(np.repeat(np.arange(len(stored)), numbers), before), *_in_order(owners, changes)
    )
    written = _blocks_of_each(rows, names, len(labels))
    said = np.any(columns.fields[:, 1:] != 0, axis=1).tolist()
    rest = zip(written, stored, columns.fields, said, labels.tolist(), strict=True)
    return [part and part + _rest(message, fields, label, more=more) for part, message, fields, more, label in rest]


def _rest(message: bytes, fields: Labels, label: int, *, more: bool) -> bytes:
    """What a message says beside its entries: nearly always the body alone."""
    if more or not label:
        return without_entries(message, fields)._replace(label=label).encode()
    return LABEL + label_index.varint(label)


def decode_many(messages: Sequence[bytes]) -> list[LabelIndex]:
    """LabelIndex messages -> indices, as `index.decode` one by one; BadRequest where one is none."""
    if len(messages) < 2:
        return [*map(decode, messages)]
    columns, numbers = label_index.read_many(messages)
    found = Entries(from_wire(columns.blocks), columns.supervoxels, columns.counts.astype(np.int64))
    if not label_index.in_order(*found, numbers):
        return [decode(message) for message in messages]
    ends = np.cumsum(numbers).tolist()
    return [
        LabelIndex(label, found.between(first, last), mutation, *texts_of(message, spans))
        for message, (label, mutation, *spans), first, last in zip(
            messages, columns.fields.tolist(), [0, *ends], ends, strict=False
        )
    ]


def _in_order(owners: Owners, entries: Entries) -> tuple[label_rows.Rows, Labels]:
    """Rows by body, block and supervoxel. Indices that were written here stand so already."""
    rows = np.stack((owners, entries.blocks, entries.voxels), axis=1)
    supervoxels = entries.supervoxels
    if not _is_in_order(rows, supervoxels):
        order = np.lexsort((supervoxels, rows[:, 1], rows[:, 0]))
        rows, supervoxels = np.ascontiguousarray(rows[order]), supervoxels[order]
    return rows, supervoxels


def _is_in_order(rows: label_rows.Rows, supervoxels: Labels) -> bool:
    """Whether rows of body, block (and more) ascend, those that are the same by their supervoxels."""
    up = rows[1:, :2] - rows[:-1, :2]
    later = (up[:, 0] > 0) | ((up[:, 0] == 0) & (up[:, 1] > 0))
    same = (up == 0).all(axis=1) & (supervoxels[1:] > supervoxels[:-1])
    return bool((later | same).all())


def _blocks_of_each(rows: label_rows.Rows, supervoxels: Labels, bodies: int) -> list[bytes]:
    """Of each body its entries of `blocks`."""
    if not len(rows):
        return [b""] * bodies
    starts = np.flatnonzero(np.append(True, (rows[1:, :2] != rows[:-1, :2]).any(axis=1)))
    blocks, voxels = (np.ascontiguousarray(rows[:, column]) for column in (1, 2))
    written, sizes = label_columns.write(blocks, supervoxels, voxels, starts)
    ends = np.cumsum(np.bincount(rows[starts, 0], sizes, bodies).astype(np.int64)).tolist()
    return [written[first:last] for first, last in zip([0, *ends], ends, strict=False)]
