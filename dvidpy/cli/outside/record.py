"""Which pieces are done, in a file: what breaks off goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any


class Record:
    """Pieces of a job. It is another job where anything about it is different: then it begins anew."""

    def __init__(self, path: Path, job: dict[str, Any], *, restart: bool = False) -> None:
        self._path = path
        self._head = json.dumps(job, sort_keys=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() and not restart else []
        self.begun = bool(lines) and lines[0] == self._head
        """Some of it may be there."""
        self._done = set(lines[1:]) if self.begun else set()
        self._file: IO[str] | None = None

    def __contains__(self, piece: Any) -> bool:
        return _words(piece) in self._done

    def add(self, piece: Any) -> None:
        """It is done."""
        if self._file is None:
            self._file = self._path.open("a" if self.begun else "w", encoding="utf-8")
            if not self.begun:
                self._file.write(self._head + "\n")
        self._file.write(_words(piece) + "\n")
        self._file.flush()

    def close(self, *, finished: bool) -> None:
        """No more is done; nothing is remembered of what is finished."""
        if self._file is not None:
            self._file.close()
        if finished:
            self._path.unlink(missing_ok=True)


def _words(piece: Any) -> str:
    return json.dumps(piece)
