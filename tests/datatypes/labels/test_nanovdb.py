from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvidpy.datatypes.labels.masks import Mask
from dvidpy.datatypes.labels.nanovdb import grid, leaves_of
from dvidpy.errors import TooLarge
from dvidpy.kernels.label_runs import bits_of

SIZE = (16, 16, 16)
Point = tuple[int, int, int]


def masks_of(blocks: dict[Point, np.ndarray]) -> list[tuple[Point, Mask]]:
    found = []
    for block, voxels in blocks.items():
        bits = bits_of(voxels)
        flags = np.where((bits == 255).all(axis=1), 1, 2 * bits.any(axis=1)).astype(np.uint8)
        found.append((block, Mask(SIZE, flags, bits)))
    return found


def children(data: bytes, at: int, bits: int) -> list[int]:
    """Where the children of a node begin, by its own table and mask."""
    number = 1 << 3 * bits
    masks = np.frombuffer(data, np.uint8, number // 4, at + 32)
    active, used = np.unpackbits(masks, bitorder="little").reshape(2, -1)
    assert np.array_equal(active, used)
    table = np.frombuffer(data, "<i8", number, at + 32 + number // 4 + 32)
    assert not table[used == 0].any()
    return [at + int(offset) for offset in table[used == 1]]


def voxels_of(data: bytes) -> dict[Point, int]:
    """(z, y, x) of the active voxels -> their numbers, found from the root down."""
    found = {}
    root = 672 + 64
    for tile in range(struct.unpack_from("<I", data, root + 24)[0]):
        key = struct.unpack_from("<3iq", data, root + 96 + 32 * tile)
        upper = root + key[3]
        for lower in children(data, upper, 5):
            for leaf in children(data, lower, 4):
                low = np.array(struct.unpack_from("<3i", data, leaf))
                bits = np.unpackbits(np.frombuffer(data, np.uint8, 64, leaf + 16), bitorder="little")
                offset, sums = struct.unpack_from("<2Q", data, leaf + 80)
                places = np.argwhere(bits.reshape(8, 8, 8))
                start = low // 8 * 8
                inside = places[:, ::-1] + start
                assert np.array_equal(inside.min(axis=0), low)
                assert np.array_equal(inside.max(axis=0) - low, np.frombuffer(data, np.uint8, 3, leaf + 12))
                for layer in range(7):
                    assert sums >> 9 * layer & 511 == np.count_nonzero(places[:, 0] <= layer)
                assert np.array_equal(start // 4096, np.array(key[:3]) // 4096)
                found.update({(z, y, x): offset + n for n, (x, y, z) in enumerate(inside.tolist())})
    return found


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.lists(st.tuples(*[st.integers(-300, 300)] * 3), min_size=1, max_size=6, unique=True))
def test_the_voxels_are_found_again(seed: int, blocks: list[Point]) -> None:
    draw = np.random.default_rng(seed)
    volume = {block: draw.random(SIZE) < draw.choice([0.001, 0.3, 1.0]) for block in blocks}
    leaves = leaves_of(masks_of(volume), 1 << 30)
    wanted = {
        tuple((np.array(block) * 16 + place).tolist()) for block, one in volume.items() for place in np.argwhere(one)
    }
    if not wanted:
        assert not len(leaves.places)
        return
    size, pieces = grid(leaves, b"shape", [8.0, 8.0, 40.0])
    data = b"".join(pieces)
    assert len(data) == size == struct.unpack_from("<Q", data, 32)[0]
    assert data[:8] == b"NanoVDB0"
    assert data[40:46] == b"shape\0"
    found = voxels_of(data)
    assert set(found) == wanted
    assert sorted(found.values()) == [*range(len(wanted))]
    places = np.array([*wanted])[:, ::-1]
    box = np.frombuffer(data, "<f8", 6, 560).reshape(2, 3)
    assert np.array_equal(box, [places.min(axis=0) * [8, 8, 40], (places.max(axis=0) + 1) * [8, 8, 40]])
    assert struct.unpack_from("<Q", data, 656)[0] == len(wanted)


def published_number(data: bytes, xyz: Point) -> int:
    """Number of a voxel, looked for as NanoVDB does: from the root down, children counting z fastest; 0 is outside."""
    root, place = 672 + 64, np.array(xyz)
    key = sum((int(at) >> 12 & 0xFFFFF) << shift for at, shift in zip(xyz, (42, 21, 0), strict=True))
    tiles = struct.unpack_from("<I", data, root + 24)[0]
    starts = dict(struct.unpack_from("<Qq", data, root + 96 + 32 * tile) for tile in range(tiles))
    if key not in starts:
        return 0
    node = root + starts[key]
    for bits, below in ((5, 7), (4, 3)):
        x, y, z = (place >> below & ((1 << bits) - 1)).tolist()
        slot, number = (x << 2 * bits) + (y << bits) + z, 1 << 3 * bits
        child = struct.unpack_from("<q", data, node + 32 + number // 4 + 32 + 8 * slot)[0]
        has_child = data[node + 32 + number // 8 + slot // 8] >> slot % 8 & 1
        assert bool(child) == has_child
        if not child:
            return 0
        node += child
    x, y, z = (place & 7).tolist()
    voxels = np.unpackbits(np.frombuffer(data, np.uint8, 64, node + 16), bitorder="little")
    slot = 64 * x + 8 * y + z
    return int(struct.unpack_from("<Q", data, node + 80)[0] + voxels[:slot].sum()) if voxels[slot] else 0


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.lists(st.tuples(*[st.integers(-600, 600)] * 3), min_size=1, max_size=6, unique=True))
def test_the_published_reader_finds_the_voxels(seed: int, blocks: list[Point]) -> None:
    draw = np.random.default_rng(seed)
    volume = {block: draw.random(SIZE) < draw.choice([0.001, 0.1]) for block in blocks}
    volume[blocks[0]][3, 2, 1] = True
    leaves = leaves_of(masks_of(volume), 1 << 30).turned()
    size, pieces = grid(leaves, b"shape", [8.0, 8.0, 40.0])
    data = b"".join(pieces)
    assert len(data) == size
    wanted = np.concatenate([np.array(block) * 16 + np.argwhere(one) for block, one in volume.items()])[:, ::-1]
    numbers = [published_number(data, (x, y, z)) for x, y, z in wanted.tolist()]
    assert sorted(numbers) == [*range(1, len(wanted) + 1)]
    outside = set(map(tuple, (wanted + np.array([1, 0, 0])).tolist())) - set(map(tuple, wanted.tolist()))
    assert {published_number(data, place) for place in outside} <= {0}
    low, high = struct.unpack_from("<3i", data, 736), struct.unpack_from("<3i", data, 748)
    assert (low, high) == (tuple(wanted.min(axis=0)), tuple(wanted.max(axis=0)))
    assert struct.unpack_from("<Q", data, 656)[0] == len(wanted) + 1


def test_it_is_refused_before_it_is_too_large() -> None:
    full = {(0, 0, x): np.ones(SIZE, np.bool_) for x in range(3)}
    assert len(leaves_of(masks_of(full), 24 * 96).places) == 24
    with pytest.raises(TooLarge):
        leaves_of(masks_of(full), 24 * 96 - 1)
