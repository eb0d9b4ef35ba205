"""Whether one of some words stands in a long text: one look at each byte, not one for each word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel
from dvidpy.kernels.label_blocks import Bytes

_READ = "Array(uint8, 1, 'C', readonly=True)"


def stands_in(text: bytes, words: Sequence[bytes]) -> bool:
    """Whether one of the words, of two bytes at least, all with the same first byte, stands in the text."""
    whole, ends = np.frombuffer(b"".join(words), np.uint8), np.cumsum([len(word) for word in words])
    return bool(_find_word(np.frombuffer(text, np.uint8), whole, ends))


@kernel(f"boolean({_READ}, {_READ}, int64[::1])")
def _find_word(text: Any, words: Any, ends: Any) -> Any:
    first, second = words[0], np.zeros(256, np.bool_)
    begin = 0
    for end in ends:
        second[words[begin + 1]] = True
        begin = end
    for at in range(text.size - 1):
        if text[at] != first or not second[text[at + 1]]:
            continue
        begin = 0
        for end in ends:
            size, same = min(end - begin, text.size - at), 1
            while same < size and text[at + same] == words[begin + same]:
                same += 1
            if same == end - begin:
                return True
            begin = end
    return False


def find_word_plain(text: Bytes, words: Bytes, ends: NDArray[np.int64]) -> bool:
    """The plain twin."""
    return any(word.tobytes() in text.tobytes() for word in np.split(words, ends[:-1]))
