from __future__ import annotations

import lz4.block
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.kernels import unpacking
from dvidpy.kernels.unpacking import LZ4, PLAIN, unpack_all, unpack_all_plain

WORDS = st.binary(max_size=40) | st.integers(0, 3000).map(lambda size: b"neuron " * size)
VALUES = st.builds(
    lambda words, packed: bytes([LZ4]) + lz4.block.compress(words) if packed else bytes([PLAIN]) + words,
    WORDS,
    st.booleans(),
)


@example([], [b"{}"])
@given(st.lists(VALUES, max_size=6), st.lists(st.binary(max_size=9), min_size=7, max_size=7))
def test_the_kernel_agrees_with_its_plain_twin(values: list[bytes], texts: list[bytes]) -> None:
    texts = texts[: len(values) + 1]
    found = unpack_all(texts, values)
    assert found is not None
    assert bytes(found) == unpack_all_plain(texts, values)


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


def test_a_library_that_hides_its_function_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_library", lambda: None)
    assert unpack_all([b"a", b"b"], [b"\x00sound"]) is None
