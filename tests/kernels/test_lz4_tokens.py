from __future__ import annotations

import lz4.block
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.kernels.lz4_tokens import last_token, last_token_plain, length, spell

RUNS = st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 700)), max_size=8)


@given(RUNS)
@example([])
@example([(b"abcdefgh", 40), (bytes(range(256)) * 3, 1)])
def test_the_last_token_is_found(runs: list[tuple[bytes, int]]) -> None:
    block = lz4.block.compress(b"".join(some * times for some, times in runs), store_size=False)
    found = last_token(block)
    assert found == last_token_plain(np.frombuffer(block, np.uint8))
    literals, begin = length(block, found + 1, block[found] >> 4)
    assert begin + literals == len(block)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_block_lead_nowhere(block: bytes) -> None:
    assert -1 <= last_token(block) < max(1, len(block))


@given(st.integers(0, 2000), st.integers(0, 15))
def test_lengths_are_spelt_as_they_are_read(literals: int, match: int) -> None:
    spelt = spell(literals, match)
    assert spelt[0] & 15 == match
    assert length(spelt, 1, spelt[0] >> 4) == (literals, len(spelt))
