"""Regular expressions over many texts at once, with RE2: time grows with the texts, whatever the expression.

`google-re2` says whether an expression is one and how large it is, and tries a few texts; Arrow, which has RE2 inside,
tries many in one call, without the interpreter.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.errors import BadRequest

LONGEST = 1000
"""Letters of an expression."""
LARGEST_PROGRAM = 2000
"""Instructions it may compile to."""
FEW, LOOK = 1024, 16
"""Texts that are tried one by one, and how many between two looks at the clock."""
CHUNK = 1 << 15
"""Bytes that are searched before the first look at the clock; from then on more, as long as it is quick."""
QUICK_S = 0.01


class Pattern:
    """An expression, unanchored."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadRequest(f"a regular expression of {len(text)} letters is longer than {LONGEST}")
        self.text = text
        self.search = _compiled(text).search
        """Of bytes."""


@lru_cache(256)
def _compiled(text: str) -> Any:
    import re2  # when the first is asked for

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True  # whether it matches is all that is asked
    try:
        pattern = re2.compile(text.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        raise BadRequest(f"{text[:80]!a} is no regular expression: {error}") from None
    if pattern.programsize > LARGEST_PROGRAM:
        raise BadRequest(f"the regular expression {text[:80]!a} is too large")
    return pattern


class Texts:
    """Texts to be searched; they stay in the order they were given."""

    def __init__(self, found: NDArray[np.uint8], bounds: NDArray[np.int64], others: Sequence[str] = ()) -> None:
        """Text i is `found[bounds[i]:bounds[i + 1]]` in UTF-8; then come the others."""
        self._found, self._bounds, self._others = found, bounds, others

    def __len__(self) -> int:
        return len(self._bounds) - 1 + len(self._others)

    @cached_property
    def _few(self) -> list[bytes]:
        whole = self._found.tobytes()
        return [whole[begin:end] for begin, end in pairwise(self._bounds.tolist())] + [
            text.encode() for text in self._others
        ]

    @cached_property
    def _many(self) -> Any:
        import pyarrow as pa  # takes a third of a second and 50 MB, and most servers have no need of it

        buffers = [None, pa.py_buffer(self._bounds), pa.py_buffer(self._found)]
        texts = pa.Array.from_buffers(pa.large_utf8(), len(self._bounds) - 1, buffers)
        return pa.concat_arrays([texts, pa.array(self._others, pa.large_utf8())]) if self._others else texts

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        sizes = [len(text.encode()) for text in self._others]
        return np.concatenate([self._bounds[1:], self._bounds[-1] + np.cumsum(sizes, dtype=np.int64)])

    def matching(self, pattern: Pattern, until: float) -> NDArray[np.int64]:
        """Places of the texts that match; BadRequest where the clock passes `until`."""
        if len(self) <= FEW:
            return self._one_by_one(pattern, until)
        at, size, found = 0, CHUNK, [np.zeros(0, np.int64)]
        while at < len(self):
            began = time.monotonic()
            _demand_time(until)
            before = self._ends[at - 1] if at else 0
            past = max(at + 1, int(np.searchsorted(self._ends, before + size, side="right")))
            found.append(at + np.flatnonzero(self._tried(pattern, at, past)))
            size = 2 * size if time.monotonic() - began < QUICK_S else max(CHUNK, size // 2)
            at = past
        return np.concatenate(found)

    def _one_by_one(self, pattern: Pattern, until: float) -> NDArray[np.int64]:
        search, found = pattern.search, np.zeros(len(self), np.bool_)
        for first in range(0, len(self), LOOK):
            _demand_time(until)
            found[first : first + LOOK] = [search(text) is not None for text in self._few[first : first + LOOK]]
        return np.flatnonzero(found)

    def _tried(self, pattern: Pattern, first: int, past: int) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            return pc.match_substring_regex(self._many.slice(first, past - first), pattern.text).to_numpy(
                zero_copy_only=False
            )
        except pa.ArrowInvalid as error:
            raise BadRequest(f"{pattern.text[:80]!a} is no regular expression: {error}") from None


def _demand_time(until: float) -> None:
    if time.monotonic() > until:
        raise BadRequest("the regular expressions take too long")
