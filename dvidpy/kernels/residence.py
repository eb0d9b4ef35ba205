"""What the compiler of kernels needs of memory, and how that is little.

Its code, some 70 MB, is let go of when a kernel was loaded: it stays in memory until others need that, but is no part
of this process any more, and what is called again is there again at once. See docs/decisions/026-compiler-pages.md.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

MADV_DONTNEED = 4
_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-.p .*/libllvmlite[^/]*")
"""Of a part of the compiler that is never written."""


def let_go() -> None:
    """Let go of the compiler's code, where this is Linux; elsewhere nothing happens."""
    for start, size in _parts():
        _madvise()(start, size, MADV_DONTNEED)


@cache
def _parts() -> list[tuple[int, int]]:
    """(address, bytes) of what comes back from the file when it is dropped; none where nobody says so."""
    if sys.platform != "linux":
        return []
    try:
        return list(unwritten(Path("/proc/self/smaps").read_text()))
    except OSError:  # a container may hide it
        return []


def unwritten(smaps: str) -> Iterator[tuple[int, int]]:
    """The same of the text of /proc/self/smaps: parts of the compiler that nobody may write, and nobody has written."""
    found = None
    for line in smaps.splitlines():
        if line[:1] in "0123456789abcdef":
            found = _HEAD.fullmatch(line)
        elif found and line.split() == ["Anonymous:", "0", "kB"]:
            start, stop = (int(end, 16) for end in found.groups())
            yield start, stop - start


@cache
def _madvise() -> ctypes._NamedFuncPointer:
    found = ctypes.CDLL(None, use_errno=True).madvise
    found.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return found
