"""Indices in and out: one by one, many as one message, many as the reference stores them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import lz4.block

from dvidpy.datatypes.labelled.edits import editing, touched
from dvidpy.datatypes.labelled.instance import LabelMap, is_large
from dvidpy.datatypes.labelled.keys import label_key
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.datatypes.labels.sheets import is_head
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_blocks import Labels
from dvidpy.kernels.label_index import varint
from dvidpy.storage.codecs import LZ4, payload_of
from dvidpy.versioning.found import Found

MOST = 50_000
"""Indices that are sent at a time."""
_HEAD = struct.Struct("<QQ")
_AS_LZ4 = b"\x80"
"""What the reference puts before a value that it packed with LZ4, without a checksum."""
_FIELD = b"\x0a"
"""`indices` of a LabelIndices message: tag of its field 1."""


def as_message(data: LabelMap, labels: Labels) -> Iterator[bytes]:
    """A LabelIndices message in the order asked, in pieces; an index without blocks where there is no body."""
    for label, found in _stored(data, labels):
        index = LabelIndex(label).encode() if found is None else as_one(data, found)
        yield b"".join((_FIELD, varint(len(index)), index))


def as_stored(data: LabelMap, labels: Labels) -> Iterator[bytes]:
    """Of each its size and label (uint64), and the index as the reference stores it: u8, u32 size, one LZ4 block."""
    for label, found in _stored(data, labels):
        packed = b"" if found is None else _AS_LZ4 + _packed(data, found)
        yield _HEAD.pack(len(packed), label) + packed


def _stored(data: LabelMap, labels: Labels) -> Iterator[tuple[int, Found | None]]:
    still = data.still()
    return ((label, still.view.find(label_key(label))) for label in labels.tolist())


def as_one(data: LabelMap, found: Found) -> bytes:
    """A stored index as one message."""
    return data.read_index(found).encode() if is_head(found.read()) else found.read()


def _packed(data: LabelMap, found: Found) -> bytes:
    """Size and LZ4 block of a message, as it is stored where it is packed so."""
    if not is_large(found):
        packing, payload = payload_of(found.stored)
        if packing == LZ4:
            return bytes(payload)
    return bytes(lz4.block.compress(as_one(data, found), store_size=True))


def put_indices(data: LabelMap, indices: Iterable[LabelIndex]) -> None:
    """Replace indices, all or none, without a look at voxels; one without blocks ends its body. BadRequest for 0.

    What they say of their last change stays.
    """
    given = {index.label: index for index in indices}
    if 0 in given:
        raise BadRequest("label 0 is background and has no index")
    with editing(data, touched(data, given)) as edit:
        edit.by_hand()
        for index in given.values():
            edit.put_index(index, stamp=False)
        edit.use_labels(max((label for label, index in given.items() if not index.is_empty), default=0))
