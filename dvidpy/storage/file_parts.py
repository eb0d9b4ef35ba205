"""Bytes that stand in a file, to be read or sent from there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from dvidpy.errors import StoreError


class OpenFile:
    """An open file; closed when nobody reads it any more."""

    __slots__ = ("_size", "fd", "path")

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        self.fd = os.open(path, flags | os.O_CLOEXEC, 0o644)
        self._size = 0

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)

    def has(self, end: int) -> bool:
        """Whether it has so many bytes. Files of values only grow."""
        if end > self._size:
            self._size = os.fstat(self.fd).st_size
        return end <= self._size

    def read(self, offset: int, size: int) -> bytes:
        """Some bytes; StoreError where they are not there."""
        try:
            value = os.pread(self.fd, size, offset)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read: {error}") from error
        if len(value) != size:
            raise self.short(offset + size)
        return value

    def read_into(self, room: memoryview, offset: int) -> None:
        """Fill some room; StoreError where so many bytes are not there."""
        try:
            count = os.preadv(self.fd, [room], offset)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read: {error}") from error
        if count != len(room):
            raise self.short(offset + len(room))

    def short(self, end: int) -> StoreError:
        """What to raise where it has not so many bytes."""
        return StoreError(f"{self.path} is damaged: it ends before byte {end}")


class FilePart(NamedTuple):
    """Some bytes of a file, which nobody changes: they can be read when they are wanted, or sent by the system."""

    file: OpenFile
    offset: int
    size: int

    def read(self) -> bytes:
        """The bytes; StoreError where they are not there."""
        return self.file.read(self.offset, self.size)

    def behind(self, count: int) -> FilePart:
        """What is left behind the first bytes."""
        return FilePart(self.file, self.offset + count, self.size - count)
