"""Place of a labelmap instance's values in the store.

| type key | value |
|---|---|
| 01 scale:u8 z:u32 y:u32 x:u32 | one block of supervoxels (docs/internals/label-formats.md), one gzip member |
| 02 label:u64 | index of a body: a LabelIndex message, or a head with sheets (`labels.sheets`), with LZ4 |
| 03 mutation:u64 | supervoxels that change their body: all supervoxels u64 LE, then their bodies u64 LE, with LZ4 |
| 04 | extents (JSON, `voxels.extents`) |
| 05 | largest label of the version: decimal text |
| 06 mutation:u64 | supervoxels that were split: supervoxel, remain, split of each, u64 LE, with LZ4 |
| 07 scale:u8 z:u32 y:u32 x:u32 | empty: this block of a coarser scale need not be what the scale below makes of it |
| 08 label:u64 mutation:u64 | index of a body before that mutation, as in 02; empty: none, or not kept |
| 09 | empty: a client has stored indices, mappings or unindexed blocks itself in this version |
| 0a mutation:u64 number:u32 kind:u8 | a sheet of an index that the mutation wrote; kind 0 sizes, 1 entries |

The first byte is the class. Numbers in keys are big-endian; those of a block have their sign bit turned.
"""

from __future__ import annotations

from dvidpy.datatypes.voxels.grid import index_key
from dvidpy.geometry import Zyx

BLOCK, INDEX, MAPPING, EXTENTS, MAX_LABEL, SPLIT, APART, BEFORE = (bytes((number,)) for number in range(1, 9))
"""Class bytes; those of extents and of the largest label are whole keys."""
BY_HAND = b"\x09"
"""A whole key too."""
SHEET = b"\x0a"
LAST = (1 << 64) - 1
"""Mutation that no other one comes after."""
SIZES, ENTRIES = 0, 1
"""What a row of a sheet holds."""


def scale_prefix(scale: int) -> bytes:
    """What stands before the blocks of a scale."""
    return BLOCK + bytes((scale,))


def block_key(scale: int, index: Zyx) -> bytes:
    """Type key of the block (z, y, x) of a scale."""
    return scale_prefix(scale) + index_key(index)


def apart_key(scale: int, index: Zyx) -> bytes:
    """Type key of the note that a block (z, y, x) of a scale stands apart from the scale below."""
    return APART + bytes((scale,)) + index_key(index)


def label_key(label: int) -> bytes:
    """Type key of the index of a body."""
    return INDEX + label.to_bytes(8, "big")


def mapping_key(mutation: int) -> bytes:
    """Type key of what a mutation mapped."""
    return MAPPING + mutation.to_bytes(8, "big")


def split_key(mutation: int) -> bytes:
    """Type key of what a mutation split."""
    return SPLIT + mutation.to_bytes(8, "big")


def before_key(label: int, mutation: int) -> bytes:
    """Type key of the index that a body had before a mutation."""
    return BEFORE + label.to_bytes(8, "big") + mutation.to_bytes(8, "big")


def sheet_key(mutation: int, number: int, kind: int) -> bytes:
    """Type key of what a sheet holds: its `SIZES` or its `ENTRIES`."""
    return sheet_prefix(mutation) + number.to_bytes(4, "big") + bytes((kind,))


def sheet_prefix(mutation: int) -> bytes:
    """What stands before the sheets that a mutation wrote."""
    return SHEET + mutation.to_bytes(8, "big")


def number_of(typekey: bytes) -> int:
    """Label or mutation at the end of a type key."""
    return int.from_bytes(typekey[-8:], "big")
