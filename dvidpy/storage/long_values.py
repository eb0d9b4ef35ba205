"""Values too long for LevelDB: they stand in files that only grow, and LevelDB keeps where.

LevelDB writes a value several times (log, buffer, tables as they are merged) and maps its tables into memory. Of blocks
of voxels one write and one read are enough (docs/decisions/021-long-values.md).

| what | bytes |
|---|---|
| value in a file `000001.long` | as it was given, one behind the other |
| its place, as LevelDB keeps it | 8 bytes of SIGN, u32 file, u64 offset, u32 size, u32 CRC-32, little-endian |

A value is in its file before its place is in LevelDB, and durable before that is. What no place names any more is freed
by `LevelStore.collect`, which copies what is left of a file that is mostly free, and removes it.
"""

from __future__ import annotations

import os
import struct
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from isal import isal_zlib

from dvidpy.errors import StoreError
from dvidpy.storage.file_parts import FilePart, OpenFile
from dvidpy.storage.log import sync_folder

LONG = 1 << 14
"""Bytes from which on a value is a long one."""
FILE_BYTES = 1 << 30
"""A file of so many bytes takes no further values."""
OPEN = 64
"""Files that are kept open for reading."""
SUFFIX = ".long"
SIGN = b"\xd7long\xd7\x00\x01"
"""A value that begins so is kept as a long one, whatever its size: in LevelDB only places do."""
_PLACE = struct.Struct("<8sIQII")
PLACE = _PLACE.size


class Place(NamedTuple):
    """Where a long value is."""

    file: int
    offset: int
    size: int
    crc: int

    def encode(self) -> bytes:
        """As LevelDB keeps it."""
        return _PLACE.pack(SIGN, *self)


def place_in(kept: bytes) -> Place | None:
    """The place that LevelDB keeps instead of a value; None where that is the value itself."""
    return Place(*_PLACE.unpack(kept)[1:]) if len(kept) == PLACE and kept.startswith(SIGN) else None


class GoneError(Exception):
    """The file was freed: its values have new places."""


class LongValues:
    """The files of one store. Reading and appending from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        """Held while a place is given out, and while files are opened and let go."""
        self._open: OrderedDict[int, OpenFile] = OrderedDict()
        self._kept: dict[int, OpenFile] = {}
        """Removed files that somebody may still read."""
        self._current: OpenFile | None = None
        self.newest = max(self.files(), default=0)
        """The file that is added to, or was before the start."""
        self._end = 0
        self._syncing = threading.Lock()
        self._unsynced: dict[int, OpenFile] = {}
        self.appended = 0
        """Bytes since the start."""

    def files(self) -> dict[int, int]:
        """Number -> bytes."""
        return {int(path.stem): path.stat().st_size for path in self._folder.glob(f"*{SUFFIX}") if path.stem.isdigit()}

    def path(self, number: int) -> Path:
        """A file."""
        return self._folder / f"{number:06d}{SUFFIX}"

    # ------------------------------------------------------------------ writing
    def append(self, value: bytes) -> Place:
        """Write a value behind the last one; OSError where the medium fails: then nothing knows of it."""
        with self._lock:
            file = self._current if self._current is not None and self._end < FILE_BYTES else self._begin_file()
            number, offset = self.newest, self._end
            self._end += len(value)
        done = 0
        while done < len(value):
            done += os.pwrite(file.fd, memoryview(value)[done:], offset + done)
        with self._lock:  # now: a sync before it was written would have forgotten it
            self._unsynced[number] = file
            self.appended += len(value)
        return Place(number, offset, len(value), isal_zlib.crc32(value))

    def _begin_file(self) -> OpenFile:
        """Go on in the last file after a start, in a new one when that is full."""
        last = self.path(self.newest)
        if self._current is not None or not last.exists() or last.stat().st_size >= FILE_BYTES:
            self.newest += 1
        self._current = OpenFile(self.path(self.newest), os.O_RDWR | os.O_CREAT)
        self._end = os.fstat(self._current.fd).st_size
        sync_folder(self._folder)
        return self._current

    def turn_over(self) -> None:
        """Begin a new file. When all batches under way are written, nobody adds to the older ones."""
        with self._lock:
            if self._current is None:  # nothing was written since the start
                self.newest += 1
            self._begin_file()

    def sync(self) -> None:
        """Return when all that was appended would survive a power failure."""
        with self._syncing:  # who comes while another one syncs may need what that has taken
            with self._lock:
                unsynced, self._unsynced = self._unsynced, {}
            try:
                for file in unsynced.values():
                    os.fdatasync(file.fd)
            except OSError:
                with self._lock:
                    self._unsynced = unsynced | self._unsynced
                raise

    # ------------------------------------------------------------------ reading
    def read(self, place: Place) -> bytes:
        """A value; GoneError where its file was removed, StoreError where that is damaged."""
        return self._pread(place.file, place.offset, place.size)

    def file_part(self, place: Place) -> FilePart:
        """Where a value stands; else as `read`."""
        file = self._opened(place.file)
        if not file.has(place.offset + place.size):
            raise file.short(place.offset + place.size)
        return FilePart(file, place.offset, place.size)

    def _pread(self, number: int, offset: int, size: int) -> bytes:
        return self._opened(number).read(offset, size)

    def _opened(self, number: int) -> OpenFile:
        try:
            return self._open.get(number) or self._file(number)
        except OSError as error:
            raise StoreError(f"{self.path(number)} cannot be read: {error}") from error

    def verified(self, place: Place) -> bytes:
        """The same; StoreError too where its bytes are not those that were written."""
        value = self.read(place)
        if isal_zlib.crc32(value) != place.crc:
            raise StoreError(f"{self.path(place.file)} is damaged at byte {place.offset}")
        return value

    def _file(self, number: int) -> OpenFile:
        with self._lock:
            if number in self._kept:
                return self._kept[number]
            try:
                file = self._open.get(number) or OpenFile(self.path(number), os.O_RDONLY)
            except FileNotFoundError:
                raise GoneError from None
            self._open[number] = file
            while len(self._open) > OPEN:
                self._open.popitem(last=False)
            return file

    # ------------------------------------------------------------------ freeing
    def remove(self, number: int, *, still_read: bool) -> None:
        """Remove a file; where somebody may still read it, its bytes stay until `forget`."""
        with self._lock:
            file = self._open.pop(number, None)
            if still_read:
                self._kept[number] = file or OpenFile(self.path(number), os.O_RDONLY)
            self.path(number).unlink()

    def forget(self, number: int) -> None:
        """Nobody reads a removed file any more."""
        with self._lock:
            self._kept.pop(number, None)

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            self._open.clear()
            self._kept.clear()
            self._current = None
