"""Regular expressions over many texts at once, with RE2: time grows with the texts, whatever the expression.

The texts of a column stand in one buffer, a line each, and the expression looks for lines: one call finds the next of
many. Expressions that could tell a line from a whole text, and texts with line breaks, are matched one by one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from dvidpy.errors import BadRequest

LONGEST = 1000
"""Letters of an expression."""
LARGEST_PROGRAM = 2000
"""Instructions it may compile to."""
CHUNK = 1 << 15
"""Bytes that are searched between two looks at the clock."""
_WHOLE_TEXT = re.compile(r"\\[AzQC]|\(\?[a-zA-Z]*-|\(\?[a-zA-Z]*m")
"""Parts of an expression that mean something else in a line than in a text."""


class Pattern:
    """A compiled expression, unanchored."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadRequest(f"a regular expression of {len(text)} letters is longer than {LONGEST}")
        self.text = text
        self.one = _compiled(text, never_nl=False)  # first: an expression must be one by itself
        self.lines = None if _WHOLE_TEXT.search(text) else _compiled(f"(?m)(?:{text}).*", never_nl=True)


@lru_cache(256)
def _compiled(text: str, *, never_nl: bool) -> Any:
    import re2  # when the first is asked for

    options = re2.Options()
    options.log_errors = False
    options.never_nl = never_nl
    try:
        pattern = re2.compile(text.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        raise BadRequest(f"{text[:80]!a} is no regular expression: {error}") from None
    if pattern.programsize > LARGEST_PROGRAM:
        raise BadRequest(f"the regular expression {text[:80]!a} is too large")
    return pattern


class Texts:
    """Texts to be searched; they stay in the order they were given."""

    def __init__(self, texts: Sequence[str]) -> None:
        encoded = [text.encode() for text in texts]
        self._lines = [at for at, text in enumerate(encoded) if b"\n" not in text]
        self._others = [(at, text) for at, text in enumerate(encoded) if b"\n" in text]
        self._texts = encoded
        self._buffer = b"\n".join(encoded[at] for at in self._lines)
        sizes = [len(encoded[at]) + 1 for at in self._lines]
        self._starts = np.concatenate(([0], np.cumsum(sizes[:-1], dtype=np.int64))) if sizes else np.zeros(0, np.int64)

    def matching(self, pattern: Pattern, until: float) -> Iterator[int]:
        """Places of the texts that match; BadRequest where the clock passes `until`."""
        if pattern.lines is None:
            yield from _one_by_one(pattern, enumerate(self._texts), until)
            return
        yield from _one_by_one(pattern, self._others, until)
        at = 0
        while at < len(self._starts):
            past = max(at + 1, int(np.searchsorted(self._starts, self._starts[at] + CHUNK)))
            for line in self._matching_lines(pattern.lines, at, past):
                yield self._lines[line]
            _demand_patience(until)
            at = past

    def _matching_lines(self, lines: Any, at: int, past: int) -> list[int]:
        """Of the lines from `at` to `past` those that match; a match goes to the end of its line."""
        end = int(self._starts[past]) - 1 if past < len(self._starts) else len(self._buffer)
        found = [match.start() for match in lines.finditer(self._buffer, int(self._starts[at]), end)]
        rows: list[int] = np.unique(np.searchsorted(self._starts, found, side="right") - 1).tolist()
        return rows


def _one_by_one(pattern: Pattern, texts: Any, until: float) -> Iterator[int]:
    for count, (at, text) in enumerate(texts):
        if count % 64 == 0 or len(text) > CHUNK:
            _demand_patience(until)
        if pattern.one.search(text):
            yield at


def _demand_patience(until: float) -> None:
    if time.monotonic() > until:
        raise BadRequest("the regular expressions take too long")
