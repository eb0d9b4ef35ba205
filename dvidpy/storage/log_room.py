"""Room in LevelDB's log ahead of what is written: a sync takes less time where the file keeps its size.

The rest of the block that LevelDB writes is allocated, and reads as zeroes: its reader skips those up to the end of a
block. Never more than that, so that what a power failure leaves is a beginning of the log, as it is without: behind
a gap in a block nothing more is read of it, but blocks behind would be (docs/decisions/028-room-in-the-log.md).
"""

from __future__ import annotations

import os
from pathlib import Path

BLOCK = 1 << 15
"""Bytes of a block of the log."""
OPEN_FILES = Path("/proc/self/fd")
"""Where Linux names the files that this process has open."""


class LogRoom:
    """Of the log of one store. To be called while nobody writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = -1
        """LevelDB's own open file under a second number: both stand at the same byte."""
        self._at = self._end = 0
        """Where it stood the last time, and up to where there is room."""
        self._usable = True

    def make(self) -> None:
        """A write was synced: make room for the next one of its size, if the block is not full then."""
        if self._usable:
            try:
                self._make()
            except OSError:  # another system, a file system that cannot, no space: it goes without
                self._usable = False

    def _make(self) -> None:
        at = os.lseek(self._log, 0, os.SEEK_CUR) if self._log >= 0 else self._at
        if at == self._at:  # LevelDB writes another log by now
            self._find()
            return
        written, self._at = at - self._at, at
        block_end = at - at % BLOCK + BLOCK
        if at > self._end and at + written <= block_end:
            os.posix_fallocate(self._log, at, block_end - at)  # which changes no byte that is there
            self._end = block_end

    def _find(self) -> None:
        """Look for the log that LevelDB writes; OSError where it is not found."""
        self.close()
        folder = self._folder.resolve()
        found = next((file for file in OPEN_FILES.iterdir() if _is_log(file, folder)), None)
        if found is not None:
            self._log = os.dup(int(found.name))
        if not _is_log(OPEN_FILES / str(self._log), folder):  # closed meanwhile, and the number is another file's
            raise FileNotFoundError(f"no open log in {folder}")
        self._at = self._end = os.lseek(self._log, 0, os.SEEK_CUR)

    def close(self) -> None:
        """Let go of the log."""
        if self._log >= 0:
            os.close(self._log)
            self._log = -1


def _is_log(file: Path, folder: Path) -> bool:
    """Whether an open file is a log in a folder."""
    try:
        named = file.readlink()
    except OSError:  # closed by now
        return False
    return named.suffix == ".log" and named.parent == folder
