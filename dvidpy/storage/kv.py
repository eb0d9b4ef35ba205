"""The storage seam: an ordered store of byte strings, poor on purpose.

Versions live above it (`dvidpy.versioning.store`), in the last bytes of a key (`dvidpy.storage.keys`).
To add a backend: write one module with these verbs, add its name to `stores.ENGINES`, and subclass
`tests/contracts/kv_contract.py` in some 25 lines. `memory` is the example to copy.

A backend must be possible on Google Bigtable and PostgreSQL: no reverse scans, no read-modify-write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

from dvidpy.storage.file_parts import FilePart


class Reader(Protocol):
    """What can be read: the store as it is, or a snapshot of it."""

    def get(self, key: bytes) -> bytes | None:
        """Value of `key`, or None."""
        ...

    def get_many(self, keys: Iterable[bytes]) -> list[bytes | None]:
        """Values in the order of `keys`, None where there is none."""
        ...

    def file_part(self, key: bytes) -> FilePart | None:
        """The file that a value stands in, and where; None where it does not, or there is no value."""
        ...

    def versions(self, row: bytes) -> list[bytes]:
        """All keys that are `row` plus one version cell, in order, without their values."""
        ...

    def scan(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) with start <= key < stop, in byte order, as the store was when the scan began.

        An iterator belongs to one thread at a time and must be exhausted or closed before the store is.
        """
        ...

    def first_of_each(self, spans: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes] | None]:
        """The first (key, value) with start <= key < stop of each (start, stop), None where there is none.

        All as the store was at one moment. Many short scans cost more than this.
        """
        ...

    def scan_keys(self, start: bytes, stop: bytes, limit: int | None = None) -> Iterator[bytes]:
        """Like `scan`, without the values."""
        ...


@runtime_checkable
class Snapshot(Reader, Protocol):
    """The store as it was at one moment."""

    def close(self) -> None:
        """Let go of it; open iterators of a snapshot must be finished before."""
        ...


@runtime_checkable
class KeyValueStore(Reader, Protocol):
    """One store. Verbs raise `StoreError` only when the medium itself fails."""

    atomic_batch: bool
    """A batch is wholly there or not at all; without it, atomic per key only."""

    multi_process: bool
    """Several processes may open the same store."""

    description: str
    """Engine and place, for people."""

    def batch(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = (), *, sync: bool = False) -> None:
        """Write and delete in one step. With `sync`, not before it would survive a power failure.

        A key must not stand in both `puts` and `deletes`.
        """
        ...

    def delete_range(self, start: bytes, stop: bytes) -> int:
        """Delete start <= key < stop in bounded steps; number of keys deleted. Not atomic."""
        ...

    def compact(self, start: bytes, stop: bytes) -> None:
        """Give back the space of what was deleted between `start` and `stop`."""
        ...

    def snapshot(self) -> Snapshot:
        """The store as it is now."""
        ...

    def size(self) -> int:
        """Bytes on disk (or in memory), roughly."""
        ...

    def size_of(self, start: bytes, stop: bytes) -> int:
        """Bytes that start <= key < stop take, roughly: what was just written may be left out."""
        ...

    def damaged(self) -> Iterator[str]:
        """What the medium has not kept as it was written, in words; looks at everything."""
        ...

    def close(self) -> None:
        """Flush and let go; closing twice is allowed."""
        ...
