"""Blobs under references made from their content: FNV-128 in URL-safe base64, as in the reference."""

from __future__ import annotations

import base64
import binascii

from dvidpy.errors import BadRequest
from dvidpy.storage import codecs, keys
from dvidpy.storage.codecs import Codec
from dvidpy.storage.kv import KeyValueStore

PART = 1 << 20
"""Bytes of a plain part."""


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


def _digest(reference: str) -> bytes:
    try:
        digest = base64.b64decode(reference, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise BadRequest(f"{reference!r} is no blob reference")
    return digest
