"""The one table of the key layout. Integers are big-endian, so that byte order is numeric order.

| space | key | value |
|---|---|---|
| META | 00 kind:u8 ids… | a record of `versioning.metadata` (JSON) |
| DATA | 10 instance:u32 class:u8 typekey… ~version:u32 kind:u8 | stored value (`codecs`), manifest, or nothing |
| PARTS | 20 instance:u32 upload:16 part:u32 | stored part of a large value |
| MUTATIONS | 30 mutation:u64 | mutation record (`versioning.mutations`) |
| QUEUE | 40 queue:u8 number:u64 | pending background work (`versioning.queue`) |
| BLOBS | 50 reference:16 part:u32 | blob part |

The version is stored inverted, so that the newest version of a row comes first: the first cell at or after
`row + cell(version)` that belongs to an ancestor is the visible one. A row is a DATA key without its cell;
the rows of one instance are prefix-free (`escape` sees to that for free text).
"""

from __future__ import annotations

import struct

META, DATA, PARTS, MUTATIONS, QUEUE, BLOBS = b"\x00", b"\x10", b"\x20", b"\x30", b"\x40", b"\x50"
SPACES = {META: "meta", DATA: "data", PARTS: "parts", MUTATIONS: "mutations", QUEUE: "queue", BLOBS: "blobs"}

VALUE, TOMBSTONE, LARGE = 0, 1, 2
"""Kinds of a cell: a stored value, a deletion, the manifest of a value kept in parts."""
KINDS = (VALUE, TOMBSTONE, LARGE)

HEAD = 5
"""Bytes of an instance prefix."""
CELL = 5
"""Bytes of a version cell: inverted version and kind."""
PAST = b"\xff" * (CELL + 1)
"""row + PAST sorts behind every cell of the row and before the next row."""
NEWEST = 0xFFFFFFFF
END = b"\x00\x01"
"""What stands behind an escaped text, and never in it."""

_CELL = struct.Struct(">IB")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


def instance_prefix(instance: int) -> bytes:
    """Beginning of every DATA key of an instance."""
    return DATA + _U32.pack(instance)


def cell(version: int, kind: int = 0) -> bytes:
    """Version cell: appended to a row it makes a key."""
    return _CELL.pack(NEWEST - version, kind)


def split_cell(key: bytes) -> tuple[int, int]:
    """DATA key -> (version, kind)."""
    inverted, kind = _CELL.unpack_from(key, len(key) - CELL)
    return NEWEST - inverted, kind


def part_prefix(instance: int) -> bytes:
    """Beginning of the keys of all parts of an instance's large values."""
    return PARTS + _U32.pack(instance)


def part_key(instance: int, upload: bytes, part: int) -> bytes:
    """Key of one part of a large value; `upload` has 16 bytes."""
    return part_prefix(instance) + upload + _U32.pack(part)


def mutation_key(mutation: int) -> bytes:
    """Key of a mutation record."""
    return MUTATIONS + _U64.pack(mutation)


def queue_key(queue: int, number: int) -> bytes:
    """Key of a piece of pending work."""
    return QUEUE + bytes([queue]) + _U64.pack(number)


def blob_key(reference: bytes, part: int) -> bytes:
    """Key of one part of a blob; `reference` has 16 bytes."""
    return BLOBS + reference + _U32.pack(part)


def after(prefix: bytes) -> bytes:
    """The smallest byte string behind all that begin with `prefix` (which is not all 0xff)."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1])


def escape(text: bytes) -> bytes:
    """Free text as part of a row: order-preserving and prefix-free. 00 becomes 00 ff, the end is 00 01."""
    if b"\x00" in text:
        text = text.replace(b"\x00", b"\x00\xff")
    return text + END


def unescape(row: bytes) -> bytes:
    """The text that `escape` was given."""
    return row[:-2].replace(b"\x00\xff", b"\x00")


def parse(key: bytes) -> str:
    """What a stored key is, in words; ValueError where it is none of ours. Used by `check`."""
    space, size = key[:1], len(key)
    if space == META and size >= 2:
        return "meta"
    if space == DATA and size >= 6 + CELL and key[-1] in KINDS:
        return "data"
    if (space, size) in ((PARTS, 25), (MUTATIONS, 9), (QUEUE, 10), (BLOBS, 21)):
        return SPACES[space]
    raise ValueError(f"a key that is none of ours: {key[:40].hex()}")
