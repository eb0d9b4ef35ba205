"""Values of an instance as a version sees them.

A value visible at a version is the one stored in the version itself or in its nearest ancestor that stored
one, unless that is a deletion. After a merge two parents may each have stored one: a conflict, and nothing is
visible until the merge's child stores its own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from operator import itemgetter

from dvidpy.storage import codecs, keys
from dvidpy.storage.codecs import Codec
from dvidpy.storage.file_parts import FilePart
from dvidpy.storage.keys import LARGE, PAST, TOMBSTONE, VALUE, cell, split_cell
from dvidpy.storage.kv import KeyValueStore, Reader
from dvidpy.versioning.ancestry import Ancestries, Ancestry
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.found import Found, Several
from dvidpy.versioning.large import PART, Manifest, Upload, decode_manifest, upload_all
from dvidpy.versioning.visibility import (
    FEW,
    TOGETHER,
    Cells,
    cells_by_row,
    choose,
    first_value,
    walk_rows,
    walk_texts,
    walk_values,
)

REMEMBERED = 64
"""Versions of an instance whose view is kept."""
GATHERED = 64
"""Values that are looked up together: they have some megabytes at most, as none is long."""


class VersionedStore:
    """All versions of one instance's values; `at` gives those of one version."""

    def __init__(
        self, store: KeyValueStore, instance: int, codec: Codec, ancestries: Ancestries, committer: Committer
    ) -> None:
        self.store = store
        self.instance = instance
        self.prefix = keys.instance_prefix(instance)
        self.codec = codec
        self.committer = committer
        self.ancestries = ancestries
        self.at = lru_cache(REMEMBERED)(self._at)
        """The values as a version sees them."""

    def _at(self, version: int) -> View:
        return View(self, self.ancestries.of(version))

    def rows(self) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
        """(type key, its (version, kind)s newest first) of everything ever stored, for merges and checks."""
        cut = len(self.prefix)
        keys_of_all = self.store.scan_keys(self.prefix, keys.after(self.prefix))
        return ((row[cut:], cells) for row, cells in cells_by_row(keys_of_all))


