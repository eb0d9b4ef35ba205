"""The log as a file: when it is large it gets another name, and a new one is begun."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from dvidpy.errors import StoreError

MB = 1_000_000
DAY_S = 86_400


class LogFile:
    """Takes whole lines, from any thread. Old files are `name-<time>.suffix` beside it."""

    def __init__(self, path: Path, max_bytes: int, max_days: int = 0) -> None:
        """`max_days` 0: old files are kept for ever. StoreError where the file cannot be written."""
        self._path = path
        self._max_bytes = max_bytes
        self._max_days = max_days
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._begin()
        except OSError as error:
            raise StoreError(f"logging.logfile cannot be written: {error}") from error

    def write(self, lines: bytes) -> None:
        """Add lines."""
        with self._lock:
            try:
                if self._size and self._size + len(lines) > self._max_bytes:
                    self._turn()
                self._file.write(lines)
            except (OSError, ValueError):  # a full disk, a folder that is gone: requests go on
                sys.stderr.buffer.write(lines)
            self._size += len(lines)

    def flush(self) -> None:
        """Nothing to do: what is written can be read."""

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    def _begin(self) -> None:
        self._file = self._path.open("ab", buffering=0)
        self._size = self._path.stat().st_size
        self._remove_old()

    def _turn(self) -> None:
        self._file.close()
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")
        self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        self._begin()

    def _remove_old(self) -> None:
        if not self._max_days:
            return
        before = time.time() - self._max_days * DAY_S
        for file in self._path.parent.glob(f"{self._path.stem}-????-??-??T*{self._path.suffix}"):
            if file.stat().st_mtime < before:
                file.unlink(missing_ok=True)
