from __future__ import annotations

import asyncio

import lz4.block
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.kernels import unpacking
from dvidpy.kernels.unpacking import FIRST, INSIDE, LZ4, PLAIN, WHOLE, sizes_plain, unpack_all, unpack_plain

WORDS = (
    st.binary(max_size=40)
    | st.just(bytes([3, 0, 0, 0]) + b"abcd")
    | st.integers(0, 3000).map(lambda size: b"neuron " * size)
)
VALUES = st.builds(
    lambda words, packed: bytes([LZ4]) + lz4.block.compress(words) if packed else bytes([PLAIN]) + words,
    WORDS,
    st.booleans(),
)


@example([], [b"{}"], WHOLE)
@example([b"\x00[]", b"\x00[a]", b"\x00[", b"\x00"], [b",", b";", b"!", b"?", b"."], INSIDE)
@example([b"\x00\x01\0\0\0ab", b"\x00\0\0\0\0"], [b",", b";", b"!"], FIRST)
@given(
    st.lists(VALUES, max_size=6),
    st.lists(st.binary(max_size=9), min_size=7, max_size=7),
    st.sampled_from([WHOLE, INSIDE, FIRST]),
)
def test_the_kernel_agrees_with_its_plain_twin(values: list[bytes], texts: list[bytes], part: int) -> None:
    texts = texts[: len(values) + 1]
    found = unpack_all(texts, values, part)
    text, packed = (np.frombuffer(b"".join(some), np.uint8) for some in (texts, values))
    text_ends, ends = (np.cumsum([len(one) for one in some], dtype=np.int64) for some in (texts, values))
    sizes = np.empty(len(values), np.int64)
    out = np.empty(sizes_plain(packed, ends, sizes) + text.size, np.uint8)
    size = unpack_plain(text, text_ends, packed, ends, sizes, out, part)
    assert (found is None) == (size < 0)
    assert found is None or bytes(found) == out[:size].tobytes()


def test_parts_of_values() -> None:
    lists = [b"\x00[]", b"\x02" + lz4.block.compress(b"[a, a, a, a, a, a, a, a]"), b"\x00[]", b"\x00[b]", b"\x00[]"]
    found = unpack_all([*[b","] * 5, b"]"], lists, INSIDE)
    assert found is not None
    assert bytes(found) == b",a, a, a, a, a, a, a, a,b]"
    headed = [b'\x00\x02\0\0\0{}{"a":1}', b"\x02" + lz4.block.compress(b"\x05\0\0\0first second second second")]
    found = unpack_all([b"[", b",", b"]"], headed, FIRST)
    assert found is not None
    assert bytes(found) == b"[{},first]"
    assert unpack_all([b"", b""], [b"\x00\x03\0\0\0ab"], FIRST) is None
    assert unpack_all([b"", b""], [b"\x00\x03\0"], FIRST) is None


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\x02",
        b"\x02\x05\x00\x00\x00",
        b"\x03gzip",
        b"\x80\x00\x00\x00\x00plain",
        b"\x02\xff\xff\xff\xff" + lz4.block.compress(b"a")[4:],
        b"\x02\x02\x00\x00\x00" + lz4.block.compress(b"a")[4:],
        b"\x02\x00\x04\x00\x00" + bytes(10),
        b"\x02" + lz4.block.compress(b"neuron " * 900)[:-3],
    ],
)
def test_what_it_cannot_unpack_is_left_to_others(wrong: bytes) -> None:
    assert unpack_all([b"a", b"b", b"c"], [b"\x00sound", wrong]) is None
    packed, ends = np.frombuffer(wrong, np.uint8), np.array([len(wrong)], np.int64)
    sizes = np.empty(1, np.int64)
    texts, none = np.empty(0, np.uint8), np.zeros(2, np.int64)
    whole = sizes_plain(packed, ends, sizes)
    assert whole < 0 or unpack_plain(texts, none, packed, ends, sizes, np.empty(whole, np.uint8), WHOLE) < 0


def test_a_library_that_hides_its_function_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_library", lambda: None)
    assert unpack_all([b"a", b"b"], [b"\x00sound"]) is None


def test_it_is_not_loaded_in_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found() -> memoryview | None:
        return unpack_all([b"a", b"b"], [b"\x00sound"])

    assert unpack_all([b"a", b"b"], [b"\x00sound"]) is not None
    assert asyncio.run(found()) is not None
    monkeypatch.setattr(unpacking._unpack, "_compiled", None)
    assert asyncio.run(found()) is None
