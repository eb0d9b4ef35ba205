"""Values above a megabyte: kept in parts, written before the small record that makes them visible.

A crash between the two leaves orphaned parts, which `check` finds and `sweep` removes. Reading a range
touches only the parts it needs.

| manifest (a LARGE cell) | bytes |
|---|---|
| upload: the parts' name | 16 |
| size: bytes of the plain value | u64 BE |
| part: bytes of every plain part but the last | u32 BE |
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dvidpy.errors import StoreError
from dvidpy.storage import codecs, keys
from dvidpy.storage.codecs import Codec
from dvidpy.storage.kv import KeyValueStore, Reader

PART = 1 << 20
"""Bytes of a plain part; a value of more bytes is large."""
_MANIFEST = struct.Struct(">16sQI")


class Manifest(NamedTuple):
    """Where a large value lies."""

    upload: bytes
    size: int
    part: int = PART

    @property
    def parts(self) -> int:
        """Number of parts."""
        return -(-self.size // self.part)

    def encode(self) -> bytes:
        """As stored."""
        return _MANIFEST.pack(*self)

    def keys(self, instance: int) -> list[bytes]:
        """Keys of all parts."""
        return [keys.part_key(instance, self.upload, number) for number in range(self.parts)]


def decode_manifest(stored: bytes) -> Manifest:
    """Stored manifest -> Manifest; StoreError where it is none."""
    try:
        return Manifest(*_MANIFEST.unpack(stored))
    except struct.error as error:
        raise StoreError(f"not a manifest: {stored[:40].hex()}") from error


class Upload:
    """A large value on its way in: parts are stored as they fill; `finish` gives the manifest to commit."""

    def __init__(self, store: KeyValueStore, instance: int, codec: Codec) -> None:
        self._store, self._instance, self._codec = store, instance, codec
        self._name = secrets.token_bytes(16)
        self._rest = bytearray()
        self._parts = 0
        self.size = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next bytes of the value."""
        self._rest += piece
        self.size += len(piece)
        while len(self._rest) >= PART:
            self._store_part(memoryview(self._rest)[:PART].toreadonly().tobytes())
            del self._rest[:PART]

    def finish(self) -> Manifest:
        """Store the rest; the value becomes visible when the manifest is committed."""
        if self._rest:
            self._store_part(bytes(self._rest))
            self._rest.clear()
        return Manifest(self._name, self.size)

    def abandon(self) -> None:
        """Take back the parts stored so far."""
        self._store.batch((), [self._key(number) for number in range(self._parts)])

    def _store_part(self, part: bytes) -> None:
        # Synced each: where LevelDB changes its log file meanwhile, syncing the manifest does not sync the file before.
        self._store.batch([(self._key(self._parts), self._codec.encode(part))], sync=True)
        self._parts += 1

    def _key(self, number: int) -> bytes:
        return keys.part_key(self._instance, self._name, number)


def upload_all(store: KeyValueStore, instance: int, codec: Codec, value: bytes | memoryview) -> Manifest:
    """Store a large value that is at hand whole."""
    upload = Upload(store, instance, codec)
    whole = memoryview(value)
    for start in range(0, len(whole), PART):
        upload.write(whole[start : start + PART])
    return upload.finish()


def read_parts(reader: Reader, instance: int, manifest: Manifest, start: int, stop: int) -> Iterator[bytes]:
    """Bytes start <= i < stop of a large value, part by part; StoreError where a part is missing."""
    first, last = start // manifest.part, (stop - 1) // manifest.part
    for number in range(first, last + 1) if stop > start else ():
        stored = reader.get(keys.part_key(instance, manifest.upload, number))
        if stored is None:
            raise StoreError(f"part {number} of a large value is missing")
        base = number * manifest.part
        yield codecs.decode(stored)[max(0, start - base) : stop - base]


def orphans(store: KeyValueStore, used: Iterable[bytes]) -> Iterator[bytes]:
    """Keys of parts whose upload no manifest names; `used` are (instance:u32 + upload) of all manifests."""
    known = set(used)
    return (key for key in store.scan_keys(keys.PARTS, keys.after(keys.PARTS)) if key[1:21] not in known)
