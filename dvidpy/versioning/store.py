"""The one place where ancestry meets keys: values of an instance as a version sees them.

A value visible at a version is the one stored in the version itself or in its nearest ancestor that stored
one, unless that is a deletion. After a merge two parents may each have stored one: a conflict, and nothing is
visible until the merge's child stores its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dvidpy.storage import codecs, keys
from dvidpy.storage.codecs import Codec
from dvidpy.storage.keys import CELL, LARGE, PAST, TOMBSTONE, VALUE, cell, split_cell
from dvidpy.storage.kv import KeyValueStore, Reader
from dvidpy.versioning.ancestry import Ancestries, Ancestry
from dvidpy.versioning.commits import Change, Committer
from dvidpy.versioning.large import PART, Manifest, Upload, decode_manifest, read_parts, upload_all

FEW = 8
"""Cells of no use that a scan steps over before it seeks past them."""

Cell = tuple[bytes, int, bytes]
"""(row, kind, stored value)"""


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

    def at(self, version: int) -> View:
        """The values as `version` sees them."""
        return View(self, self.ancestries.of(version))

    def rows(self) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
        """(type key, its (version, kind)s newest first) of everything ever stored, for merges and checks."""
        row: bytes | None = None
        cells: list[tuple[int, int]] = []
        for key in self.store.scan_keys(self.prefix, keys.after(self.prefix)):
            if key[:-CELL] != row:
                if row is not None:
                    yield row[len(self.prefix) :], cells
                row, cells = key[:-CELL], []
            cells.append(split_cell(key))
        if row is not None:
            yield row[len(self.prefix) :], cells


class View:
    """Values of one instance at one version. Type keys are bytes, prefix-free within the instance."""

    __slots__ = ("_cell", "_members", "ancestry", "codec", "of", "prefix", "reader")

    def __init__(self, of: VersionedStore, ancestry: Ancestry, reader: Reader | None = None) -> None:
        self.of = of
        self.prefix = of.prefix
        self.codec = of.codec
        self.ancestry = ancestry
        self.reader = reader or of.store
        self._members = ancestry.members
        self._cell = cell(ancestry.version)

    # ------------------------------------------------------------------ one value
    def find(self, typekey: bytes) -> Found | None:
        """The visible value, not yet unpacked; None where there is none."""
        row = self.prefix + typekey
        if not self.ancestry.linear:
            return self._find_after_merge(row)
        for key, stored in self.reader.scan(row + self._cell, row + PAST):
            version, kind = split_cell(key)
            if version in self._members:
                return None if kind == TOMBSTONE else Found(self, kind, stored)
        return None

    def _find_after_merge(self, row: bytes) -> Found | None:
        cells = [split_cell(key) for key in self.reader.versions(row)]
        chosen = choose(self.ancestry, cells)
        if chosen is None:
            return None
        stored = self.reader.get(row + cell(*chosen))
        return None if stored is None else Found(self, chosen[1], stored)

    def get(self, typekey: bytes) -> bytes | None:
        """The visible value, whole."""
        found = self.find(typekey)
        return None if found is None else found.read()

    def exists(self, typekey: bytes) -> bool:
        """Whether a value is visible; reads no value."""
        row = self.prefix + typekey
        return any(True for _ in self._walk(row, row + PAST, with_values=False))

    # ------------------------------------------------------------------ ranges
    def keys(self, start: bytes, stop: bytes) -> Iterator[bytes]:
        """Type keys with a visible value, start <= key < stop, in byte order; reads no value."""
        cut = len(self.prefix)
        return (row[cut:] for row, _, _ in self._walk(self.prefix + start, self.prefix + stop, with_values=False))

    def range(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, Found]]:
        """(type key, visible value), start <= key < stop, all as they were when the walk began."""
        cut = len(self.prefix)
        snapshot = self.of.store.snapshot()
        try:
            view = View(self.of, self.ancestry, snapshot)
            for row, kind, stored in view._walk(self.prefix + start, self.prefix + stop, with_values=True):
                yield row[cut:], Found(view, kind, stored)
        finally:
            snapshot.close()

    def frozen(self) -> View:
        """The same view of an unchanging snapshot, which lives as long as the view and what it found."""
        return View(self.of, self.ancestry, self.of.store.snapshot())

    def _walk(self, start: bytes, stop: bytes, *, with_values: bool) -> Iterator[Cell]:
        walk = _walk_line if self.ancestry.linear else _walk_merged
        return walk(self.reader, start, stop, self.ancestry, with_values)

    # ------------------------------------------------------------------ writing
    def change(self, *, sync: bool = True) -> Change:
        """An empty edit of this version."""
        return Change(self.of.instance, self.ancestry.version, sync=sync)

    def put(self, change: Change, typekey: bytes, value: bytes | memoryview) -> None:
        """Add a value to an edit. One above a megabyte is stored in parts at once, and seen when the edit is."""
        if len(value) > PART:
            self.put_manifest(change, typekey, upload_all(self.of.store, self.of.instance, self.codec, value))
        else:
            change.cells.append((self.prefix + typekey, VALUE, self.codec.encode(value)))

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

    def commit(self, change: Change) -> None:
        """Make an edit durable and visible; returns when it is. For worker threads."""
        self.of.committer.commit(change)

    async def commit_soon(self, change: Change) -> None:
        """The same, for the event loop."""
        await self.of.committer.commit_soon(change)


class Found:
    """A visible value: small ones at hand, packed; large ones in parts."""

    __slots__ = ("kind", "manifest", "size", "stored", "view")

    def __init__(self, view: View, kind: int, stored: bytes) -> None:
        self.view = view
        self.kind = kind
        self.stored = stored
        self.manifest = decode_manifest(stored) if kind == LARGE else None

    def plain_size(self) -> int:
        """Bytes of the value."""
        return self.manifest.size if self.manifest else codecs.plain_size(self.stored)

    def read(self) -> bytes:
        """The whole value."""
        if self.manifest is None:
            return codecs.decode(self.stored)
        return b"".join(self.pieces(0, self.manifest.size))

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes start <= i < stop, in pieces of at most a megabyte."""
        if self.manifest is None:
            return iter([codecs.decode(self.stored)[start:stop]])
        return read_parts(self.view.reader, self.view.of.instance, self.manifest, start, stop)


