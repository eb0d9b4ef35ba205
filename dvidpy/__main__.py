"""The program: `dvidpy`, `dvid` or `python -m dvidpy`. Argv and environment are read here and in `dvidpy.cli` only."""

from __future__ import annotations

import os
import sys

TUNABLES = ":".join(
    f"glibc.malloc.{name}" for name in ("hugetlb=1", "trim_threshold=1000000000", "mmap_max=0", "arena_max=1")
)
"""Measured: unpacking 134 MB takes 30 ms with these and 273 ms without (docs/decisions/004-memory.md)."""


def main() -> None:
    """Entry point of the program."""
    if "serve" in sys.argv[1:]:
        _tune_memory()  # before anything slow is imported, for it would be imported twice
    words = _our_words(sys.argv[1:])
    if words[:1] == ["serve"]:
        from dvidpy.cli.serve import app  # it is to listen within a second, as neuclease's tests expect
    else:
        from dvidpy.cli.commands import app

    app(args=words or ["--help"], prog_name="dvid" if os.path.basename(sys.argv[0]) == "dvid" else "dvidpy")  # noqa: PTH119  # pathlib is slow to import


def _our_words(words: list[str]) -> list[str]:
    """The command line without the flags of the reference, which are heeded or noted."""
    if not words or not (words[0].startswith("-") or words[0] == "serve"):
        return words
    import time

    from dvidpy.cli.spelling import UsageError, spelled

    try:
        meant = spelled(words)
    except UsageError as error:
        sys.stderr.write(f"dvidpy: {error}\n")
        raise SystemExit(2) from None
    for note in meant.notes:
        sys.stderr.write(f"dvidpy: note: {note}\n")
    if meant.server:
        os.environ["DVIDPY_SERVER"] = meant.server
    time.sleep(meant.sleep_s)
    return meant.words


def _tune_memory() -> None:
    """Start again with allocator settings that glibc reads only once, at the start of a process."""
    glibc = "CS_GNU_LIBC_VERSION" in os.confstr_names and (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    if glibc and "GLIBC_TUNABLES" not in os.environ and "DVIDPY_NO_TUNING" not in os.environ:
        arguments = [sys.executable, "-m", "dvidpy", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, "GLIBC_TUNABLES": TUNABLES})  # noqa: S606  # ourselves


if __name__ == "__main__":
    main()
