"""Blobs under references made from their content: FNV-128 in URL-safe base64, as in the reference.

They lie in a key-value store, or in a folder of files (engine filestore).
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from dvidpy.errors import BadRequest, StoreError
from dvidpy.storage import codecs, keys
from dvidpy.storage.codecs import Codec
from dvidpy.storage.kv import KeyValueStore
from dvidpy.storage.log import sync_folder

PART = 1 << 20
"""Bytes of a plain part."""


class BlobPlace(Protocol):
    """Where blobs lie."""

    def put(self, value: bytes) -> str:
        """Keep a blob; its reference."""
        ...

    def get(self, reference: str) -> bytes | None:
        """The blob of a reference, None where there is none; BadRequest for what cannot be a reference."""
        ...


class Blobs:
    """The blobs of one store. Parts are numbered from 0; part 0 is written last, and makes the blob visible."""

    def __init__(self, store: KeyValueStore) -> None:
        self._store = store
        self._codec = Codec()

    def put(self, value: bytes) -> str:
        """Keep a blob; its reference."""
        from dvidpy.kernels.fnv import fnv128

        digest = fnv128(value)
        for number in range((len(value) - 1) // PART, 0, -1):
            self._put_part(digest, number, value)
        self._put_part(digest, 0, value, sync=True)
        return base64.urlsafe_b64encode(digest).decode()

    def get(self, reference: str) -> bytes | None:
        """The blob of a reference, None where there is none; BadRequest for what cannot be a reference."""
        digest = _digest(reference)
        span = (keys.blob_key(digest, 0), keys.after(keys.BLOBS + digest))
        parts = [codecs.decode(stored) for _, stored in self._store.scan(*span)]
        return b"".join(parts) if self._store.get(span[0]) is not None else None

    def _put_part(self, digest: bytes, number: int, value: bytes, *, sync: bool = False) -> None:
        part = self._codec.encode(value[number * PART : (number + 1) * PART])
        self._store.batch([(keys.blob_key(digest, number), part)], sync=sync)


class BlobFolder:
    """A folder of files: `ab/abcdef…`, the digest in hexadecimal. A file is whole and synced before it has its name."""

    def __init__(self, folder: Path) -> None:
        """StoreError where the folder cannot be made."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot open the folder of blobs {folder}: {error}") from error
        self._folder = folder

    def put(self, value: bytes) -> str:
        """Keep a blob; its reference."""
        from dvidpy.kernels.fnv import fnv128

        digest = fnv128(value)
        path = self._path(digest)
        if not path.exists():
            self._write(path, value)
        return base64.urlsafe_b64encode(digest).decode()

    def get(self, reference: str) -> bytes | None:
        """The blob of a reference, None where there is none; BadRequest for what cannot be a reference."""
        try:
            return self._path(_digest(reference)).read_bytes()
        except FileNotFoundError:
            return None

    def _path(self, digest: bytes) -> Path:
        return self._folder / digest.hex()[:2] / digest.hex()

    def _write(self, path: Path, value: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        draft = path.with_name(f"{path.name}.{uuid4().hex}")
        try:
            with draft.open("wb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        for folder in (path.parent, self._folder):
            sync_folder(folder)


class FirstOf:
    """Several places: kept in the first, found in any. So blobs stay found when a configuration names another place."""

    def __init__(self, *places: BlobPlace) -> None:
        self._places = places

    def put(self, value: bytes) -> str:
        """Keep a blob; its reference."""
        return self._places[0].put(value)

    def get(self, reference: str) -> bytes | None:
        """The blob of a reference, None where there is none; BadRequest for what cannot be a reference."""
        return next((blob for place in self._places if (blob := place.get(reference)) is not None), None)


def _digest(reference: str) -> bytes:
    try:
        digest = base64.b64decode(reference, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise BadRequest(f"{reference!r} is no blob reference")
    return digest
