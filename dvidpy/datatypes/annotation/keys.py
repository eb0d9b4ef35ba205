"""Place of an annotation instance's values in the store.

| type key | value |
|---|---|
| 01 z:u32 y:u32 x:u32 | elements of a block, as JSON: the truth, from which all below is made |
| 02 tag as UTF-8, escaped, place | elements with a tag, without relationships, as JSON |
| 03 label:u64 place | elements in a label, without relationships, as JSON |
| 04 z:u32 y:u32 x:u32 | which elements of a block lie in which label: rows of `PLACED` |
| 05 place place | relationships from elements of the second place to points of the first: rows of `RELATED` |
| 06 | what the lists are good for (`state`) |
| ff data uuid: 16 bytes | marks of the events of that data (`datatypes.events`) |

A place is a cube of blocks, some 512 voxels wide, as z:u32 y:u32 x:u32. It keeps the values small, however many
elements a body has. Numbers of blocks and places have their sign bit turned, so that negative ones come first.
"""

from __future__ import annotations

import numpy as np

from dvidpy.datatypes.voxels.grid import index_key, index_of
from dvidpy.geometry import Zyx
from dvidpy.storage.keys import after, escape

BLOCK, TAG, LABEL, PLACED_IN, RELATED_TO, STATE = (bytes((number,)) for number in range(1, 7))
"""Class bytes; that of the state is a whole key."""
LISTS = (TAG, LABEL)
PLACE_VOXELS = 512
"""Width of a place, as nearly as whole blocks allow."""
ALL_BLOCKS = (BLOCK, after(BLOCK))

PLACED = np.dtype([("x", "<i4"), ("y", "<i4"), ("z", "<i4"), ("kind", "u1"), ("label", "<u8")])
"""An element and the label it lies in, which is not 0."""
RELATED = np.dtype([("to", "<i4", 3), ("from", "<i4", 3)])
"""A relationship, points as x, y, z."""


def block_key(block: Zyx) -> bytes:
    """Type key of the elements of a block."""
    return BLOCK + index_key(block)


def placed_key(block: Zyx) -> bytes:
    """Type key of the labels of the elements of a block."""
    return PLACED_IN + index_key(block)


def tag_prefix(tag: str) -> bytes:
    """What stands before the places of a tag."""
    return TAG + escape(tag.encode("utf-8", "surrogateescape"))


def label_prefix(label: int) -> bytes:
    """What stands before the places of a label."""
    return LABEL + label.to_bytes(8, "big")


def place_in(key: bytes) -> Zyx:
    """The block or place at the end of a type key."""
    return index_of(key)


def blocks_of_place(block: Zyx) -> Zyx:
    """Blocks of a place along z, y, x; blocks have `block` voxels."""
    depth, height, width = (max(1, PLACE_VOXELS // side) for side in block)
    return depth, height, width