# ---------------------------------------------------------------------- which cell is visible
def choose(ancestry: Ancestry, cells: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Of a row's (version, kind)s the visible one; None where none is, or where merged parents disagree."""
    kinds = dict(cells)
    alive = [v for v in ancestry.maximal(v for v in kinds if v in ancestry.members) if kinds[v] != TOMBSTONE]
    return (alive[0], kinds[alive[0]]) if len(alive) == 1 else None


def _walk_line(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry, with_values: bool) -> Iterator[Cell]:
    """Visible cells where no merge is among the ancestors: of each row the first that belongs to one."""
    members, own = ancestry.members, cell(ancestry.version)
    seek: bytes | None = start
    row, settled, useless = b"", False, 0
    while seek is not None:
        source = _pairs(reader, seek, stop, with_values)
        seek = None
        for key, stored in source:
            if key[:-CELL] != row:
                row, settled, useless = key[:-CELL], False, 0
            version, kind = split_cell(key)
            if not settled and version in members:
                settled = True
                if kind != TOMBSTONE:
                    yield row, kind, stored
                continue
            useless += 1
            if useless >= FEW and (settled or version > ancestry.version):
                seek, useless = row + (PAST if settled else own), 0
                break


def _walk_merged(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry, with_values: bool) -> Iterator[Cell]:
    """Visible cells below a merge: all cells of a row are weighed."""
    row: bytes | None = None
    cells: list[tuple[int, int]] = []
    for key in reader.scan_keys(start, stop):
        if key[:-CELL] != row:
            if row is not None:
                yield from _weigh(reader, row, cells, ancestry, with_values)
            row, cells = key[:-CELL], []
        cells.append(split_cell(key))
    if row is not None:
        yield from _weigh(reader, row, cells, ancestry, with_values)


def _weigh(
    reader: Reader, row: bytes, cells: list[tuple[int, int]], ancestry: Ancestry, with_values: bool
) -> Iterator[Cell]:
    chosen = choose(ancestry, cells)
    if chosen is not None:
        yield row, chosen[1], (reader.get(row + cell(*chosen)) or b"") if with_values else b""


def _pairs(reader: Reader, start: bytes, stop: bytes, with_values: bool) -> Iterator[tuple[bytes, bytes]]:
    if with_values:
        return reader.scan(start, stop)
    return ((key, b"") for key in reader.scan_keys(start, stop))
