from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.kernels.words import find_word_plain, stands_in

WORDS = [b'"pos"', b'"POS"', b'"to"', b'"rel"', b'"rels"']


@example([b'"po'])
@example([b'"', b"to", b'"'])
@given(st.lists(st.sampled_from([*WORDS, b'"', b'"Pos"', b'"p', b"os", b"to", b'"tos"', b" "]), max_size=12))
def test_words_are_found_as_the_plain_twin_finds_them(parts: list[bytes]) -> None:
    text = b"".join(parts)
    whole, ends = np.frombuffer(b"".join(WORDS), np.uint8), np.cumsum([len(word) for word in WORDS])
    found = stands_in(text, WORDS)
    assert found == find_word_plain(np.frombuffer(text, np.uint8), whole, ends)
    assert found == any(word in text for word in WORDS)
