"""Regular expressions over many texts at once, with RE2: time grows with the texts, whatever the expression.

`google-re2` says whether an expression is one and how large it is; Arrow, which has RE2 inside, tries many texts in one
call, without the interpreter.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.errors import BadRequest

LONGEST = 1000
"""Letters of an expression."""
LARGEST_PROGRAM = 2000
"""Instructions it may compile to."""
CHUNK = 1 << 15
"""Bytes that are searched before the first look at the clock; from then on more, as long as it is quick."""
QUICK_S = 0.01


class Pattern:
    """An expression, unanchored."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadRequest(f"a regular expression of {len(text)} letters is longer than {LONGEST}")
        self.text = text
        _demand_sound(text)


@lru_cache(256)
def _demand_sound(text: str) -> None:
    import re2  # when the first is asked for

    options = re2.Options()
    options.log_errors = False
    try:
        pattern = re2.compile(text.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        raise BadRequest(f"{text[:80]!a} is no regular expression: {error}") from None
    if pattern.programsize > LARGEST_PROGRAM:
        raise BadRequest(f"the regular expression {text[:80]!a} is too large")


class Texts:
    """Texts to be searched; they stay in the order they were given."""

    def __init__(self, found: NDArray[np.uint8], bounds: NDArray[np.int64], others: Sequence[str] = ()) -> None:
        """Text i is `found[bounds[i]:bounds[i + 1]]` in UTF-8; then come the others."""
        import pyarrow as pa  # takes a third of a second, and most servers are never asked

        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(found)]
        texts = pa.Array.from_buffers(pa.large_utf8(), len(bounds) - 1, buffers)
        if others:
            texts = pa.concat_arrays([texts, pa.array(others, pa.large_utf8())])
        self._texts = texts
        self._ends = np.concatenate([bounds[1:], bounds[-1] + np.cumsum([len(text.encode()) for text in others])])

    def matching(self, pattern: Pattern, until: float) -> NDArray[np.int64]:
        """Places of the texts that match; BadRequest where the clock passes `until`."""
        at, size, found = 0, CHUNK, [np.zeros(0, np.int64)]
        while at < len(self._texts):
            began = time.monotonic()
            if began > until:
                raise BadRequest("the regular expressions take too long")
            before = self._ends[at - 1] if at else 0
            past = max(at + 1, int(np.searchsorted(self._ends, before + size, side="right")))
            found.append(at + np.flatnonzero(self._tried(pattern, at, past)))
            size = 2 * size if time.monotonic() - began < QUICK_S else max(CHUNK, size // 2)
            at = past
        return np.concatenate(found)

    def _tried(self, pattern: Pattern, first: int, past: int) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            return pc.match_substring_regex(self._texts.slice(first, past - first), pattern.text).to_numpy(
                zero_copy_only=False
            )
        except pa.ArrowInvalid as error:
            raise BadRequest(f"{pattern.text[:80]!a} is no regular expression: {error}") from None
