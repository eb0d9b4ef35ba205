"""One key of a keyvalue instance: reading, cutting, writing, deleting."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from typing import ClassVar

import orjson
from msgspec import Raw

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.exchange import Call, Gone, readable
from dvidpy.datatypes.keyvalues.keys import FIRST, KEY, PAST, key_of, keys_of, span, typekey
from dvidpy.errors import DvidError, NotFound
from dvidpy.versioning.found import Found
from dvidpy.versioning.large import PART


class KeyValue(Data):
    """Values by key, as one version sees them."""

    __slots__ = ()

    def find(self, key: str) -> Found | None:
        """The value of a key, not yet unpacked."""
        return self.view.find(typekey(key))

    def need(self, key: str) -> Found:
        """The value of a key; NotFound where there is none, or an empty one (the reference's way)."""
        found = self.find(key)
        if found is None or not found.plain_size():
            raise NotFound(f"Key {key!r} not found")
        return found

    def frozen(self) -> KeyValue:
        """The same values, unchanging."""
        other = copy(self)
        other.view = self.view.frozen()
        return other

    def exists(self, key: str) -> bool:
        """Whether there is a value, an empty one included."""
        return self.view.exists(typekey(key))

    # ------------------------------------------------------------------ as files (`views.companions`)
    by_supervoxel: ClassVar[bool] = False

    def has_file(self, name: str) -> bool:
        """Whether there is a value."""
        return self.exists(name)

    def file(self, name: str) -> bytes | None:
        """The value of a key; None where there is none, or an empty one."""
        return self.view.get(typekey(name)) or None

    # ------------------------------------------------------------------ many keys
    def keys(self, first: str, last: str) -> list[str]:
        """Keys first <= key <= last, in byte order."""
        return keys_of(self.view.texts(KEY, *span(first, last)))

    def all_keys(self) -> list[str]:
        """All keys, in byte order."""
        return keys_of(self.view.texts(KEY, FIRST, PAST))

    def items(self, first: str, last: str) -> Iterator[tuple[str, Found]]:
        """(key, value) of first <= key <= last, in byte order."""
        return ((key_of(key), found) for key, found in self.view.range(*span(first, last)))

    def posted(self, *sizes: tuple[str, int]) -> list[Raw]:
        """What the log says of values that were written, each by its key and its bytes."""
        end = self._said_of_all()
        names = [orjson.dumps(readable(key)) for key, _ in sizes]
        said = zip(names, sizes, strict=True)
        return [Raw(b'{"Action":"postkv","Key":%b,"Bytes":%d,%b' % (name, size, end)) for name, (_, size) in said]

    def deleted(self, key: str) -> Raw:
        """What the log says of a key that was deleted."""
        return Raw(b'{"Action":"delete","Key":%b,%b' % (orjson.dumps(readable(key)), self._said_of_all()))

    def _said_of_all(self) -> bytes:
        """How each message ends."""
        return orjson.dumps({"UUID": self.node.uuid, "Timestamp": datetime.now(UTC).isoformat(sep=" ")})[1:]

    async def put(self, key: str, call: Call) -> None:
        """Write the body of a request: a small one at once, a large one in parts as it arrives."""
        place = typekey(key)
        if call.gzipped or call.content_length is None or call.content_length > PART:
            await self._put_large(key, call)
            return
        body = await call.body()
        change = self.change(*self.posted((key, len(body))))
        self.view.put(change, place, body)
        with call.gate():
            await self.view.commit_soon(change)

    async def _put_large(self, key: str, call: Call) -> None:
        upload = self.view.upload()
        try:
            async for piece in call.stream():
                await call.pool.go_on(upload.write, piece)
            manifest = await call.pool.go_on(upload.finish)
            change = self.change(*self.posted((key, manifest.size)))
            self.view.put_manifest(change, typekey(key), manifest)
            with call.gate():
                await self.view.commit_soon(change)
        except (DvidError, Gone):  # nothing was committed; whatever else goes wrong leaves orphans to `sweep`
            await call.pool.go_on(upload.abandon)
            raise

    async def delete(self, key: str) -> None:
        """Delete a key; one that is not there leaves a record all the same, as in the reference."""
        change = self.change(self.deleted(key))
        self.view.delete(change, typekey(key))
        await self.view.commit_soon(change)