class View:
    """Values of one instance at one version. Type keys are bytes, prefix-free within the instance."""

    __slots__ = ("_cell", "_members", "ancestry", "codec", "of", "prefix", "reader")

    def __init__(
        self, of: VersionedStore, ancestry: Ancestry, reader: Reader | None = None, codec: Codec | None = None
    ) -> None:
        self.of = of
        self.prefix = of.prefix
        self.codec = codec or of.codec
        self.ancestry = ancestry
        self.reader = reader or of.store
        self._members = ancestry.members
        self._cell = cell(ancestry.version)

    # ------------------------------------------------------------------ one value
    def find(self, typekey: bytes) -> Found | None:
        """The visible value, not yet unpacked; None where there is none."""
        row = self.prefix + typekey
        own = self.reader.get(row + self._cell)  # a value of this very version needs no iterator
        return Found(self, VALUE, own) if own is not None else self._find_inherited(row)

    def _find_inherited(self, row: bytes) -> Found | None:
        """A value that this version did not store itself, or not as a small one."""
        if not self.ancestry.linear:
            return self._find_after_merge(row)
        for useless, (key, stored) in enumerate(self.reader.scan(row + self._cell, row + PAST)):
            version, kind = split_cell(key)
            if version in self._members:
                return None if kind == TOMBSTONE else Found(self, kind, stored)
            if useless == FEW:  # cells of other branches: seek past them
                return self._find_further(row)
        return None

    def _find_further(self, row: bytes) -> Found | None:
        found = first_value(self.reader, row + self._cell, row + PAST, self.ancestry)
        return None if found is None else Found(self, found[1], found[2])

    def _find_after_merge(self, row: bytes) -> Found | None:
        while True:
            cells = [split_cell(key) for key in self.reader.versions(row)]
            chosen = choose(self.ancestry, cells)
            if chosen is None:
                return None
            stored = self.reader.get(row + cell(*chosen))
            if stored is not None:  # else an edit came between, which put a cell of another kind there
                return Found(self, chosen[1], stored)

    def get(self, typekey: bytes) -> bytes | None:
        """The visible value, whole."""
        found = self.find(typekey)
        if found is None or found.manifest is None:
            return None if found is None else found.read()
        with self._still() as view:  # its parts must stay while they are read
            found = view.find(typekey)
            return None if found is None else found.read()

    def file_part(self, typekey: bytes, packing: int) -> FilePart | None:
        """Where the payload of the visible value stands in a file, if it does, packed so and without a checksum."""
        row = self.prefix + typekey
        found = self.reader.file_part(row + self._cell)
        if found is None and (chosen := self._chosen_value(row)) is not None:
            found = self.reader.file_part(row + chosen)
        return found.behind(1) if found is not None and found.file.read(found.offset, 1)[0] == packing else None

    def _chosen_value(self, row: bytes) -> bytes | None:
        """The cell of the visible value, where that is a small one."""
        chosen = choose(self.ancestry, [split_cell(key) for key in self.reader.versions(row)])
        return None if chosen is None or chosen[1] != VALUE else cell(*chosen)

    def find_many(self, typekeys: Iterable[bytes], change: Change | None = None) -> list[Found | None]:
        """Visible values in that order, not yet unpacked; None where there is none.

        An edit that will change them, which nobody else does meanwhile, is told of which rows no more need be known.
        """
        own, inherited = self._own(typekeys, change)
        return [Found(self, VALUE, one, own=True) if one is not None else next(inherited) for one in own]

    def own_values(self, typekeys: Iterable[bytes]) -> list[Found] | None:
        """Visible values in that order, where this very version has stored all of them as small ones; else None."""
        found = self.own_stored(typekeys)
        return None if found is None else [Found(self, VALUE, stored, own=True) for stored in found]

    def own_stored(self, typekeys: Iterable[bytes], most: int | None = None) -> list[bytes] | None:
        """The same as they are stored; None too where they have more than so many bytes."""
        found = []
        size = 0
        get, prefix, own = self.reader.get, self.prefix, self._cell
        for typekey in typekeys:
            stored = get(prefix + typekey + own)
            if stored is None:
                return None
            found.append(stored)
            size += len(stored)
            if most is not None and size > most:
                return None
        return found

    def read_many(self, typekeys: Iterable[bytes]) -> list[bytes | Found | None]:
        """Visible values in that order: small ones whole, large ones to be read, None where there is none."""
        own, inherited = self._own(typekeys)
        return [codecs.decode(one) if one is not None else self._read_small(next(inherited)) for one in own]

    def _own(
        self, typekeys: Iterable[bytes], change: Change | None = None
    ) -> tuple[list[bytes | None], Iterator[Found | None]]:
        """Small values that this very version has, or none, looked up together; and what is visible for each none."""
        rows = [self.prefix + typekey for typekey in typekeys]
        own = self.reader.get_many([row + self._cell for row in rows])
        missing = [row for row, stored in zip(rows, own, strict=True) if stored is None]
        if change is not None:
            change.plain.update(rows)
            change.plain.difference_update(missing)
        return own, self._inherited_many(missing, change)

    def _inherited_many(self, rows: list[bytes], change: Change | None) -> Iterator[Found | None]:
        """As `_find_inherited`, one after the other."""
        if not rows or not self.ancestry.linear:
            yield from map(self._find_inherited, rows)
            return
        newest = self.reader.first_of_each([(row + self._cell, row + PAST) for row in rows])
        for row, first in zip(rows, newest, strict=True):
            version, kind = split_cell(first[0]) if first else (0, TOMBSTONE)
            if change is not None and version != self.ancestry.version:
                change.plain.add(row)
            if first is None or version in self._members:
                yield None if first is None or kind == TOMBSTONE else Found(self, kind, first[1])
            else:  # behind it are cells of ancestors, or more of other branches
                yield self._find_further(row)

    @staticmethod
    def _read_small(found: Found | None) -> bytes | Found | None:
        return found if found is None or found.manifest is not None else found.read()

    def exists(self, typekey: bytes) -> bool:
        """Whether a value is visible; reads no value."""
        row = self.prefix + typekey
        return any(True for _ in walk_rows(self.reader, row, row + PAST, self.ancestry))

    def ever_held(self, start: bytes, stop: bytes) -> bool:
        """Whether anything stands in a span, in any version, be it a deletion: the quickest look at it."""
        return any(True for _ in self.reader.scan_keys(self.prefix + start, self.prefix + stop, 1))

    def version_of(self, typekey: bytes) -> int | None:
        """Version that last stored the value, or deleted it; None where none did. Reads no value."""
        versions = {split_cell(key)[0] for key in self.reader.versions(self.prefix + typekey)}
        return max(self.ancestry.maximal(versions & self.ancestry.members), default=None)

    # ------------------------------------------------------------------ ranges
    def keys(self, start: bytes, stop: bytes) -> Iterator[bytes]:
        """Type keys with a visible value, start <= key < stop, in byte order; reads no value."""
        cut = len(self.prefix)
        with self._still() as view:
            rows = walk_rows(view.reader, self.prefix + start, self.prefix + stop, self.ancestry)
            yield from map(itemgetter(slice(cut, None)), rows)

    def texts(self, head: bytes, start: bytes, stop: bytes) -> Iterator[list[bytes]]:
        """Of type keys start <= key < stop with a visible value, each a head and an escaped text: these texts, still
        escaped, in byte order; reads no value.
        """
        with self._still() as view:
            ends = self.prefix + start, self.prefix + stop
            yield from walk_texts(view.reader, self.prefix + head, *ends, self.ancestry)

    def few(self, start: bytes, stop: bytes, most: int) -> Several | None:
        """Visible values of a span at one look, where every cell is one and there are at most so many; else None."""
        if not self.ancestry.linear:
            return None
        cells = list(self.reader.scan(self.prefix + start, self.prefix + stop, most + 1))
        rows = [key[: -keys.CELL] for key, _ in cells]
        if len(cells) > most or len(set(rows)) < len(cells):
            return None
        if not self.ancestry.sees_all({key[-keys.CELL :] for key, _ in cells}):
            return None
        some = Several(self, last=True)
        some.add(Cells(rows, [key[-1] for key, _ in cells], [stored for _, stored in cells]))
        return some

    def range(self, start: bytes, stop: bytes) -> Generator[tuple[bytes, Found], None, None]:
        """(type key, visible value), start <= key < stop, all as they were when the walk began."""
        return self.ranges([(start, stop)])

    def ranges(self, spans: Iterable[tuple[bytes, bytes]]) -> Generator[tuple[bytes, Found], None, None]:
        """The same for several spans (start, stop), one after the other, all from one moment."""
        cut = len(self.prefix)
        with self._still() as view:
            for start, stop in spans:
                for cells in walk_values(view.reader, self.prefix + start, self.prefix + stop, self.ancestry):
                    for row, kind, stored in zip(*cells, strict=True):
                        yield row[cut:], Found(view, kind, stored)

    def together(self, spans: Iterable[tuple[bytes, bytes]]) -> Generator[Several, None, None]:
        """The same, as many together as make some megabyte as they are stored; the last say so, and may be none.

        They are read before the next are asked for: a snapshot goes with the walk.
        """
        with self._still() as view:
            some = Several(view)
            for start, stop in spans:
                for cells in walk_values(view.reader, self.prefix + start, self.prefix + stop, self.ancestry):
                    if some.size >= TOGETHER:
                        yield some
                        some = Several(view)
                    some.add(cells)
            some.last = True
            yield some

    def gathered(self, typekeys: Sequence[bytes]) -> Generator[Several, None, None]:
        """The same of these keys, in that order: some hundred are looked up quicker than the ranges they lie in."""
        with self._still() as view:
            for first in range(0, max(1, len(typekeys)), GATHERED):
                some, wanted = Several(view), typekeys[first : first + GATHERED]
                for typekey, found in zip(wanted, view.find_many(wanted), strict=True):
                    if found is not None:
                        some.put(typekey, found)
                some.last = first + GATHERED >= len(typekeys)
                yield some

    @property
    def is_frozen(self) -> bool:
        """It is that of a snapshot."""
        return self.reader is not self.of.store

    def frozen(self) -> View:
        """The same view of an unchanging snapshot, which lives as long as the view and what it found."""
        return self if self.is_frozen else View(self.of, self.ancestry, self.of.store.snapshot())

    @contextmanager
    def _still(self) -> Iterator[View]:
        """A view that does not change inside: this one, if it is frozen."""
        if self.is_frozen:
            yield self
            return
        snapshot = self.of.store.snapshot()
        try:
            yield View(self.of, self.ancestry, snapshot)
        finally:
            snapshot.close()

    # ------------------------------------------------------------------ writing
    def change(self, *, sync: bool = True) -> Change:
        """An empty edit of this version."""
        return Change(self.of.instance, self.ancestry.version, sync=sync)

    def put(self, change: Change, typekey: bytes, value: bytes | memoryview) -> bytes | None:
        """Add a value to an edit; it as it is stored, none where that is in parts.

        One above a megabyte is stored in parts at once, and seen when the edit is.
        """
        if len(value) > PART:
            self.put_manifest(change, typekey, upload_all(self.of.store, self.of.instance, self.codec, value))
            return None
        stored = self.codec.encode(value)
        self.put_stored(change, typekey, stored)
        return stored

    def put_new(self, change: Change, typekey: bytes, value: bytes | memoryview) -> None:
        """Add the first value ever of a row: no other can be in its place, so that none is looked for."""
        if len(value) > PART:
            self.put(change, typekey, value)
        else:
            self.put_new_stored(change, typekey, self.codec.encode(value))

    def put_new_stored(self, change: Change, typekey: bytes, stored: bytes) -> None:
        """The same of one that is packed already."""
        change.puts.append((self.prefix + typekey + self._cell, stored))

    def put_stored(self, change: Change, typekey: bytes, stored: bytes) -> None:
        """Add a value that is packed already (`codec.wrap`)."""
        change.cells.append((self.prefix + typekey, VALUE, stored))

    def put_manifest(self, change: Change, typekey: bytes, manifest: Manifest) -> None:
        """Add a large value whose parts are stored."""
        change.cells.append((self.prefix + typekey, LARGE, manifest.encode()))

    def delete(self, change: Change, typekey: bytes) -> None:
        """Add a deletion to an edit; ancestors keep their values."""
        change.cells.append((self.prefix + typekey, TOMBSTONE, b""))

    def upload(self) -> Upload:
        """A large value to be written piece by piece."""
        return Upload(self.of.store, self.of.instance, self.codec)

    def forget(self, change: Change) -> None:
        """Take back the parts of an edit's large values, where it was refused and not committed."""
        large = (decode_manifest(stored) for _, kind, stored in change.cells if kind == LARGE)
        self.of.store.batch((), [key for manifest in large for key in manifest.keys(self.of.instance)])

    def commit(self, change: Change) -> None:
        """Make an edit durable and visible; returns when it is. For worker threads."""
        self.of.committer.commit(change)

    def write(self, change: Change) -> int:
        """Make an edit visible before it is durable; `settle` returns when it is. For worker threads."""
        return self.of.committer.write(change)

    def free(self) -> AbstractContextManager[bool]:
        """Whether a thread may `write` inside without waiting for anybody."""
        return self.of.committer.free()

    def settle(self, written: int) -> None:
        """Return when what `write` wrote is durable."""
        self.of.committer.settle(written)

    async def commit_soon(self, change: Change) -> None:
        """The same, for the event loop."""
        await self.of.committer.commit_soon(change)
