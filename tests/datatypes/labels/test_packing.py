from __future__ import annotations

import gzip
import random
from contextlib import suppress

import lz4.block
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.datatypes.labels.packing import (
    LARGE,
    gunzip,
    gzip_behind,
    gzip_end,
    gzip_part,
    join_gzip,
    join_lz4,
    lz4_part,
    pack,
    unpack,
)
from dvidpy.errors import BadRequest

PLAIN = bytes(range(256)) * 20
PACKINGS = ["", "lz4", "gzip"]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("plain", [PLAIN, b"", b"x"])
def test_what_is_packed_is_unpacked(packing: str, plain: bytes) -> None:
    assert unpack(pack(plain, packing), packing, len(plain)) == plain
    assert unpack(pack(memoryview(plain), packing), packing, len(plain)) == plain


@pytest.mark.parametrize("plain", [bytes(LARGE), PLAIN * 400, random.Random(0).randbytes(LARGE + 1)])
def test_much_is_packed_in_little_room_where_it_becomes_small(plain: bytes) -> None:
    packed = pack(plain, "lz4")
    assert packed == lz4.block.compress(plain, store_size=False)
    assert unpack(packed, "lz4", len(plain)) == plain


@given(st.lists(st.binary(max_size=300)))
def test_parts_of_gzip_become_one_member(parts: list[bytes]) -> None:
    parts = [part * 40 for part in parts]
    packed = b"".join(join_gzip(map(gzip_part, parts)))
    assert gunzip(packed, 1 << 20) == gzip.decompress(packed) == b"".join(parts)


@given(st.binary(max_size=100), st.integers(1, 2000), st.binary(max_size=300))
def test_gzip_behind_a_beginning_of_any_length(head: bytes, times: int, rest: bytes) -> None:
    packed = gzip_behind(head * times, gzip_end(rest * 40))
    assert gunzip(packed, 1 << 20) == gzip.decompress(packed) == head * times + rest * 40


PARTS = st.lists(st.builds(lambda some, times: some * times, st.binary(max_size=30), st.integers(0, 80)), min_size=1)


@given(PARTS)
@example([b"", b"x" * 5, b"abcdefghijkl" * 40, b"y", bytes(range(256)) * 2, b"z" * 300])
def test_parts_of_lz4_become_one_block(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert unpack(join_lz4(map(lz4_part, parts)), "lz4", len(whole)) == whole


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("size", [len(PLAIN) - 1, len(PLAIN) + 1, 0])
def test_another_size_is_refused(packing: str, size: int) -> None:
    with pytest.raises(BadRequest):
        unpack(pack(PLAIN, packing), packing, size)


def test_gzip_is_that_of_everybody() -> None:
    assert gzip.decompress(pack(PLAIN, "gzip")) == PLAIN
    assert gunzip(gzip.compress(PLAIN), len(PLAIN)) == PLAIN


@pytest.mark.parametrize("body", [b"", b"no gzip", gzip.compress(PLAIN)[:-1], gzip.compress(PLAIN) + b"x"])
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="gzip"):
        gunzip(body, len(PLAIN))


def test_unknown_packings_are_refused() -> None:
    with pytest.raises(BadRequest, match="no compression"):
        pack(b"", "zip")
    with pytest.raises(BadRequest, match="no compression"):
        unpack(b"", "zip", 0)


@given(st.binary(max_size=60), st.sampled_from(["lz4", "gzip"]), st.integers(0, 100))
def test_made_up_bytes(body: bytes, packing: str, size: int) -> None:
    with suppress(BadRequest):
        assert len(unpack(body, packing, size)) == size
