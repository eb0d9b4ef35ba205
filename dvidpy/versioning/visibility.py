"""Which cell of each row is the visible one: the one place where ancestry meets keys.

Cells of a row come newest version first. Below no merge, the first that belongs to an ancestor is the visible one;
below a merge all cells of a row are weighed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import NamedTuple

from dvidpy.storage.keys import CELL, END, PAST, TOMBSTONE, cell, split_cell
from dvidpy.storage.kv import Reader
from dvidpy.versioning.ancestry import Ancestry

FEW = 8
"""Cells of no use that a scan steps over before it seeks past them."""
FIRST_CHUNK, CHUNK = 32, 1024
"""Keys that are looked at together: few at first, as they may all be versions of one row."""
FIRST_VALUES, TOGETHER = 8, 1 << 20
"""Values that are read together: few at first, then as many as make some bytes."""
STRETCH = 4096
"""Rows that are walked key by key before chunks are tried again."""

_ROW, _CELL, _KIND = itemgetter(slice(None, -CELL)), itemgetter(slice(-CELL, None)), itemgetter(-1)

Cell = tuple[bytes, int, bytes]
"""(row, kind, stored value)"""


class Cells(NamedTuple):
    """Some cells, each of another row."""

    rows: list[bytes]
    kinds: list[int]
    stored: list[bytes]


def choose(ancestry: Ancestry, cells: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Of a row's (version, kind)s the visible one; None where none is, or where merged parents disagree."""
    kinds = dict(cells)
    alive = [v for v in ancestry.maximal(v for v in kinds if v in ancestry.members) if kinds[v] != TOMBSTONE]
    return (alive[0], kinds[alive[0]]) if len(alive) == 1 else None


def cells_by_row(keys: Iterable[bytes]) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
    """(row, its (version, kind)s newest first) of keys in byte order."""
    return ((row, list(map(split_cell, group))) for row, group in groupby(keys, _ROW))


def walk_values(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry) -> Iterator[Cells]:
    """Visible cells of the rows from start to stop, with their stored values: as many together as were read so."""
    if ancestry.linear:
        return _values_in_line(reader, start, stop, ancestry)
    return map(_alone, _walk_merged(reader, start, stop, ancestry, with_values=True))


def _alone(found: Cell) -> Cells:
    row, kind, stored = found
    return Cells([row], [kind], [stored])


def first_value(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry) -> Cell | None:
    """The first visible cell from start to stop where no merge is among the ancestors; reads no other value."""
    return next(_walk_line(reader, start, stop, ancestry, with_values=True), None)


def walk_rows(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry) -> Iterator[bytes]:
    """Rows from start to stop with a visible cell; reads no value."""
    if not ancestry.linear:
        return (row for row, _, _ in _walk_merged(reader, start, stop, ancestry, with_values=False))
    return chain.from_iterable(_rows_in_line(reader, start, stop, ancestry))


def _rows_in_line(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry) -> Iterator[list[bytes]]:
    """By chunks, where every key is the one visible cell of its row; a stretch key by key where that is not so."""
    size = FIRST_CHUNK
    while chunk := list(reader.scan_keys(start, stop, size)):
        rows = list(map(_ROW, chunk))
        if len(set(rows)) == len(rows) and ancestry.sees_all(set(map(_CELL, chunk))):
            if len(chunk) < size:
                yield rows
                return
            start = rows.pop()  # it may have more cells, behind the chunk
            yield rows
            size = min(2 * size, CHUNK)
            continue
        walk = _walk_line(reader, rows[0], stop, ancestry, with_values=False)
        stretch = [row for row, _, _ in islice(walk, STRETCH)]
        if not stretch:
            return
        yield stretch
        start, size = stretch[-1] + PAST, FIRST_CHUNK


def walk_texts(reader: Reader, head: bytes, start: bytes, stop: bytes, ancestry: Ancestry) -> Iterator[list[bytes]]:
    """Of rows from start to stop that are each a head and an escaped text, and have a visible cell: those texts as they
    are stored, without their ends. As many together as were read so.
    """
    size = FIRST_CHUNK
    while chunk := list(reader.scan_keys(start, stop, size)):
        texts = _texts_of(chunk, head, ancestry) if ancestry.linear else None
        if texts is None:
            rows = list(islice(walk_rows(reader, chunk[0][:-CELL], stop, ancestry), STRETCH))
            texts = [row[len(head) : -len(END)] for row in rows]
        elif len(chunk) < size:
            yield texts
            return
        else:
            rows = [chunk[-1][:-CELL]]
        if not texts:
            return
        yield texts
        start, size = rows[-1] + PAST, min(2 * size, CHUNK)


def _texts_of(chunk: list[bytes], head: bytes, ancestry: Ancestry) -> list[bytes] | None:
    """Where all keys end with one and the same visible cell; then each is of another row. Else None.

    What stands between two texts then stands nowhere else: END is not in an escaped text.
    """
    end = END + chunk[0][-CELL:]
    if not ancestry.sees_all({end[-CELL:]}) or not chunk[-1].endswith(end):
        return None
    texts = b"".join(chunk)[len(head) : -len(end)].split(end + head)
    return texts if len(texts) == len(chunk) else None


def _values_in_line(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry) -> Iterator[Cells]:
    """As `_rows_in_line`, with values."""
    source, size, last = reader.scan(start, stop), FIRST_VALUES, b""
    while chunk := list(islice(source, size)):
        keys, stored = map(list, zip(*chunk, strict=True))
        rows = list(map(_ROW, keys))
        again = rows[0] == last
        if not again and len(set(rows)) == len(rows) and ancestry.sees_all(set(map(_CELL, keys))):
            yield Cells(rows, list(map(_KIND, keys)), stored)
            last, size = rows[-1], _next_size(stored)
            continue
        walk = _walk_line(reader, last + PAST if again else keys[0], stop, ancestry, with_values=True)
        last = b""
        for cell_ in islice(walk, STRETCH):
            yield _alone(cell_)
            last = cell_[0]
        source, size = reader.scan(last + PAST, stop) if last else iter(()), FIRST_VALUES


def _next_size(stored: list[bytes]) -> int:
    """How many values to read after these."""
    each = sum(map(len, stored)) // len(stored) + 1
    return max(1, min(2 * len(stored), CHUNK, TOGETHER // each))


def _walk_line(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry, *, with_values: bool) -> Iterator[Cell]:
    """Where no merge is among the ancestors: of each row the first cell that belongs to one."""
    members = ancestry.members
    seek: bytes | None = start
    row, settled, useless = b"", False, 0
    while seek is not None:
        source = _pairs(reader, seek, stop, with_values=with_values)
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
            if useless >= FEW:
                older = None if settled else ancestry.next_member(version)
                seek, useless = row + (PAST if older is None else cell(older)), 0
                break


def _walk_merged(reader: Reader, start: bytes, stop: bytes, ancestry: Ancestry, *, with_values: bool) -> Iterator[Cell]:
    """Below a merge: all cells of a row are weighed."""
    for row, cells in cells_by_row(reader.scan_keys(start, stop)):
        chosen = choose(ancestry, cells)
        if chosen is not None:
            yield row, chosen[1], (reader.get(row + cell(*chosen)) or b"") if with_values else b""


def _pairs(reader: Reader, start: bytes, stop: bytes, *, with_values: bool) -> Iterator[tuple[bytes, bytes]]:
    if with_values:
        return reader.scan(start, stop)
    return ((key, b"") for key in reader.scan_keys(start, stop))
