from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dvidpy.kernels.label_blocks import bits_for, layout
from dvidpy.kernels.label_words import (
    look_up,
    look_up_plain,
    pack_words,
    pack_words_plain,
    repack_words,
    repack_words_plain,
)

LABELS = st.integers(0, 20) | st.integers(0, 2**64 - 1)


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0, 1, 2, 4, 8, 16]), max_size=6), st.integers(0, 2**32))
def test_words_agree_with_the_plain_twin(sizes: list[int], seed: int) -> None:
    bits = np.array(sizes, np.int64)
    starts = np.cumsum(16 * bits + 1) - 16 * bits
    most = np.minimum(1 << bits, 512)[:, None]
    codes = np.random.default_rng(seed).integers(0, np.broadcast_to(most, (bits.size, 512))).astype(np.uint16)
    out = np.zeros(17 * bits.size * 16, np.uint32)
    twin = out.copy()
    pack_words(bits, starts, codes, out)
    pack_words_plain(bits, starts, codes, twin)
    assert np.array_equal(out, twin)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 16, 17, 200, 256, 257, 511, 512]), max_size=6), st.integers(0, 2**32)
)
def test_codes_are_moved_over(numbers: list[int], seed: int) -> None:
    counts = np.array(numbers, np.uint16)
    values = np.random.default_rng(seed).integers(0, 256, layout(counts)[1], np.uint8)  # some codes beyond the entries
    bits = np.array([next(size for size in (0, 1, 2, 4, 8, 16) if size >= bits_for(n)) for n in numbers], np.int64)
    starts = np.cumsum(16 * bits + 1) - 16 * bits
    out = np.zeros(17 * bits.size * 16, np.uint32)
    twin = out.copy()
    repack_words(counts, values, bits, starts, out)
    repack_words_plain(counts, values, bits, starts, twin)
    assert np.array_equal(out, twin)


@given(st.lists(LABELS, max_size=30), st.dictionaries(LABELS, LABELS, max_size=20))
def test_labels_are_looked_up(labels: list[int], table: dict[int, int]) -> None:
    known, wanted = np.array(sorted(table), np.uint64), np.array(labels, np.uint64)
    targets, twin = np.array([table[label] for label in sorted(table)], np.uint64), np.empty(len(labels), np.uint64)
    look_up_plain(wanted, known, targets, twin)
    assert look_up(wanted, known, targets).tolist() == twin.tolist() == [table.get(label, label) for label in labels]
