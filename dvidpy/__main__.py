"""The program: `dvidpy`, or `python -m dvidpy`. Argv and the environment are read here and in `dvidpy.cli` only."""

from __future__ import annotations

import os
import sys

TUNABLES = ":".join(
    f"glibc.malloc.{name}" for name in ("hugetlb=1", "trim_threshold=1000000000", "mmap_max=0", "arena_max=1")
)
"""Measured: unpacking 134 MB takes 30 ms with these and 273 ms without (docs/decisions/004-memory.md)."""


def main() -> None:
    """Entry point of the program."""
    if sys.argv[1:2] == ["serve"]:
        _tune_memory()  # before anything slow is imported, for it would be imported twice
    from dvidpy.cli import app

    app()


def _tune_memory() -> None:
    """Start again with allocator settings that glibc reads only once, at the start of a process."""
    glibc = "CS_GNU_LIBC_VERSION" in os.confstr_names and (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    if glibc and "GLIBC_TUNABLES" not in os.environ and "DVIDPY_NO_TUNING" not in os.environ:
        arguments = [sys.executable, "-m", "dvidpy", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, "GLIBC_TUNABLES": TUNABLES})  # noqa: S606  # ourselves


if __name__ == "__main__":
    main()
