"""Place of a cloud in the store. Rows of one label and one block are written and deleted together, all three.

| type key | value |
|---|---|
| 01 label:u64 block, escaped | what is known of the points without reading them (`packing.Summary`) |
| 02 label:u64 block, escaped | the points (`packing`) |
| 03 block, escaped, label:u64 | empty: the block holds points of the label |
| 04 | how the cloud is made of a segmentation: JSON, `voxels.Order` |
| 05 what | empty: work that was asked for, and is not done (`working`) |
| 06 version:u32 | empty: the cloud was asked for anew when this version was made by a merge |
| ff data uuid: 16 bytes | marks of the events of that data (`datatypes.events`) |

Numbers in keys are big-endian.
"""

from __future__ import annotations

from dvidpy.storage.keys import after, escape, unescape

SUMMARY, POINTS, HELD, ORDER, OPEN, MERGED = (bytes((number,)) for number in range(1, 7))
"""Class bytes; that of the order is a whole key."""
Span = tuple[bytes, bytes]


def place_of(label: int, block: str) -> bytes:
    """What stands behind the class byte of a summary, and of points."""
    return label.to_bytes(8, "big") + escape(block.encode())


def parse_place(typekey: bytes) -> tuple[int, str]:
    """(label, block) of the key of a summary, or of points; ValueError where it is none."""
    return int.from_bytes(typekey[1:9], "big"), unescape(typekey[9:]).decode()


def held_prefix(block: str) -> bytes:
    """What stands before the labels of a block."""
    return HELD + escape(block.encode())


def held_key(label: int, block: str) -> bytes:
    """Type key of the note that a block holds points of a label."""
    return held_prefix(block) + label.to_bytes(8, "big")


def parse_held(typekey: bytes) -> tuple[int, str]:
    """(label, block) of such a note; ValueError where it is none."""
    return int.from_bytes(typekey[-8:], "big"), unescape(typekey[1:-8]).decode()


def label_span(kind: bytes, first: int, last: int | None = None) -> Span:
    """Keys of a class from one label to another, both included; to the largest without another."""
    start = kind + first.to_bytes(8, "big")
    return start, after(kind if last is None else kind + last.to_bytes(8, "big"))


def block_span(block: str) -> Span:
    """Keys of the labels of a block."""
    return held_prefix(block), after(held_prefix(block))
