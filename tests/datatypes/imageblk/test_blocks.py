from __future__ import annotations

import io
import struct
from typing import Any

import lz4.block
import numpy as np
import pytest
from PIL import Image

Blocks = dict[tuple[int, int, int], bytes]


def parsed(body: bytes) -> list[tuple[tuple[int, int, int], bytes]]:
    found, at = [], 0
    while at < len(body):
        x, y, z, size = struct.unpack_from("<4i", body, at)
        found.append(((x, y, z), body[at + 16 : at + 16 + size]))
        at += 16 + size
    return found


def unpacked(stored: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", stored)
    plain: bytes = lz4.block.decompress(stored[4:], uncompressed_size=size)
    return plain


@pytest.fixture
def posted(noise: Any) -> np.ndarray:
    found: np.ndarray = noise.integers(0, 256, (32, 64, 96), np.uint8)
    return found


@pytest.fixture
def path(volumes: Any, posted: np.ndarray) -> str:
    """y blocks -1 and 0, x blocks 0 to 2, z block 0."""
    found: str = volumes.new(Background="7")
    volumes.post(found, (0, -32, 0), posted)
    return found


def block_of(posted: np.ndarray, x: int, y: int) -> bytes:
    return posted[:, 32 * (y + 1) : 32 * (y + 2), 32 * x : 32 * (x + 1)].tobytes()


def test_blocks_in_a_row(volumes: Any, path: str, posted: np.ndarray) -> None:
    found = volumes.client.get(f"{path}/blocks/-1_-1_0/5").content
    expected = [b"\x07" * 32**3, *(block_of(posted, x, -1) for x in range(3)), b"\x07" * 32**3]
    assert found == b"".join(expected)
    assert volumes.client.get(f"{path}/blocks/0_0_0/0").content == b""


def test_many_blocks_in_a_row_come_in_pieces(volumes: Any, path: str, posted: np.ndarray) -> None:
    answer = volumes.client.get(f"{path}/blocks/-150_0_0/300")
    assert int(answer.headers["content-length"]) == len(answer.content) == 300 * 32**3
    assert answer.content[150 * 32**3 : 153 * 32**3] == b"".join(block_of(posted, x, 0) for x in range(3))


def test_written_blocks_are_voxels_but_no_extents(volumes: Any, noise: Any) -> None:
    path = volumes.new("uint16blk", BlockSize="8,4,2")
    blocks = noise.integers(0, 1 << 16, (3, 2, 4, 8), np.uint16)
    assert volumes.status("POST", f"{path}/blocks/-1_2_3/3", blocks.tobytes() + b"too much") == 200
    assert (volumes.get(path, (-8, 8, 6), (24, 4, 2), np.uint16) == np.concatenate(blocks, axis=2)).all()
    assert volumes.info(path)["Extents"]["MinPoint"] is None
    assert volumes.client.get(f"{path}/blocks/-1_2_3/3").content == blocks.tobytes()


@pytest.mark.parametrize(
    ("rest", "size"),
    [
        ("blocks/0_0_0/2", 32**3),
        ("blocks/0_0_0/1", 0),
        ("blocks/0_0/1", 32**3),
        ("blocks/0_0_0/0", 32**3),
        ("blocks/0_0_0/-1", 32**3),
        ("blocks/0_0_0/x", 32**3),
        ("blocks/2147483647_0_0/2", 2 * 32**3),
        ("specificblocks?blocks=0,0,0", 0),
        ("subvolblocks/32_32_32/0_0_0", 0),
    ],
)
def test_blocks_that_make_no_sense_are_not_stored(volumes: Any, rest: str, size: int) -> None:
    path = volumes.new()
    assert volumes.status("POST", f"{path}/{rest}", b"\x01" * size) == 400
    assert volumes.client.get(f"{path}/subvolblocks/64_32_32/0_0_0").content == b""


@pytest.mark.parametrize(
    "rest",
    [
        "blocks",
        "blocks/0_0_0",
        "blocks/0_0/1",
        "blocks/a_0_0/1",
        "blocks/0_0_0/x",
        "blocks/0,0,0/1",
        "blocks/0_0_0/-1",
        "blocks/0_0_0/2147483647",
        "blocks/2147483647_0_0/2",
        "subvolblocks/32_32_32",
        "subvolblocks/32_32_32/1_0_0",
        "subvolblocks/31_32_32/0_0_0",
        "subvolblocks/32_32/0_0_0",
        "subvolblocks/x/0_0_0",
        "subvolblocks/32_32_32/0_0_0?compression=jpeg",
        "subvolblocks/32_32_32/0_0_0?compression=gzip",
        "subvolblocks/2147483616_2147483616_2147483616/0_0_0",
        "specificblocks?blocks=0,0",
        "specificblocks?blocks=0,0,x",
        "specificblocks?blocks=0,0,2147483648",
        "specificblocks?blocks=0,0,0&compression=gzip",
    ],
)
def test_reads_that_make_no_sense_are_refused(volumes: Any, path: str, rest: str) -> None:
    assert volumes.status("GET", f"{path}/{rest}") == 400


def test_too_many_blocks_are_refused_however_small(volumes: Any) -> None:
    path = volumes.new(BlockSize="1,1,1")
    assert volumes.status("GET", f"{path}/raw/0_1_2/1000_1000_1000/0_0_0") == 400
    assert volumes.client.get(f"{path}/raw/0_1_2/2_2_2/0_0_0").content == bytes(8)


def test_a_box_of_blocks(volumes: Any, path: str, posted: np.ndarray) -> None:
    expected = {(x, y, 0): block_of(posted, x, y) for y in (-1, 0) for x in (1, 2)}
    asked = f"{path}/subvolblocks/96_128_64/32_-64_0"
    plain = parsed(volumes.client.get(f"{asked}?compression=uncompressed").content)
    assert dict(plain) == expected
    assert [index for index, _ in plain] == sorted(expected, key=lambda index: index[::-1])
    stored = parsed(volumes.client.get(asked).content)
    assert {index: unpacked(body) for index, body in stored} == expected
    assert volumes.client.get(f"{path}/subvolblocks/32_32_32/640_0_0").content == b""


def test_specific_blocks_come_in_the_order_asked(volumes: Any, path: str, posted: np.ndarray) -> None:
    asked = f"{path}/specificblocks?blocks=2,0,0,9,9,9,0,-1,0,2,0,0"
    expected = [((x, y, 0), block_of(posted, x, y)) for x, y in ((2, 0), (0, -1), (2, 0))]
    assert parsed(volumes.client.get(f"{asked}&compression=uncompressed").content) == expected
    assert [(index, unpacked(body)) for index, body in parsed(volumes.client.get(asked).content)] == expected


@pytest.mark.parametrize(
    "query",
    ["", "?blocks=", "?blocks=0,0,0&prefetch=true", "?blocks=0,0,0&prefetch=on", "?blocks=0,0,0&compression=jpeg"],
)
def test_nothing_asked_is_nothing_sent(volumes: Any, path: str, query: str) -> None:
    answer = volumes.client.get(f"{path}/specificblocks{query}")
    assert (answer.status_code, answer.content) == (200, b"")


def test_uncompressed_blocks_stream_as_they_are(volumes: Any, posted: np.ndarray) -> None:
    path = volumes.new(Compression="none", Checksum="crc32")
    volumes.post(path, (0, 0, 0), posted)
    stored = volumes.client.get(f"{path}/subvolblocks/96_64_32/0_0_0").content
    assert stored == volumes.client.get(f"{path}/subvolblocks/96_64_32/0_0_0?compression=uncompressed").content


def test_blocks_kept_as_jpeg_stream_as_pictures(volumes: Any) -> None:
    path = volumes.new(Compression="jpeg", BlockSize="32,16,8")
    volumes.post(path, (0, 0, 0), np.full((8, 16, 32), 80, np.uint8))
    for query in (
        "subvolblocks/32_16_8/0_0_0",
        "subvolblocks/32_16_8/0_0_0?compression=jpeg",
        "specificblocks?blocks=0,0,0&compression=jpeg",
    ):
        ((index, body),) = parsed(volumes.client.get(f"{path}/{query}").content)
        found = Image.open(io.BytesIO(body))
        assert (index, found.format, found.size, found.mode) == ((0, 0, 0), "JPEG", (32, 128), "L")
    ((_, plain),) = parsed(volumes.client.get(f"{path}/subvolblocks/32_16_8/0_0_0?compression=uncompressed").content)
    assert len(plain) == 8 * 16 * 32
    assert volumes.client.get(f"{path}/blocks/0_0_0/1").content == plain
