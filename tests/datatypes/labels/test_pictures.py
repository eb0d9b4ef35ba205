from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from dvidpy.datatypes.exchange import Reply
from dvidpy.datatypes.labels.pictures import colour_picture, label_picture, pseudocolours, shaded
from dvidpy.datatypes.voxels.pictures import parse_format

LABELS = np.array([[0, 1, 2**63 + 5], [77, 123456789, 2**64 - 1]], np.uint64)


def pixels(answer: Reply, step: int) -> bytes:
    """Bytes of the pixels of a PNG of LABELS, its filter undone."""
    png = answer.body
    assert isinstance(png, bytes)
    at, packed = 8, b""
    while at < len(png):
        size, name = struct.unpack_from(">I4s", png, at)
        packed += png[at + 8 : at + 8 + size] if name == b"IDAT" else b""
        at += 12 + size
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(2, -1)
    assert (lines[:, 0] == 1).all()
    return np.cumsum(lines[:, 1:].reshape(2, 3, step), axis=1, dtype=np.uint8).tobytes()


def test_the_bytes_of_a_pixel_are_the_label() -> None:
    assert pixels(label_picture(LABELS, parse_format("png")), 8) == LABELS.astype("<u8").tobytes()


def murmur(data: bytes) -> int:
    """MurmurHash3_x86_32 of whole words, as its author wrote it."""
    state = 0
    for (word,) in struct.iter_unpack("<I", data):
        mixed = word * 0xCC9E2D51 & 0xFFFFFFFF
        mixed = (mixed << 15 | mixed >> 17) & 0xFFFFFFFF
        state ^= mixed * 0x1B873593 & 0xFFFFFFFF
        state = (state << 13 | state >> 19) & 0xFFFFFFFF
        state = (state * 5 + 0xE6546B64) & 0xFFFFFFFF
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    state = (state ^ state >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return state ^ state >> 16


@pytest.mark.parametrize(("data", "expected"), [(b"", 0), (b"test", 0xBA6BD213)])
def test_the_hash_is_the_one_of_that_name(data: bytes, expected: int) -> None:
    assert murmur(data) == expected


def test_colours_are_the_upper_bytes_of_the_hash() -> None:
    expected = [murmur(struct.pack("<Q", label)).to_bytes(4, "big")[:3] + b"\xff" for label in LABELS.ravel().tolist()]
    colours = pseudocolours(LABELS)
    assert colours.astype("<u4").tobytes() == b"".join(expected)
    assert pixels(colour_picture(colours, parse_format("png")), 3) == b"".join(one[:3] for one in expected)
    faint = colours & np.uint32(0x7FFFFFFF)
    assert pixels(colour_picture(faint, parse_format("png")), 4) == faint.astype("<u4").tobytes()


def test_colours_are_shaded_by_gray() -> None:
    colours, gray = np.array([[0xFF80FF40]], np.uint32), np.array([[128]], np.uint8)
    assert hex(shaded(colours, gray)[0, 0]) == "0xff407f20"
