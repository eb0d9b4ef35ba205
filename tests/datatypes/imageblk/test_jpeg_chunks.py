"""What Neuroglancer does with an instance kept as JPEG: it drops 16 bytes and takes the rest for one picture."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

SMOOTH = np.add.outer(np.add.outer(np.arange(128) / 2, np.arange(128) / 3), np.arange(128) / 4).astype(np.uint8)


def drawn(body: bytes, size: tuple[int, int, int]) -> np.ndarray:
    """(z, y, x) voxels as Neuroglancer decodes them: so many pixels of one component."""
    picture = Image.open(io.BytesIO(body[16:]))
    assert (picture.format, picture.mode) == ("JPEG", "L")
    assert struct.unpack_from("<i", body, 12) == (len(body) - 16,)
    width, height, depth = size
    assert picture.width * picture.height == width * height * depth
    return np.asarray(picture).reshape(depth, height, width)


def chunk(volumes: Any, path: str, size: str, offset: str, query: str = "?app=Neuroglancer") -> bytes:
    answer = volumes.client.get(f"{path}/subvolblocks/{size}/{offset}{query}")
    assert answer.status_code == 200, answer.text
    return bytes(answer.content)


@pytest.mark.parametrize("block", ["64,64,64", "32,32,32", "16,32,64"])
def test_chunks_of_any_shape_draw(volumes: Any, block: str) -> None:
    path = volumes.new(Compression="jpeg", BlockSize=block)
    volumes.post(path, (0, 0, 0), SMOOTH)
    for size, (x, y, z) in (((64, 64, 64), (64, 0, 64)), ((128, 128, 16), (0, 0, 16)), ((512, 32, 16), (0, 32, 0))):
        found = drawn(chunk(volumes, path, "_".join(map(str, size)), f"{x}_{y}_{z}"), size)
        expected = np.zeros(size[::-1])
        part = SMOOTH[z : z + size[2], y : y + size[1], x : x + size[0]]
        expected[: part.shape[0], : part.shape[1], : part.shape[2]] = part
        assert np.abs(found - expected).mean() < 1.5


def test_a_chunk_of_one_block_is_the_stored_picture(volumes: Any) -> None:
    """With and without the name of the client: the very bytes of the stream."""
    path = volumes.new(Compression="jpeg", BlockSize="64,64,64")
    volumes.post(path, (0, 0, 0), SMOOTH)
    for offset in ("0_0_0", "64_64_0"):
        stream = chunk(volumes, path, "64_64_64", offset, "")
        assert chunk(volumes, path, "64_64_64", offset) == stream
        assert chunk(volumes, path, "64_64_64", offset, "?compression=jpeg") == stream


def test_a_chunk_that_was_never_written_is_black(volumes: Any) -> None:
    path = volumes.new(Compression="jpeg", BlockSize="64,64,64")
    assert not drawn(chunk(volumes, path, "64_64_64", "-64_0_640"), (64, 64, 64)).any()
    assert chunk(volumes, path, "64_64_64", "-64_0_640", "") == b""


def test_streams_of_whole_blocks_stay(volumes: Any) -> None:
    path = volumes.new(Compression="jpeg", BlockSize="32,32,32")
    volumes.post(path, (0, 0, 0), SMOOTH[:64, :64, :64])
    for query in ("", "?compression=jpeg", "?throttle=true"):
        body, found = chunk(volumes, path, "64_64_64", "0_0_0", query), 0
        while body:
            size = struct.unpack_from("<i", body, 12)[0]
            assert Image.open(io.BytesIO(body[16 : 16 + size])).size == (32, 1024)
            body, found = body[16 + size :], found + 1
        assert found == 8
    plain = chunk(volumes, path, "64_64_64", "0_0_0", "?app=Neuroglancer&compression=uncompressed")
    assert len(plain) == 8 * (16 + 32**3)


def test_boxes_of_other_instances_are_made_of_blocks(volumes: Any) -> None:
    path = volumes.new(BlockSize="64,64,64")
    assert volumes.status("GET", f"{path}/subvolblocks/128_128_16/0_0_0?app=Neuroglancer") == 400
    kept = volumes.new(name="kept", Compression="jpeg", BlockSize="64,64,64")
    assert volumes.status("GET", f"{kept}/subvolblocks/128_128_16/0_0_0?compression=uncompressed") == 400
    assert volumes.status("GET", f"{kept}/subvolblocks/8_8_2000000000/0_0_0") == 400
    assert volumes.status("GET", f"{kept}/subvolblocks/10_300_300/0_0_0") == 400
