"""Append-only JSON-lines files: one for each data instance and version, `{"id": …, "mutation": {…}}` a line."""

from __future__ import annotations

import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

OPEN_FILES = 64
"""Files kept open for appending."""
REWRITTEN = "rewritten"
"""Folder beside files that are being written anew."""


class Line(Struct):
    """One line: the number of the mutation, and what clients see of it."""

    id: int
    mutation: Raw


def encode_line(number: int, mutation: bytes) -> bytes:
    """A line of the file; `mutation` is JSON."""
    if b"\n" in mutation:
        mutation = msgspec.json.format(mutation, indent=-1)
    return b'{"id":%d,"mutation":%b}\n' % (number, mutation)


class JsonLines:
    """Such files, in one folder or several. Appending is ordered; `sync` makes what was appended survive a power
    failure.
    """

    def __init__(self, folder: Path, *others: Path, place: Callable[[str], Path] | None = None) -> None:
        """`place` says which of the folders a file lies in; without one, all lie in the first."""
        self.folder = folder
        self._folders = (folder, *others)
        for each in self._folders:
            each.mkdir(parents=True, exist_ok=True)
        self._place = place or (lambda name: folder)
        self._open: OrderedDict[str, FileIO] = OrderedDict()
        self._unsynced: set[str] = set()
        self._lock = threading.Lock()

    def append(self, name: str, lines: bytes) -> None:
        """Add whole lines to a file; after an OSError its end may be torn, and `cut` mends it."""
        rest = memoryview(lines)
        with self._lock:
            self._unsynced.add(name)
            while rest:
                rest = rest[self._file(name).write(rest) :]

    def read(self, name: str) -> Iterator[Line]:
        """Lines of a file, oldest first; none where there is no file. Stops at a torn line."""
        return (line for _, line in self._lines(name))

    def _lines(self, name: str) -> Iterator[tuple[int, Line]]:
        """(bytes of the file up to its end, line)."""
        path = self._path(name)
        if not path.exists():
            return
        decode = msgspec.json.Decoder(Line).decode
        size = 0
        with path.open("rb") as file:
            for text in file:
                size += len(text)
                try:
                    line = decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    return
                if not text.endswith(b"\n"):
                    return
                yield size, line

    def cut(self, name: str, mark: int) -> int:
        """Drop the lines of mutations above `mark`, and a torn end; number of the last line kept, or 0."""
        path, size, last = self._path(name), 0, 0
        with self._lock:
            self._close(name)
        for end, line in self._lines(name):
            if line.id > mark:
                break
            size, last = end, line.id
        if path.exists() and path.stat().st_size != size:
            os.truncate(path, size)
        return last

    def is_torn(self, name: str) -> bool:
        """Whether a file has something behind its last readable line."""
        size = max((end for end, _ in self._lines(name)), default=0)
        return self._path(name).stat().st_size != size

    def remove(self, data: Collection[str]) -> None:
        """Remove the files of all versions of some data instances, `<data>-<version>`."""
        for name in self.names():
            if name.partition("-")[0] in data:
                with self._lock:
                    self._close(name)
                    self._unsynced.discard(name)
                    self._path(name).unlink(missing_ok=True)

    @contextmanager
    def rewriting(self, names: Collection[str]) -> Iterator[JsonLines]:
        """Lines for the same names in folders of their own, which replace these files after the block."""
        beside = [folder / REWRITTEN for folder in self._folders]
        for folder in beside:
            shutil.rmtree(folder, ignore_errors=True)  # left by a crash
        with closing(JsonLines(*beside, place=lambda name: self._place(name) / REWRITTEN)) as fresh:
            yield fresh
        with self._lock:
            for name in names:
                self._close(name)
                path = self._path(name)
                if (new := path.parent / REWRITTEN / path.name).exists():
                    new.replace(path)
                else:
                    path.unlink(missing_ok=True)
        for folder in beside:
            sync_folder(folder.parent)
            folder.rmdir()

    def sync(self) -> None:
        """Return when everything appended is on the medium."""
        with self._lock:
            for name in self._unsynced:
                os.fsync(self._file(name).fileno())
            for folder in {self._path(name).parent for name in self._unsynced}:
                sync_folder(folder)
            self._unsynced.clear()

    def names(self) -> Iterable[str]:
        """Names of all files."""
        found = [path for folder in self._folders for path in folder.glob("*.jsonl")]
        return sorted(path.stem for path in found if self._path(path.stem) == path)

    def close(self) -> None:
        """Sync and close everything."""
        self.sync()
        with self._lock:
            for name in list(self._open):
                self._close(name)

    def _path(self, name: str) -> Path:
        return self._place(name) / f"{name}.jsonl"

    def _file(self, name: str) -> FileIO:
        file = self._open.pop(name, None)
        if file is None:
            file = self._path(name).open("ab", buffering=0)
            while len(self._open) >= OPEN_FILES:
                self._close(next(iter(self._open)))
        assert file is not None
        self._open[name] = file
        return file

    def _close(self, name: str) -> None:
        file = self._open.pop(name, None)
        if file is not None:
            file.close()


def sync_folder(folder: Path) -> None:
    """A new file survives a power failure only when its name in the folder does."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
