from __future__ import annotations

import struct

import lz4.block
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.errors import BadRequest, StoreError
from dvidpy.kernels.unpacking import FIRST, INSIDE
from dvidpy.storage import codecs
from dvidpy.storage.codecs import Codec, parse_codec

NAMES = ["none", "snappy", "lz4", "gzip", "gzip:1", "gzip:9", "blosc", "zstd", "zstd:1", "zstd:19", "jpeg"]
CHECKSUMS = ["none", "crc32"]
VALUES = st.binary(max_size=300) | st.integers(0, 5000).map(lambda size: b"neuron " * size)


@pytest.mark.parametrize("checksum", CHECKSUMS)
@pytest.mark.parametrize("name", NAMES)
@given(value=VALUES)
def test_packing_loses_nothing(name: str, checksum: str, value: bytes) -> None:
    assert codecs.decode(parse_codec(name, checksum, itemsize=8).encode(value)) == value
    assert codecs.decode(parse_codec(name, checksum).encode(memoryview(value))) == value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bit", [0, 7])
def test_a_checksum_notices_every_flipped_byte(name: str, bit: int) -> None:
    stored = bytearray(parse_codec(name, "crc32").encode(b"the same words " * 9))
    for at in range(1, len(stored)):
        stored[at] ^= 1 << bit
        with pytest.raises(StoreError, match="checksum"):
            codecs.decode(bytes(stored))
        stored[at] ^= 1 << bit


@pytest.mark.parametrize("name", ["snappy", "lz4", "gzip", "blosc", "zstd"])
def test_what_cannot_be_unpacked_is_an_error_of_the_store(name: str) -> None:
    stored = parse_codec(name, None).encode(b"the same words " * 9)
    with pytest.raises(StoreError, match="cannot be unpacked"):
        codecs.decode(stored[:1] + b"\xff\xff\xff\x01" + stored[5:20])
    with pytest.raises(StoreError, match=r"an empty stored value|cannot be unpacked"):
        codecs.decode(b"")


@pytest.mark.parametrize("packing", [7, 15, 127])
def test_an_unknown_packing_is_an_error_of_the_store(packing: int) -> None:
    with pytest.raises(StoreError, match="cannot be unpacked"):
        codecs.decode(bytes([packing]) + b"value")


def test_lz4_is_laid_out_as_the_reference_streams_it() -> None:
    packing, payload = codecs.payload_of(Codec(codecs.LZ4).encode(b"z" * 1000))
    assert packing == codecs.LZ4
    assert struct.unpack_from("<I", payload) == (1000,)
    assert lz4.block.decompress(bytes(payload[4:]), uncompressed_size=1000) == b"z" * 1000


@pytest.mark.parametrize("text", ["LZ4", "lz4", "GZIP:6", "gzip:-1", "Snappy", "NONE", None])
def test_names_ignore_letter_case(text: str | None) -> None:
    assert codecs.decode(parse_codec(text, "CRC32").encode(b"value")) == b"value"


@pytest.mark.parametrize(
    "text", ["", "zip", "lz4:3", "gzip:", "gzip:10", "gzip:x", "none:0", "zstd:0", "zstd:20", "zstd:"]
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="Illegal compression"):
        parse_codec(text, None)


def test_other_checksums_are_refused() -> None:
    with pytest.raises(BadRequest, match="Illegal checksum"):
        parse_codec(None, "md5")


@given(st.lists(st.tuples(VALUES, st.sampled_from(NAMES), st.sampled_from(CHECKSUMS)), max_size=5))
def test_values_are_unpacked_between_texts(given: list[tuple[bytes, str, str]]) -> None:
    stored = [parse_codec(name, checksum).encode(value) for value, name, checksum in given]
    texts = [b"%d:" % number for number in range(len(given) + 1)]
    wanted = b"".join(text + value for text, (value, _, _) in zip(texts, given, strict=False)) + texts[-1]
    assert codecs.decode_between(texts, stored) == wanted
    assert [*map(codecs.plain_size, stored)] == [len(value) for value, _, _ in given]


def test_many_values_are_unpacked_between_texts() -> None:
    values = [bytes([number % 251]) * number for number in range(0, 2 * codecs.LARGE, 997)]
    texts = [b"%d:" % number for number in range(len(values) + 1)]
    wanted = b"".join(text + value for text, value in zip(texts, values, strict=False)) + texts[-1]
    for name in ("lz4", "none", "gzip"):
        stored = [parse_codec(name, None).encode(value) for value in values]
        assert codecs.decode_between(texts, [*stored, *stored][: len(values)]) == wanted
    with pytest.raises(StoreError, match="cannot be unpacked"):
        codecs.decode_between([b""] * 3, [b"\x00" + bytes(codecs.LARGE), b"\x02\x09\x00\x00\x00oh"])


@pytest.mark.parametrize("times", [1, codecs.MANY])
def test_parts_of_values_are_unpacked_between_texts(times: int) -> None:
    pack = parse_codec("lz4", None).encode
    lists = [pack(text) for text in (b"[]", b"[a, a, a, a, a, a, a, a, a, a]", b"[]", b"[b]")] * times
    inside = b",a, a, a, a, a, a, a, a, a, a,b" * times
    assert codecs.decode_between([b","] * len(lists) + [b"]"], lists, INSIDE) == inside + b"]"
    first = [pack(b"\x02\0\0\0{}{meta}"), pack(b"\x0f\0\0\0{first first 1}{meta}")] * times
    texts = [b",", b";"] * times + [b"]"]
    assert codecs.decode_between(texts, first, FIRST) == b",{};{first first 1}" * times + b"]"
    with pytest.raises(StoreError, match="shorter than it says"):
        codecs.decode_between([b"", b""] + [b""] * len(first), [pack(b"\x03\0\0\0{}"), *first], FIRST)
